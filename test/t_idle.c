/* t_idle.c: a worker that is about to sleep, and finds a task after all, does not keep the wake that is meant for another. */
#include <sched.h>

#include "test/rt.h"

struct shared {
    atomic_int begun, go;
};
static struct shared *shared;

FEVER_TASK(int, holds)
{
    int go = atomic_fetch_add(&shared->begun, 1) + 1;

    while (atomic_load(&shared->go) < go)
        sched_yield();
    return 1;
}

FEVER_TASK(int, quick)
{
    return 2;
}

int main(void)
{
    int late = 0;

    rt_begin(150);
    shared = rt_shared(sizeof *shared);
    rt_init(.workers = 2, .spin_us = 20);
    for (int round = 1; round <= 400 && late == 0; round++) {
        fever_ref a = holds_remote(), b;
        int value = 0;

        rt_until(&shared->begun, round);
        b = quick_remote();
        late += fever_get_for(b, &value, RT_LONG) != 0 || value != 2;
        atomic_store(&shared->go, round);
        fever_take(a, &value);
        fever_release(b);
        if (late != 0)
            tap_diag("round %d", round);
        for (int i = 0; i < round % 8; i++) { /* so that they are on their way to sleep, or asleep */
            struct timespec t = {0, 20000};

            nanosleep(&t, NULL);
        }
    }
    TAP_IS(late, 0, "a quick task beside one that takes long is run by the other worker, 400 times");
    rt_balanced(0);
    rt_shutdown();
    return tap_done();
}
