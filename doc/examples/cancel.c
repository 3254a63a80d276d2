/* cancel.c: several ways to the same answer; when one has it the others are cancelled. */
#include <fever.h>

#include <stdlib.h>
#include <time.h>

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "cancel: %s\n", fever_strerror(rc));
        exit(1);
    }
}

/* looks for a divisor of n, from start on, in steps; asks now and then whether it is still wanted */
FEVER_TASK(long, divisor, (long, n), (long, start), (long, step))
{
    for (long d = start; d * d <= n; d += step) {
        if (n % d == 0)
            return d;
        if ((d - start) % (4096 * step) == 0 && fever_cancelled())
            return 0;       /* what it returns no longer matters */
    }
    return 0;
}

/* asks nobody: only force ends it */
FEVER_TASK(long, deaf, (long, n))
{
    for (;;)
        n = *(volatile long *)&n + 1;
    return n;
}

FEVER_TASK(long, half, (fever_ref, of))
{
    const long *x;
    size_t      bytes;
    return fever_view(of, &x, &bytes) < 0 ? 0 : *x / 2;
}

/* how a ref ended */
static void tell(const char *what, fever_ref ref)
{
    struct fever_error error;
    struct timespec    begin, end;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    (void)fever_wait_one(ref, FEVER_FOREVER); /* how it ended is what we are about to tell */
    clock_gettime(CLOCK_MONOTONIC, &end);
    must(fever_error(ref, &error));
    printf("%s: %s (%.1f ms later)\n", what, error.code == 0 ? "done" : error.text,
           (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) * 1e-6);
    must(fever_release(ref));
}

int main(void)
{
    long n = 1000003L * 1000000007L, d;

    must(fever_init(NULL));

    /* a race: small divisors first, or from the middle */
    fever_ref race[2] = {divisor_remote(n, 3, 2), divisor_remote(n, 1000001, 2)};
    bool      ready[2];
    must(fever_wait(race, 2, 1, FEVER_FOREVER, ready));
    int winner = ready[0] ? 0 : 1;
    must(fever_get(race[winner], &d));
    printf("%ld = %ld x %ld, found by task %d\n", n, d, n / d, winner);
    must(fever_cancel(race[1 - winner], 0));
    tell("the other one", race[1 - winner]);
    must(fever_release(race[winner]));

    /* what depends on a cancelled task fails, too; what it depends on goes on */
    fever_ref signal, a, b;
    long      hundred = 100;
    must(fever_promise(&signal));
    a = half_remote(signal);
    b = half_remote(a);
    must(fever_cancel(a, 0));
    tell("cancelled before it started", a);
    tell("depends on it", b);
    must(fever_promise_set(signal, &hundred, sizeof hundred));
    must(fever_release(signal));

    /* one that does not ask is killed, with its process; another takes its place */
    fever_ref stubborn = deaf_remote(1);
    struct timespec nap = {0, 20000000};
    nanosleep(&nap, NULL);
    must(fever_cancel(stubborn, FEVER_CANCEL_FORCE));
    tell("by force", stubborn);
    must(fever_shutdown());
    return 0;
}
