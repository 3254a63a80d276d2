/* options.c: options of one task: a name, retries with back-off, a memory limit, an environment, a fresh process for each call. */
#include <fever.h>
#include <stdlib.h>
#include <unistd.h>

/* like a server that is not up yet: the first two attempts fail */
FEVER_TASK(int, fetch, (int, what))
{
    if (fever_context()->attempt < 3)
        fever_fail(503, "attempt %u: the server is not there", fever_context()->attempt);
    return what * 2;
}

/* how many pieces of 1 MiB it may have */
FEVER_TASK(int, hungry)
{
    int n = 0;
    while (n < 1000 && malloc(1 << 20) != NULL)
        n++;
    return n;
}

FEVER_TASK(int, threads_it_would_use)
{
    const char *n = getenv("OMP_NUM_THREADS");
    return n == NULL ? -1 : atoi(n);
}

FEVER_TASK(int, process)
{
    return (int)getpid();
}

static int value(const char *what, fever_ref ref)
{
    int                v = 0, rc = fever_take(ref, &v);
    struct fever_error e;

    printf("%-44s ", what);
    if (rc == 0) {
        printf("%d\n", v);
    } else {
        fever_error(ref, &e);
        fever_error_print(stdout, &e);
        fever_release(ref);
    }
    return v;
}

int main(void)
{
    static const int         come_again[] = {503, 429};
    static const char *const env[] = {"OMP_NUM_THREADS=3", NULL};
    int                      rc = fever_init(NULL);

    if (rc < 0)
        return fprintf(stderr, "options: %s\n", fever_strerror(rc)), 1;
    value("repeated after code 503, with back-off:",
          fetch_with(FEVER_WITH(.retry_codes = come_again, .n_retry_codes = 2, .retry_delay_s = 0.01), 21));
    value("not repeated without being asked:", fetch_with(FEVER_WITH(.name = "fetch 21 for the report"), 21));
    value("at most 50 MiB of memory of its own, in MiB:", hungry_with(FEVER_WITH(.memory_bytes = 50 << 20, .max_calls = 1)));
    value("an environment variable:", threads_it_would_use_with(FEVER_WITH(.env = env)));
    int a = value("a process for each call: one", process_with(FEVER_WITH(.max_calls = 1)));
    int b = value("and another", process_with(FEVER_WITH(.max_calls = 1)));
    printf("they differ: %s\n", a != b ? "yes" : "no");
    return fever_shutdown() < 0;
}
