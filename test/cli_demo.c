/* cli_demo.c: a program for test/t_cli to look at: tasks that run, wait and have failed, objects of all kinds.
 *
 * Prints "ready PID", then waits until standard input ends.  With the word "attempts": tasks that crash; with "memory": objects in
 * all hands; with "actors": actors in several states; with "spilled": more of them than the store has room for.
 */
#include "fever.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(int rc, const char *what) {
    if (rc >= 0)
        return;
    fprintf(stderr, "cli_demo: %s: %s\n", what, fever_strerror(rc));
    exit(1);
}

/* runs until the promise is set */
FEVER_TASK(int, runner, (uint64_t, promise)) {
    fever_ref ref = {promise};
    while (fever_wait_one(ref, 0) == -FEVER_ETIMEDOUT)
        usleep(10000);
    return 1;
}
/* waits for the promise: blocked in a get, so that a spare stands in */
FEVER_TASK(int, blocked_getter, (uint64_t, promise)) {
    int v;
    return fever_get((fever_ref){promise}, &v) == 0 ? v : -1;
}
FEVER_TASK(int, depends, (fever_ref, on)) {
    int v;
    return fever_get(on, &v) == 0 ? v : -1;
}
FEVER_TASK(int, fails, (int, code)) { return fever_fail(code, "on purpose\tand with a tab"); }

static int *volatile nowhere = (int *)16;
static volatile int  pokes;

__attribute__((noinline)) static void poke(void) {
    *nowhere = 1;
    pokes++;
}
FEVER_TASK(unsigned, flaky, (unsigned, good)) {
    if (fever_context()->attempt < good)
        poke();
    return fever_context()->attempt;
}
FEVER_TASK(unsigned, after, (fever_ref, r)) {
    unsigned v = 0;
    fever_get(r, &v);
    return v;
}

static void until_input_ends(void) {
    char c;
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (read(0, &c, 1) > 0)
        ;
}

static int attempts(void) {
    fever_ref r[3];
    must(fever_init(FEVER_OPTIONS(.workers = 2, .store_bytes = 64 << 20, .name = "attempts", .quiet = 1)), "fever_init");
    r[0] = flaky_remote(4);
    must(fever_wait_one(r[0], FEVER_FOREVER), "a task that is good in its fourth attempt");
    r[1] = flaky_with(FEVER_WITH(.max_retries = 1), 100);
    r[2] = after_remote(r[1]);
    (void)fever_wait_one(r[2], FEVER_FOREVER);
    until_input_ends();
    for (int i = 0; i < 3; i++)
        must(fever_release(r[i]), "fever_release");
    must(fever_shutdown(), "fever_shutdown");
    return 0;
}

struct page { char bytes[1000]; };
FEVER_TASK(struct page, page_of, (int, value)) {
    struct page p;
    memset(&p, value, sizeof p);
    return p;
}
FEVER_TASK(int, reads, (fever_ref, grid), (fever_ref, promise), (struct page, page)) {
    int v;
    (void)grid;
    return fever_get(promise, &v) == 0 ? v + page.bytes[0] : -1;
}

static int memory(void) {
    static double grid[100][20];
    static char   data[300000];
    struct page   page = {{0}};
    fever_ref     promise, grid_ref, small, holder, large, result, pending;
    int           seven = 7, value = 0;
    must(fever_init(FEVER_OPTIONS(.workers = 1, .store_bytes = 16 << 20, .name = "memory", .quiet = 1)), "fever_init");
    must(fever_promise(&promise), "fever_promise");
    must(fever_object_put(FEVER_OBJECT(.name = "grid", .shape = FEVER_SHAPE(grid[0][0], 100, 20)), grid, sizeof grid, &grid_ref), "grid");
    must(fever_put(data, 8, &small), "small");
    must(fever_object_put(FEVER_OBJECT(.name = "holder", .refs = &grid_ref, .n_refs = 1), &grid_ref, sizeof grid_ref, &holder), "holder");
    must(fever_put(data, sizeof data, &large), "large");
    result = page_of_remote(3);
    must(fever_wait_one(result, FEVER_FOREVER), "page_of");
    pending = reads_remote(grid_ref, promise, page);
    until_input_ends();
    must(fever_promise_set(promise, &seven, sizeof seven), "fever_promise_set");
    must(fever_take(pending, &value), "reads");
    fever_ref all[] = {promise, grid_ref, small, holder, large, result};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        must(fever_release(all[i]), "fever_release");
    must(fever_shutdown(), "fever_shutdown");
    return value == 7 ? 0 : 1;
}

