/* files.c: a file that is read in parts, by all workers at once, and a result that is written whole or not at all. */
#include <fever.h>

#include <stdlib.h>
#include <unistd.h>

#define N       (1L << 20)
#define N_PARTS 8L

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "files: %s\n", fever_strerror(rc));
        exit(1);
    }
}

FEVER_TASK_BYTES(measure, (long, n))
{
    double *at = fever_result((size_t)n * sizeof *at);
    for (long i = 0; at != NULL && i < n; i++)
        at[i] = (double)(i % 1000) * 0.25;
}

/* A loaded object is an argument like any other: the body starts when the bytes are there. */
FEVER_TASK(double, sum, (fever_ref, part))
{
    const double *x;
    size_t        bytes;
    double        s = 0;
    if (fever_view(part, &x, &bytes) < 0)
        return 0;
    for (size_t i = 0; i < bytes / sizeof *x; i++)
        s += x[i];
    return s;
}

int main(void)
{
    char               path[] = "files.XXXXXX";
    struct fever_saved saved;
    struct fever_error error;
    fever_ref          parts[N_PARTS], sums[N_PARTS], data, done, missing;
    double             part[N_PARTS], total = 0;
    int                fd = mkstemp(path);

    must(fd < 0 ? -FEVER_EINVAL : fever_init(NULL));
    close(fd);

    /* save: of what does not exist yet; done is ready when the file is whole, and until then its name stands for the old one */
    data = measure_remote(N);
    must(fever_save(data, path, FEVER_SAVE(.verify = FEVER_VERIFY_READ_BACK), &done));
    must(fever_get(done, &saved));
    printf("%llu bytes saved, and the same when read back\n", (unsigned long long)saved.bytes);

    /* load: parts of the file, each an object, and each at once the argument of a task */
    for (long i = 0; i < N_PARTS; i++) {
        size_t bytes = N / N_PARTS * sizeof(double);
        must(fever_load(path, FEVER_LOAD(.offset = (uint64_t)i * bytes, .bytes = bytes), &parts[i]));
        sums[i] = sum_remote(parts[i]);
    }
    must(fever_get_many(sums, N_PARTS, part, FEVER_FOREVER));
    for (long i = 0; i < N_PARTS; i++) {
        total += part[i];
        fever_release(parts[i]);
        fever_release(sums[i]);
    }
    printf("their sum, from %ld parts: %.0f\n", N_PARTS, total);

    /* the whole file must have the checksum that it was saved with */
    fever_ref whole;
    must(fever_load(path, FEVER_LOAD(.verify = FEVER_VERIFY_CHECKSUM, .checksum = saved.checksum), &whole));
    printf("verified: %s\n", fever_strerrorname(fever_wait_one(whole, FEVER_FOREVER)));

    /* an error is that of the file, and says which */
    must(fever_load("no/such/file", NULL, &missing));
    printf("a file that is not there: %s\n", fever_strerrorname(fever_get(missing, &total)));
    must(fever_error(missing, &error));

    fever_release(whole);
    fever_release(missing);
    fever_release(done);
    fever_release(data);
    must(fever_shutdown());
    unlink(path);
    return 0;
}
