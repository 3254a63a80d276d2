/* resources.c: tasks that ask for more or less than a CPU, and for something that there is little of.
 *
 * Three licences of a solver, say, for eight tasks: at most three run at once, whoever has the CPUs.
 */
#include <fever.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

FEVER_TASK(int, solve, (int, i)) {
    volatile double x = 1;
    for (int k = 0; k < 1000000; k++)
        x = x * 0.999999 + i;
    return i;
}

FEVER_TASK(int, how_many_cpus) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}

FEVER_TASK(int, threads_for_openmp) {
    const char *n = getenv("OMP_NUM_THREADS");
    return n != NULL ? atoi(n) : 0;
}

int main(void) {
    int rc = fever_init(FEVER_OPTIONS(.workers = 2, .resources = "licence=3"));
    if (rc < 0) {
        fprintf(stderr, "fever_init: %s\n", fever_strerror(rc));
        return 1;
    }
    struct fever_resource one = {"licence", 1};
    fever_ref             r[8];
    int                   v = 0, sum = 0;
    for (int i = 0; i < 8; i++) /* a quarter of a CPU each, and a licence; later ones are more urgent */
        r[i] = solve_with(FEVER_WITH(.num_cpus = 0.25, .resources = &one, .n_resources = 1, .priority = i), i);
    for (int i = 0; i < 8; i++)
        if (fever_take(r[i], &v) == 0)
            sum += v;
    printf("eight tasks with three licences: %d\n", sum);

    if (fever_take(how_many_cpus_with(FEVER_WITH(.num_cpus = 2)), &v) == 0)
        printf("a task of two CPUs may run on %d\n", v);
    if (fever_take(threads_for_openmp_with(FEVER_WITH(.num_cpus = 2)), &v) == 0)
        printf("OpenMP makes %d threads in it\n", v);

    rc = fever_take(how_many_cpus_with(FEVER_WITH(.num_cpus = 64)), &v);
    printf("a task of 64 CPUs: %s\n", fever_strerror(rc));
    return fever_shutdown() < 0;
}
