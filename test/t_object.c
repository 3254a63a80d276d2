/* t_object.c: put, create, seal, abort, views, nested refs, a full store.
 *
 * Run by:          make check.
 */
#include "rt.h"

struct page {
    atomic_int n[16];
    uint64_t   address;
};
static struct page *page;

FEVER_TASK(long, sum_of, (fever_ref, r))
{
    const unsigned char *v;
    size_t bytes;
    long sum = 0;
    if (fever_view(r, &v, &bytes) != 0)
        fever_fail(1, "no view");
    else
        for (size_t i = 0; i < bytes; i++)
            sum += v[i];
    return sum;
}
FEVER_TASK(int, writes_to, (fever_ref, r), (size_t, at))
{
    const char *v;
    if (fever_view(r, &v, NULL) == 0) {
        page->address = (uint64_t)(uintptr_t)(v + at);
        *(volatile char *)(uintptr_t)(v + at) = 1;
    }
    return 0;
}
FEVER_TASK(int, started, (fever_ref, r)) { int v = 0; atomic_store(&page->n[0], 1); fever_get(r, &v); return v; }
struct nested { int k; fever_ref inner[3]; };
FEVER_TASK(int, sum_nested, (fever_ref, r))
{
    const struct nested *n;
    int sum = 0;
    if (fever_view(r, &n, NULL) != 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        int v = -100000, rc = fever_get(n->inner[i], &v);
        sum += rc == 0 ? v : rc;
    }
    return sum + n->k;
}
struct holder { fever_ref r; };
FEVER_TASK(int, seal_elsewhere, (struct holder, h)) { return fever_seal(h.r); }
FEVER_TASK(fever_ref, creates, (size_t, bytes), (int, value))
{
    char *data;
    fever_ref r = FEVER_NULL_REF;
    if (fever_create(bytes, &data, &r) == 0) {
        memset(data, value, bytes);
        fever_seal(r);
    }
    return r;
}
FEVER_TASK(int, creates_and_dies, (size_t, bytes))
{
    char *data;
    fever_ref r;
    if (fever_context()->attempt == 1 && fever_create(bytes, &data, &r) == 0)
        raise(SIGKILL);
    return 5;
}
FEVER_TASK(int, touches, (fever_ref, r), (int, i)) { (void)r; atomic_fetch_add(&page->n[i], 1); return 0; }
typedef struct { char c[300000]; } s300k;
FEVER_TASK(s300k, big_result) { static s300k x; return x; }
FEVER_TASK(int, big_argument, (s300k, x)) { return x.c[0]; }

static int take(fever_ref r)
{
    int v = -1, rc = fever_take_raw(r, &v, sizeof v, 7, RT_LONG);
    return rc < 0 ? rc : v;
}
static long take_long(fever_ref r)
{
    long v = -1, rc = fever_take_raw(r, &v, sizeof v, 9, RT_LONG);
    return rc < 0 ? rc : v;
}

static unsigned char *pattern(size_t bytes, long *sum)
{
    unsigned char *p = malloc(bytes + 1);
    *sum = 0;
    for (size_t i = 0; i < bytes; i++)
        *sum += p[i] = (unsigned char)(i * 31 + i / 4096 + 5);
    return p;
}

static void test_put(void)
{
    static const size_t sizes[] = {0, 1, 2, 8, 15, 16, 17, 24, 63, 64, 65, 100, 4096, 16256, 32256, 32257, 65535, 65536, 65537, 1 << 20, 10 << 20};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t n = sizes[k], bytes = 99;
        long sum;
        unsigned char *p = pattern(n, &sum), *back = calloc(1, n + 1);
        const unsigned char *v = NULL;
        fever_ref r;
        TAP_IS(fever_put(p, n, &r), 0, "put of %zu bytes", n);
        TAP_IS(fever_view(r, &v, &bytes), 0, "view");
        TAP_OK(bytes == n && v != NULL && memcmp(v, p, n) == 0, "the same bytes");
        if (n > 16)
            TAP_OK((uintptr_t)v % 64 == 0, "64-byte aligned");
        TAP_IS(fever_get_raw(r, back, n, 0, 0), 0, "get");
        TAP_OK(memcmp(back, p, n) == 0 && back[n] == 0, "the same bytes");
        TAP_IS(fever_get_raw(r, back, n + 1, 0, 0), -FEVER_ETYPE, "get of another size");
        TAP_IS(take_long(sum_of_remote(r)), sum, "a task reads it in place");
        TAP_IS(fever_release(r), 0, "release");
        free(p);
        free(back);
    }
    long l = 3;
    double d = 0;
    fever_ref r;
    fever_put(&l, sizeof l, &r);
    TAP_IS(fever_seal(r), -FEVER_ESTATE, "a put is sealed already");
    TAP_IS(fever_abort(r), -FEVER_ESTATE, "and cannot be aborted");
    TAP_IS(fever_get(r, &d), 0, "bytes have no type");
    fever_release(r);
}