FEVER_TASK(int, looks, (fever_ref, grid), (uint64_t, promise)) { /* a number: it is not to wait for the promise before it starts */
    const double *at;
    size_t        bytes;
    int           v;
    return fever_view(grid, &at, &bytes) == 0 && fever_get((fever_ref){promise}, &v) == 0 ? v + (int)at[1] : -1;
}

/* Eleven objects of 700,000 bytes in a store of 4 MiB: the first is looked at by the program and by a task, which has begun; the second
 * was read back just now. */
static int spilled(void) {
    enum { N = 10, BYTES = 700000 };
    static char data[BYTES];
    double     *grid;
    fever_ref   promise, looked_at, part[N], pending;
    int         seven = 7, value = 0;
    must(fever_init(FEVER_OPTIONS(.workers = 1, .store_bytes = 4 << 20, .spill_at = 100, .name = "spilled", .quiet = 1)), "fever_init");
    must(fever_promise(&promise), "fever_promise");
    must(fever_object_create(FEVER_OBJECT(.name = "grid"), BYTES, &grid, &looked_at), "grid");
    grid[1] = 4;
    must(fever_seal(looked_at), "fever_seal");
    pending = looks_remote(looked_at, promise.id);
    for (int i = 0; i < N; i++) {
        data[9] = (char)i;
        must(fever_object_put(FEVER_OBJECT(.name = "part"), data, BYTES, &part[i]), "part");
    }
    must(fever_get_raw(part[0], data, BYTES, 0, FEVER_FOREVER), "part 0");
    until_input_ends();
    must(fever_promise_set(promise, &seven, sizeof seven), "fever_promise_set");
    must(fever_take(pending, &value), "looks");
    for (int i = 0; i < N; i++)
        must(fever_release(part[i]), "fever_release");
    must(fever_release(looked_at), "fever_release");
    must(fever_release(promise), "fever_release");
    must(fever_shutdown(), "fever_shutdown");
    return value == 11 && data[9] == 0 ? 0 : 1;
}

struct shelf {
    int n;
};
FEVER_ACTOR(struct shelf, shelf, (int, code)) { return code; }
FEVER_METHOD(shelf, int, put, (int, n)) { return self->n += n; }
FEVER_METHOD(shelf, int, put_ref, (fever_ref, n)) {
    int v = 0;
    fever_get_for(n, &v, 0);
    return self->n += v;
}

