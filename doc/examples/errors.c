/* errors.c: the ways in which a task can fail, and what its ref then says. */
#include <fever.h>

#include <stdlib.h>
#include <unistd.h>

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "errors: %s\n", fever_strerror(rc));
        exit(1);
    }
}

FEVER_TASK(double, invert, (double, x))
{
    if (x == 0)
        fever_fail(33, "%g has no inverse", x);     /* the value returned no longer matters */
    return x == 0 ? 0 : 1 / x;
}

static int *volatile nowhere = (int *)64;

__attribute__((noinline)) static void scribble(int what)
{
    *nowhere = what;
    nowhere++;
}

/* writes where nothing is, in the first so many attempts */
FEVER_TASK(int, wild, (unsigned, bad_attempts))
{
    if (fever_context()->attempt <= bad_attempts)
        scribble(1);
    return (int)fever_context()->attempt;
}

FEVER_TASK(int, leave, (int, status)) { _exit(status); }

FEVER_TASK(int, forever, (int, x))
{
    for (;;)
        x = *(volatile int *)&x + 1;
    return x;
}

FEVER_TASK(double, half, (fever_ref, of))
{
    const double *x;
    size_t        bytes;
    return fever_view(of, &x, &bytes) < 0 ? 0 : *x / 2;
}

/* says how a ref ended: what, where it was submitted, where it was, its attempts, what failed because of it; and lets go of it */
static void tell(const char *what, fever_ref ref)
{
    struct fever_error error;

    (void)fever_wait_one(ref, FEVER_FOREVER); /* how it ended is what we are about to tell */
    must(fever_error(ref, &error));
    printf("\n%s: %s\n", what, error.code == 0 ? "no error" : fever_strerrorname(error.code));
    if (error.code != 0)
        fever_error_print(stdout, &error);
    must(fever_release(ref));
}

int main(void)
{
    int value;

    must(fever_init(NULL));

    tell("all is well", invert_remote(4));
    tell("the task says that it failed", invert_remote(0));
    tell("it crashes in every attempt (three retries)", wild_remote(1000));
    tell("it crashes, and is not to be tried again", wild_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 1000));
    tell("it ends its worker", leave_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 3));
    tell("it does not end within 50 ms", forever_with(FEVER_WITH(.timeout_s = 0.05), 1));

    /* a failure reaches everything that depends on it */
    fever_ref failed = invert_remote(0);
    fever_ref half = half_remote(failed), quarter = half_remote(half);
    tell("a task that it depends on failed", half);
    tell("and so on outwards", quarter);
    must(fever_release(failed));

    /* a crash that a retry cures is not an error */
    must(fever_take(wild_remote(2), &value));
    printf("\ncrashed twice, good in attempt %d\n", value);

    /* a mistake of the caller is an error of the call, and changes nothing */
    double    wrong;
    fever_ref ref = wild_remote(0);
    int       rc = fever_get(ref, &wrong);
    printf("\nasking an int task for a double: %s: %s\n", fever_strerrorname(rc), fever_strerror(rc));
    must(fever_release(ref));
    rc = fever_get(ref, &value);
    printf("asking a ref that was released: %s: %s\n", fever_strerrorname(rc), fever_strerror(rc));
    must(fever_shutdown());
    return 0;
}