static void test_create(void)
{
    char *data = NULL;
    const char *v;
    size_t bytes;
    int value = 0;
    fever_ref r, q;
    TAP_IS(fever_create(1000, &data, &r), 0, "create");
    TAP_OK((uintptr_t)data % 64 == 0, "aligned");
    memset(data, 7, 1000);
    TAP_IS(fever_view_raw(r, (const void **)&v, &bytes, 0), -FEVER_ETIMEDOUT, "no view before it is sealed");
    q = sum_of_remote(r);
    TAP_IS(fever_wait_one(q, 0.01), -FEVER_ETIMEDOUT, "a task waits for it");
    TAP_IS(fever_seal(r), 0, "seal");
    TAP_IS(take_long(q), 7000, "the task runs");
    TAP_IS(fever_seal(r), -FEVER_ESTATE, "seal twice");
    TAP_IS(fever_abort(r), -FEVER_ESTATE, "abort after seal");
    TAP_IS(fever_view(r, &v, &bytes), 0, "view");
    TAP_OK(bytes == 1000 && v[999] == 7, "its bytes");
    TAP_OK(v != data, "not the writable alias");
    TAP_IS(fever_release(r), 0, "release");
    TAP_IS(fever_view(r, &v, &bytes), -FEVER_ESTALE, "view after release");
    TAP_IS(fever_seal(r), -FEVER_ESTALE, "seal after release");

    TAP_IS(fever_create(1 << 20, &data, &r), 0, "create a large one");
    q = started_remote(r);
    TAP_IS(fever_abort(r), 0, "abort");
    TAP_IS(fever_wait_one(r, 0), -FEVER_EABORTED, "it failed");
    TAP_IS(fever_get_for(q, &value, RT_LONG), -FEVER_EABORTED, "its dependent, too");
    TAP_IS(atomic_load(&page->n[0]), 0, "which did not run");
    TAP_IS(fever_abort(r), -FEVER_ESTATE, "abort twice");
    TAP_IS(fever_seal(r), -FEVER_ESTATE, "seal after abort");
    fever_release(r);
    fever_release(q);
    TAP_IS(fever_create(0, &data, &r), 0, "create 0 bytes");
    TAP_IS(fever_seal(r), 0, "seal");
    TAP_IS(fever_view(r, &v, &bytes), 0, "view");
    TAP_IS(bytes, 0, "0 bytes");
    fever_release(r);
    TAP_IS(fever_create(100, &data, &r), 0, "create");
    TAP_IS(take(seal_elsewhere_remote((struct holder){r})), -FEVER_ECONTEXT, "only its creator seals it");
    TAP_IS(fever_seal(r), 0, "seal");
    fever_release(r);
    TAP_IS(fever_create(200000, &data, &r), 0, "create");
    TAP_IS(fever_release(r), 0, "and release unsealed");
    TAP_IS(fever_seal(r), -FEVER_ESTALE, "it is gone");
    q = creates_remote(5000, 3);
    TAP_IS(fever_get_for(q, &r, RT_LONG), 0, "created in a task");
    TAP_IS(fever_view(r, &v, &bytes), 0, "view");
    TAP_OK(bytes == 5000 && v[4999] == 3, "its bytes");
    fever_release(q);
    TAP_IS(take(creates_and_dies_remote(1 << 20)), 5, "a task dies with an unsealed object");
    q = creates_remote(0, 0); /* a task is not an object */
    TAP_IS(fever_seal(q), -FEVER_ESTATE, "seal of a task");
    fever_wait_one(q, RT_LONG);
    fever_release(q);
}