static int actors(void) {
    fever_ref promise, call[4];
    int       value = 0, one = 1;
    must(fever_init(FEVER_OPTIONS(.workers = 1, .store_bytes = 16 << 20, .name = "actors", .quiet = 1)), "fever_init");
    must(fever_promise(&promise), "fever_promise");
    shelf_actor a = shelf_new_with(FEVER_ACTOR_WITH(.registered = "books", .name_space = "library", .max_restarts = 2), 0), dead = shelf_new(7), b = shelf_new_with(FEVER_ACTOR_WITH(.detached = 1, .name = "plain"), 0);
    must(fever_take(shelf_put_remote(a, 1), &value), "put");
    must(fever_take(shelf_put_remote(b, 1), &value), "put");
    (void)fever_actor_wait(dead.any, FEVER_FOREVER);
    call[0] = shelf_put_ref_remote(a, promise);
    for (int i = 1; i < 4; i++)
        call[i] = shelf_put_remote(a, 1);
    while (fever_wait_one(call[3], 0.01) == -FEVER_ETIMEDOUT) {
        struct fever_actor_info i;
        must(fever_actor_info(a.any, &i), "fever_actor_info");
        if (i.pending == 3) /* the first one is taken, and waits for its argument */
            break;
    }
    until_input_ends();
    must(fever_promise_set(promise, &one, sizeof one), "fever_promise_set");
    for (int i = 0; i < 4; i++)
        must(fever_take(call[i], &value), "put");
    must(fever_release(promise), "fever_release");
    must(fever_actor_release(a.any), "fever_actor_release");
    must(fever_actor_release(b.any), "fever_actor_release");
    must(fever_actor_release(dead.any), "fever_actor_release");
    must(fever_shutdown(), "fever_shutdown");
    return value == 5 ? 0 : 1;
}

/* Five objects of 700,000 bytes that are not sealed fill a store of 4 MiB: the sixth finds no room there. */
static int fallback(void) {
    enum { N = 5, BYTES = 700000 };
    static char data[BYTES];
    void       *at;
    fever_ref   open[N], outside;
    must(fever_init(FEVER_OPTIONS(.workers = 1, .store_bytes = 4 << 20, .spill_at = 100, .name = "fallback", .quiet = 1)), "fever_init");
    for (int i = 0; i < N; i++)
        must(fever_create(BYTES, &at, &open[i]), "fever_create");
    must(fever_object_put(FEVER_OBJECT(.name = "outside"), data, BYTES, &outside), "outside");
    until_input_ends();
    for (int i = 0; i < N; i++)
        must(fever_abort(open[i]), "fever_abort");
    must(fever_release(outside), "fever_release");
    must(fever_shutdown(), "fever_shutdown");
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "actors") == 0)
        return actors();
    if (argc > 1 && strcmp(argv[1], "fallback") == 0)
        return fallback();
    if (argc > 1 && strcmp(argv[1], "spilled") == 0)
        return spilled();
    if (argc > 1 && strcmp(argv[1], "memory") == 0)
        return memory();
    if (argc > 1 && strcmp(argv[1], "attempts") == 0)
        return attempts();
    struct fever_error  error;
    struct fever_stats  stats = {.struct_bytes = sizeof stats};
    fever_ref promise, object, open_object, runs, blocked, dependent, failed;
    char      data[100000];
    void     *to;
    int       seven = 7, value = 0;
    must(fever_init(FEVER_OPTIONS(.workers = 2, .store_bytes = 64 << 20, .name = "cli demo \"\xc3\xa4\"")), "fever_init");
    memset(data, 1, sizeof data);
    must(fever_promise(&promise), "fever_promise");
    must(fever_put(data, sizeof data, &object), "fever_put");
    must(fever_create(5000, &to, &open_object), "fever_create");
    failed = fails_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 42);
    fever_wait_one(failed, FEVER_FOREVER);
    must(fever_error(failed, &error), "fever_error");
    runs = runner_with(FEVER_WITH(.timeout_s = 600), promise.id);
    blocked = blocked_getter_remote(promise.id);
    dependent = depends_remote(promise);
    for (int i = 0; i < 500 && stats.spares == 0; i++) { /* the getter sleeps, and a spare has been started for it */
        usleep(10000);
        must(fever_stats(&stats), "fever_stats");
    }
    usleep(50000);
    until_input_ends();
    must(fever_promise_set(promise, &seven, sizeof seven), "fever_promise_set");
    must(fever_take(runs, &value), "runner");
    must(fever_take(blocked, &value), "blocked_getter");
    must(fever_take(dependent, &value), "depends");
    must(fever_abort(open_object), "fever_abort");
    must(fever_shutdown(), "fever_shutdown");
    return value == 7 ? 0 : 1;
}
