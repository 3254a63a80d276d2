/* groups.c: many small tasks without a ref for each: submit, look at the progress, wait, ask which failed.
 *
 * Tasks of a group have no refs, so they leave their results in an object. */
#include <fever.h>

#include <stdlib.h>
#include <time.h>

#define LIMIT 20000
#define STEPS 100000            /* enough for any start, so we believe */

static int must(int64_t rc)
{
    if (rc < 0) {
        fprintf(stderr, "groups: %s\n", fever_strerror((int)rc));
        exit(1);
    }
    return (int)rc;
}

/* how many steps of Collatz' rule lead from `start` to 1 */
FEVER_TASK_VOID(collatz, (uintptr_t, steps), (long, start))
{
    long n = start;
    int  step = 0;
    if (start % 5000 == 0)
        fever_fail(1, "%ld is a round number", start);      /* something to report */
    for (; n != 1 && step < STEPS; step++)
        n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    ((int *)steps)[start] = step;
}

int main(void)
{
    struct fever_group *group;
    fever_ref           object;
    int                *steps, n_failed, longest = 1;

    must(fever_init(NULL));
    must(fever_create((LIMIT + 1) * sizeof *steps, &steps, &object));
    must(fever_group_open(&group));
    for (long start = 1; start <= LIMIT; start++)
        must(collatz_group(group, (uintptr_t)steps, start));

    uint64_t submitted, ended;
    do {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        must(fever_group_progress(group, &submitted, &ended));
        fprintf(stderr, "\r%llu of %llu ", (unsigned long long)ended, (unsigned long long)submitted);
    } while (ended < submitted);
    fprintf(stderr, "\n");

    n_failed = must(fever_group_wait(group, FEVER_FOREVER));
    printf("%d of %d failed\n", n_failed, LIMIT);
    for (int i = 0; i < n_failed; i++) {
        struct fever_error error;
        uint64_t           index;
        must(fever_group_failure(group, (uint64_t)i, &index, &error));
        printf("  submission %llu: %s\n", (unsigned long long)index, error.text);
    }
    must(fever_group_close(group));

    must(fever_seal(object));
    for (int start = 1; start <= LIMIT; start++)
        longest = steps[start] > steps[longest] ? start : longest;
    printf("the longest way is from %d: %d steps\n", longest, steps[longest]);
    must(fever_release(object));
    must(fever_shutdown());
    return 0;
}
