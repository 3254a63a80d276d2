/* t_oomkill.c: a worker that the kernel ends for want of memory is told from one that somebody killed.
 *
 * Run by:          make check.  The count of such kills is read from this test instead of the kernel (see test/tests.mk).
 */
#include "rt.h"

struct page {
    _Atomic uint64_t kills;
    atomic_int       runs;
};
static struct page *page;

uint64_t __wrap_fv_limits_oom_kills(void);
uint64_t __wrap_fv_limits_oom_kills(void) { return atomic_load(&page->kills); }

/* As if the kernel did it, the first times; kills: how many processes it hit. */
FEVER_TASK(int, dies, (int, times), (int, kills))
{
    if (atomic_fetch_add(&page->runs, 1) >= times)
        return 7;
    atomic_fetch_add(&page->kills, (uint64_t)kills);
    raise(SIGKILL);
    return 0;
}

static int get(const struct fever_task_options *o, int times, int kills, struct fever_error *e)
{
    atomic_store(&page->runs, 0);
    fever_ref r = dies_with(o, times, kills);
    int       v = -1, rc = fever_get_for(r, &v, RT_LONG);
    if (rc < 0)
        *e = rt_error(r);
    fever_release(r);
    return rc < 0 ? rc : v;
}

int main(void)
{
    struct fever_error e;

    rt_begin(60);
    page = rt_shared(sizeof *page);
    atomic_store(&page->kills, 41); /* before us */
    rt_init(.workers = 1, .store_bytes = 16 << 20);
    TAP_IS(get(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 1, 0, &e), -FEVER_ECRASHED, "killed by somebody");
    TAP_IS(get(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 1, 1, &e), -FEVER_EMEMORY, "killed by the kernel");
    TAP_OK(e.signal == SIGKILL && strstr(e.text, "kernel") != NULL, "which the error says: %s", e.text);
    TAP_IS(get(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 1, 0, &e), -FEVER_ECRASHED, "the next one again by somebody");
    TAP_IS(get(FEVER_WITH(.max_retries = 2), 2, 1, &e), 7, "it is repeated as after any crash");
    TAP_IS(get(FEVER_WITH(.max_retries = 2), 3, 1, &e), -FEVER_EMEMORY, "so often");
    TAP_IS(e.attempt, 3, "three attempts");
    TAP_OK(e.n_attempts == 3 && e.attempts[0].code == FEVER_EMEMORY, "each with its cause");
    rt_shutdown();
    return tap_done();
}
