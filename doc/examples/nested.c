/* nested.c: tasks that submit tasks, and tasks that wait for the results of others. */
#include <fever.h>

#include <stdlib.h>

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "nested: %s\n", fever_strerror(rc));
        exit(1);
    }
}

/* FEVER_REENTRANT: the task that awaits fib may run it in place, as if it were a plain call.  A FEVER_TASK
 * would do as well; then a waiting task lends its CPU to a spare worker. */
FEVER_REENTRANT(long, fib, (int, n))
{
    long a, b;
    if (n < 2)
        return n;
    fever_ref left = fib_remote(n - 1);
    b = fib_local(n - 2);               /* a plain call: the other half needs no task */
    int rc = fever_take(left, &a);
    if (rc < 0)
        return fever_fail(-rc, "fib(%d): %s", n - 1, fever_strerror(rc)), 0;
    return a + b;
}

/* An argument of type fever_ref is a dependency: the body starts when both are there.  A failure of either
 * is a failure of this task, and the body does not run. */
FEVER_TASK(long, add, (fever_ref, a), (fever_ref, b))
{
    const long *x, *y;
    size_t      bytes;
    if (fever_view(a, &x, &bytes) < 0 || fever_view(b, &y, &bytes) < 0)
        return fever_fail(1, "no view of an argument"), 0;
    return *x + *y;
}

FEVER_TASK(long, square, (long, x)) { return x * x; }

int main(void)
{
    enum { N = 16 };
    fever_ref refs[2 * N - 1];          /* a tree: N squares, and the sums of pairs */
    long      value;

    must(fever_init(NULL));

    must(fever_take(fib_remote(20), &value));
    printf("fib(20) = %ld\n", value);

    /* nothing waits here: the whole tree is submitted at once */
    for (int i = 0; i < N; i++)
        refs[i] = square_remote(i + 1);
    for (int i = N; i < 2 * N - 1; i++)
        refs[i] = add_remote(refs[2 * (i - N)], refs[2 * (i - N) + 1]);
    must(fever_get(refs[2 * N - 2], &value));
    printf("1 + 4 + 9 + ... + %d = %ld\n", N * N, value);
    for (int i = 0; i < 2 * N - 1; i++)
        must(fever_release(refs[i]));

    /* a result that no task computes */
    fever_ref promise, sum;
    must(fever_promise(&promise));
    sum = add_remote(promise, promise);
    must(fever_promise_set(promise, &(long){21}, sizeof(long)));
    must(fever_take(sum, &value));
    printf("promised 21, twice: %ld\n", value);
    must(fever_release(promise));
    must(fever_shutdown());
    return 0;
}