static void test_views(void)
{
    static char bytes[100000];
    static const size_t at[] = {0, 50000, 99999};
    fever_ref r, q;
    fever_put(bytes, sizeof bytes, &r);
    for (int i = 0; i < 3; i++) {
        q = writes_to_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), r, at[i]);
        int v;
        TAP_IS(fever_get_for(q, &v, RT_LONG), -FEVER_ECRASHED, "a write through a view, at %zu", at[i]);
        struct fever_error e = rt_error(q);
        TAP_IS(e.signal, SIGSEGV, "is a SIGSEGV");
        TAP_OK(e.fault_address == page->address, "at that address");
        fever_release(q);
    }
    TAP_IS(take_long(sum_of_remote(r)), 0, "nothing was written");
    fever_release(r);
}

static void test_nested(void)
{
    int a = 1, b = 20, v;
    static char big[50000];
    struct nested n = {.k = 4000};
    fever_ref outer, outer2;
    fever_put(&a, sizeof a, &n.inner[0]);
    fever_put(&b, sizeof b, &n.inner[1]);
    fever_promise(&n.inner[2]);
    TAP_IS(fever_put_with(&n, sizeof n, n.inner, 3, &outer), 0, "put_with");
    v = 300;
    fever_promise_set(n.inner[2], &v, sizeof v);
    for (int i = 0; i < 3; i++)
        TAP_IS(fever_release(n.inner[i]), 0, "release an inner one");
    TAP_IS(take(sum_nested_remote(outer)), 4321, "they live on in the outer");
    TAP_IS(fever_get(n.inner[0], &v), 0, "also for us");
    TAP_IS(fever_put_with(&outer, sizeof outer, &outer, 1, &outer2), 0, "an outer one in another");
    TAP_IS(fever_release(outer), 0, "release it");
    TAP_IS(take(sum_nested_remote(outer)), 4321, "it lives on");
    TAP_IS(fever_release(outer2), 0, "release that");
    TAP_IS(fever_get(outer, &v), -FEVER_ESTALE, "all are gone");
    TAP_IS(fever_get(n.inner[0], &v), -FEVER_ESTALE, "the first");
    TAP_IS(fever_get(n.inner[1], &v), -FEVER_ESTALE, "the second");
    TAP_IS(fever_get(n.inner[2], &v), -FEVER_ESTALE, "the third");
    fever_put(&a, sizeof a, &n.inner[0]);
    fever_ref twice[2] = {n.inner[0], n.inner[0]};
    TAP_IS(fever_put_with(big, sizeof big, twice, 2, &outer), 0, "the same ref twice in a large one");
    fever_release(n.inner[0]);
    TAP_IS(fever_get(n.inner[0], &v), 0, "lives");
    fever_release(outer);
    TAP_IS(fever_get(n.inner[0], &v), -FEVER_ESTALE, "and goes");
    fever_ref bad[2] = {FEVER_NULL_REF, n.inner[0]};
    TAP_IS(fever_put_with(&a, sizeof a, bad, 1, &outer), -FEVER_ENULL, "a null ref");
    TAP_IS(fever_put_with(&a, sizeof a, bad + 1, 1, &outer), -FEVER_ESTALE, "a stale ref");
    /* a long chain of nesting, released at its end */
    fever_ref at;
    fever_put(&a, sizeof a, &at);
    fever_ref first = at;
    int rc = 0;
    for (int i = 0; i < 60000; i++) {
        fever_ref up;
        rc |= fever_put_with(&at, sizeof at, &at, 1, &up);
        rc |= fever_release(at);
        at = up;
    }
    TAP_IS(rc, 0, "60,000 nested in each other");
    TAP_IS(fever_get(first, &v), 0, "the innermost lives");
    TAP_IS(fever_release(at), 0, "release the outermost");
    TAP_IS(fever_get(first, &v), -FEVER_ESTALE, "the innermost is gone");
}

