/* prints.c: what tasks print arrives in the program's own standard output, line by line, whoever dies.
 *
 * Each line tells the worker and its process; FEVER_LOG=plain leaves that out. */
#include <fever.h>

#include <signal.h>
#include <stdio.h>

FEVER_TASK(int, step, (int, i))
{
    printf("step %d begins\n", i);
    if (i == 2 && fever_context()->attempt == 1) {
        printf("step %d is about to be killed", i); /* no newline: nobody would flush it */
        fflush(stdout);
        raise(SIGKILL);
    }
    printf("step %d ends in attempt %u\n", i, fever_context()->attempt);
    return i;
}

int main(void)
{
    fever_ref refs[4];
    int       got[4], rc = fever_init(NULL);

    if (rc < 0)
        return fprintf(stderr, "prints: %s\n", fever_strerror(rc)), 1;
    for (int i = 0; i < 4; i++)
        refs[i] = step_remote(i);
    rc = fever_get_many(refs, 4, got, FEVER_FOREVER);
    if (rc < 0)
        return fprintf(stderr, "prints: %s\n", fever_strerror(rc)), 1;
    rc = fever_shutdown(); /* after it all lines are there */
    printf("that was all\n");
    return rc < 0;
}
