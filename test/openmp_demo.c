/* openmp_demo.c: tasks that open a parallel region: prints how many threads each got.
 *
 * Run by:          test/t_openmp.
 */
#include <fever.h>
#include <omp.h>
#include <stdio.h>

FEVER_TASK(int, threads, (int, x))
{
    int n = 0;
#pragma omp parallel reduction(+ : n)
    n++;
    return n + x;
}

static int run(const struct fever_task_options *o)
{
    int v = -1, rc = fever_take(threads_with(o, 0), &v);
    return rc < 0 ? rc : v;
}

int main(void)
{
    if (fever_init(FEVER_OPTIONS(.workers = 2, .quiet = 1)) != 0)
        return 1;
    printf("plain %d\n", run(NULL));
    printf("two %d\n", run(FEVER_WITH(.num_cpus = 2)));
    printf("one %d\n", run(FEVER_WITH(.num_cpus = 1)));
    printf("again %d\n", run(FEVER_WITH(.num_cpus = 2)));
    for (int i = 0; i < 4; i++)
        printf("after %d\n", run(NULL));
    return fever_shutdown() == 0 ? 0 : 1;
}
