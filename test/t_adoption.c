/* t_adoption.c: what a worker that is gone has submitted goes on: its slots are the supervisor's, and what they need stays.
 *
 * Run by:          make check.
 */
#include "rt.h"

enum { TASKS = 6, HOLDS = 3000 }; /* more in all than a process can hold in its table */

struct page {
    atomic_int ran, wrong;
};
static struct page *page;

struct range {
    fever_ref first, last;
    long      from;
};

/* The refs in the struct are not awaited; what is awaited is in its options. */
FEVER_TASK(int, looks, (struct range, r))
{
    long x = -1, y = -1;
    if (fever_get_for(r.first, &x, 0) != 0 || fever_get_for(r.last, &y, 0) != 0 || x != r.from || y != r.from + HOLDS - 1)
        atomic_fetch_add(&page->wrong, 1);
    atomic_fetch_add(&page->ran, 1);
    return 0;
}

/* Tasks that wait for the gate; nobody else holds what they are about. */
struct gate {
    fever_ref ref; /* not awaited */
};
FEVER_TASK(int, submits, (struct gate, gate))
{
    static fever_ref object[TASKS * HOLDS], after[HOLDS + 1];
    int              rc = 0;
    for (long i = 0; i < TASKS * HOLDS && rc == 0; i++)
        rc = fever_put(&i, sizeof i, &object[i]);
    for (int t = 0; t < TASKS && rc == 0; t++) {
        struct range r = {object[t * HOLDS], object[t * HOLDS + HOLDS - 1], (long)t * HOLDS};
        memcpy(after, object + t * HOLDS, HOLDS * sizeof *after);
        after[HOLDS] = gate.ref; /* looked at first */
        fever_ref task = looks_with(FEVER_WITH(.after = after, .n_after = HOLDS + 1), r);
        rc = task.id >> 60 == FV_TAG_REF ? fever_release(task) : -1;
    }
    return rc;
}

static void test_many_arguments(void)
{
    fever_ref gate = FEVER_NULL_REF, parent;
    int       v = -1;
    long      one = 1;
    TAP_IS(fever_promise(&gate), 0, "a promise that all wait for");
    parent = submits_with(FEVER_WITH(.max_calls = 1), (struct gate){gate});
    TAP_IS(fever_take_raw(parent, &v, sizeof v, 7, 2 * RT_LONG), 0, "a task submits others, and its worker leaves");
    TAP_IS(v, 0, "all were submitted");
    for (double end = rt_now() + RT_LONG; fv_load_acquire_32(&fv_proc(1)->restarts) + fv_load_acquire_32(&fv_proc(2)->restarts) == 0 && rt_now() < end;)
        rt_nap();
    TAP_IS(atomic_load(&page->ran), 0, "another has its slot, and none has started");
    TAP_IS(fever_promise_set(gate, &one, sizeof one), 0, "the promise is set");
    fever_release(gate);
    TAP_OK(rt_until(&page->ran, TASKS), "all have run: %d", atomic_load(&page->ran));
    TAP_IS(atomic_load(&page->wrong), 0, "with their arguments");
}

/* ------------------------------------------------------------------------------------------------ successors */

struct pair {
    fever_ref object, gate; /* not awaited */
};
FEVER_TASK(int, gets_seven, (struct pair, p))
{
    long x = -1;
    if (fever_get_for(p.object, &x, 0) != 0 || x != 7)
        atomic_fetch_add(&page->wrong, 1);
    atomic_fetch_add(&page->ran, 1);
    return 0;
}
FEVER_TASK(int, submits_one, (struct pair, p))
{
    fever_ref task = gets_seven_with(FEVER_WITH(.after = (fever_ref[]){p.gate, p.object}, .n_after = 2), p);
    return task.id >> 60 == FV_TAG_REF ? fever_release(task) : -1;
}

/* Does the process in that slot have a record of its own? */
static bool has_record(uint32_t slot, fever_ref ref)
{
    for (uint32_t i = 0, n = fv_holds_used(slot); i < n; i++)
        if (fv_load_acquire_64(&fv_holds_of(slot)[i]) == ref.id)
            return true;
    return false;
}

/* What the supervisor holds for adopted tasks when it forks a worker is not the worker's. */
static void test_successor(void)
{
    fever_ref gate[2], object;
    long      seven = 7, one = 1;
    int       v = -1;

    atomic_store(&page->ran, 0);
    TAP_IS(fever_put(&seven, sizeof seven, &object), 0, "an object");
    for (int i = 0; i < 2; i++)
        TAP_IS(fever_promise(&gate[i]), 0, "a promise");
    uint32_t before = fv_load_acquire_32(&fv_proc(1)->restarts);
    TAP_IS(fever_take(submits_one_with(FEVER_WITH(.max_calls = 1), (struct pair){object, gate[0]}), &v), 0, "a task submits one that needs the object");
    for (double end = rt_now() + 2 * RT_LONG; fv_load_acquire_32(&fv_proc(1)->restarts) == before && rt_now() < end;)
        rt_nap();
    TAP_OK(has_record(FV_SUPERVISOR, object), "its worker leaves; the supervisor holds the object");
    TAP_IS(fever_take(submits_one_remote((struct pair){object, gate[1]}), &v), 0, "its successor submits another that needs it");
    TAP_OK(has_record(1, object), "and holds it for itself");
    TAP_IS(fever_promise_set(gate[0], &one, sizeof one), 0, "the first goes on");
    TAP_OK(rt_until(&page->ran, 1), "and ends");
    for (double end = rt_now() + 2 * RT_LONG; has_record(FV_SUPERVISOR, object) && rt_now() < end;)
        rt_nap();
    TAP_OK(!has_record(FV_SUPERVISOR, object), "the supervisor lets go");
    TAP_IS(fever_release(object), 0, "and the driver");
    TAP_IS(fever_promise_set(gate[1], &one, sizeof one), 0, "the second goes on");
    TAP_OK(rt_until(&page->ran, 2), "and ends");
    TAP_IS(atomic_load(&page->wrong), 0, "both had the object");
    fever_release(gate[0]);
    fever_release(gate[1]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
}

int main(void)
{
    rt_begin(120);
    page = rt_shared(sizeof *page);
    rt_init(.workers = 2);
    test_many_arguments();
    rt_shutdown();
    rt_init(.workers = 1);
    test_successor();
    rt_shutdown();
    return tap_done();
}
