/* parts.c: several results of one task, and results whose size only the task knows. */
#include <fever.h>

#include <stdlib.h>

struct stats {
    double mean, variance;
    long   count;
};

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "parts: %s\n", fever_strerror(rc));
        exit(1);
    }
}

/* The primes below n: as many as there are, written where the result will lie. */
FEVER_TASK_BYTES(primes, (int, n))
{
    char *composite = calloc((size_t)n + 1, 1);
    int  *out = fever_result((size_t)n * sizeof *out), k = 0;   /* more than will be needed */
    if (out != NULL && composite != NULL) {
        for (long i = 2; i < n; i++) {
            if (composite[i])
                continue;
            out[k++] = (int)i;
            for (long j = i * i; j < n; j += i)
                composite[j] = 1;
        }
        fever_result((size_t)k * sizeof *out);                  /* give back the rest */
    }
    free(composite);
}

FEVER_TASK(struct stats, summarise, (fever_ref, numbers))
{
    struct stats s = {0};
    const int   *x;
    size_t       bytes;
    if (fever_view(numbers, &x, &bytes) < 0)
        return s;
    s.count = (long)(bytes / sizeof *x);
    for (long i = 0; i < s.count; i++)
        s.mean += (double)x[i] / (double)s.count;
    for (long i = 0; i < s.count; i++)
        s.variance += (x[i] - s.mean) * (x[i] - s.mean) / (double)s.count;
    return s;
}

FEVER_TASK(double, half_of, (double, x)) { return x / 2; }
FEVER_TASK(double, half, (fever_ref, x))
{
    double v = 0;
    fever_get(x, &v);
    return half_of_local(v);
}

int main(void)
{
    must(fever_init(NULL));
    fever_ref list = primes_remote(1000000), all = summarise_remote(list);
    /* refs to parts of a result that does not exist yet: each is a ref like any other */
    fever_ref mean = FEVER_PART(all, struct stats, mean), count = FEVER_PART(all, struct stats, count), h = half_remote(mean);
    double m, x;
    long   n;
    must(fever_take(count, &n));
    must(fever_take(mean, &m));
    must(fever_take(h, &x));
    printf("%ld primes below a million, %.1f on average; half of that is %.1f\n", n, m, x);

    /* num_returns = 8: equal parts */
    static const double squares[8] = {0, 1, 4, 9, 16, 25, 36, 49};
    fever_ref           object, part[8];
    must(fever_put(squares, sizeof squares, &object));
    must(fever_parts(object, 8, part));
    must(fever_release(object));
    for (int i = 0; i < 8; i++) {
        must(fever_take(part[i], &x));
        printf("%g%s", x, i < 7 ? " " : "\n");
    }
    must(fever_release(list));
    must(fever_release(all));
    return fever_shutdown() < 0;
}