static void test_full(size_t store, size_t size)
{
    enum { MAX = 4000 };
    static fever_ref r[MAX];
    static char big[1 << 20];
    fever_ref q;
    char *data;
    int n[3] = {0}, rc = 0, v;
    TAP_IS(fever_put(big, store + 1, &q), -FEVER_ETOOBIG, "larger than the store");
    TAP_IS(fever_create(store + 1, &data, &q), -FEVER_ETOOBIG, "create, too");
    TAP_IS(fever_create(SIZE_MAX, &data, &q), -FEVER_ETOOBIG, "SIZE_MAX");
    TAP_IS(fever_create(SIZE_MAX - 64, &data, &q), -FEVER_ETOOBIG, "nearly");
    for (int round = 0; round < 3; round++) {
        int k = 0;
        while (k < MAX && (rc = fever_put(big, size, &r[k])) == 0)
            k++;
        n[round] = k;
        TAP_IS(rc, -FEVER_ESTOREFULL, "objects of %zu bytes until the store of %zu is full: %d", size, store, k);
        TAP_IS(fever_create(size, &data, &q), -FEVER_ESTOREFULL, "create, too");
        if (round == 0 && size > 32256) {
            TAP_IS(fever_wait_one(big_argument_remote(*(s300k *)(void *)big), RT_LONG), -FEVER_ESTOREFULL, "a task with large arguments");
            q = big_result_remote();
            TAP_IS(fever_wait_one(q, RT_LONG), -FEVER_ESTOREFULL, "a task with a large result");
            fever_release(q);
        }
        v = 3;
        TAP_IS(fever_put(&v, sizeof v, &q), 0, "a small one needs no room");
        fever_release(q);
        for (int i = 0; i < k; i++)
            rc = fever_release(r[i]);
        TAP_IS(rc, 0, "release all");
    }
    TAP_OK((size_t)n[0] * size >= store / 2, "at least half of it was used");
    TAP_OK(n[1] >= n[0] - 1 && n[2] >= n[0] - 1, "as much after each release: %d %d %d", n[0], n[1], n[2]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
}

/* Sizes at which another way of copying is taken, from odd addresses. */
static void large_puts(void)
{
    static const size_t size[] = {(1 << 20) - 1, (1 << 20) + 1, (16 << 20) - 1, 16 << 20, (16 << 20) + 77};
    unsigned char      *from = malloc((16 << 20) + 128);

    for (size_t i = 0; i < (16 << 20) + 128; i++)
        from[i] = (unsigned char)(i * 2654435761u >> 13);
    rt_init(.workers = 1, .store_bytes = 64 << 20);
    for (size_t k = 0; k < sizeof size / sizeof size[0]; k++) {
        const void *at = NULL;
        size_t      bytes = 0;
        fever_ref   r = FEVER_NULL_REF;
        int         rc = fever_put(from + k, size[k], &r);

        if (rc == 0)
            rc = fever_view_raw(r, &at, &bytes, 0);
        TAP_OK(rc == 0 && bytes == size[k] && memcmp(at, from + k, bytes) == 0, "%zu bytes are put and right", size[k]);
        fever_release(r);
    }
    rt_shutdown();
    free(from);
}

int main(void)
{
    static char big[600000];
    rt_begin(100);
    setenv("FEVER_SPILL_DIRS", "none", 1); /* what is full is to be full: t_spill.c has the rest */
    page = rt_shared(sizeof *page);
    rt_init(.workers = 2, .store_bytes = 64 << 20);
    test_put();
    test_create();
    test_views();
    test_nested();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    TAP_IS(rt_stats().store_bytes, 64 << 20, "store_bytes");
    rt_shutdown();

    large_puts();
    rt_init(.workers = 1, .store_bytes = 1 << 20);
    test_full(1 << 20, 200000);
    test_full(1 << 20, 1000);
    test_full(1 << 20, 65536);
    test_full(1 << 20, 20000);
    rt_shutdown();

    /* what only finished tasks hold makes room when it is needed */
    rt_init(.workers = 1, .store_bytes = 1 << 20);
    int rc = 0;
    for (int i = 0; i < 50 && rc == 0; i++) {
        fever_ref r;
        rc = fever_put(big, sizeof big, &r);
        if (rc != 0)
            break;
        fever_ref q = touches_remote(r, 5);
        fever_release(r);
        fever_release(q);
        rt_until(&page->n[5], i + 1);
        for (double end = rt_now() + RT_LONG; rt_stats().tasks_done < (uint64_t)i + 1 && rt_now() < end;)
            ;
    }
    TAP_IS(rc, 0, "arguments of finished tasks do not fill the store");
    rt_shutdown();
    return tap_done();
}
