/* t_checkpoint.c: actors that save their state, and go on from it after a death.
 *
 * Run by:          the driver, which calls actors in processes of their own.
 */
#include "rt.h"

#include <string.h>

static struct shared {
    atomic_int saves, restores, dies, fails;
} *shared;

struct sum {
    long n;
};
FEVER_ACTOR(struct sum, sum, (long, start)) {
    self->n = start;
    return 0;
}
FEVER_CHECKPOINT(sum) {
    int rc = atomic_load(&shared->fails) ? 42 : fever_put(&self->n, sizeof self->n, saved);
    if (atomic_load(&shared->dies) == 1 && atomic_exchange(&shared->dies, 0) == 1)
        raise(SIGKILL); /* the object is there, and nobody knows of it */
    atomic_fetch_add(&shared->saves, 1);
    return rc;
}
FEVER_RESTORE(sum) {
    atomic_fetch_add(&shared->restores, 1);
    if (atomic_load(&shared->fails))
        return 43;
    return fever_get(saved, &self->n);
}
FEVER_METHOD(sum, long, add, (long, by)) { return self->n += by; }
FEVER_METHOD(sum, int, save) { return fever_actor_checkpoint(); }
FEVER_METHOD(sum, long, dies) {
    raise(SIGKILL);
    return self->n;
}

/* more than one object of it, and more than fits a small one */
struct wide {
    char      text[300000];
    fever_ref part;
};
FEVER_ACTOR(struct wide, wide) {
    (void)self;
    return 0;
}
FEVER_CHECKPOINT(wide) { return fever_put_with(self, sizeof *self, &self->part, 1, saved); }
FEVER_RESTORE(wide) {
    const struct wide *w;
    int                rc = fever_view(saved, &w, NULL);
    if (rc == 0)
        *self = *w;
    return rc == 0 ? fever_retain(self->part) : rc;
}
FEVER_METHOD(wide, int, set, (char, c)) {
    memset(self->text, c, sizeof self->text);
    if (self->part.id != 0)
        fever_release(self->part);
    int rc = fever_put(&(long){c}, sizeof(long), &self->part);
    if (rc == 0)
        rc = fever_retain(self->part); /* the method's own ends with it */
    return rc < 0 ? rc : fever_actor_checkpoint();
}
FEVER_METHOD(wide, int, is, (char, c)) {
    long v = 0;
    bool good = true;
    for (size_t i = 0; i < sizeof self->text; i++)
        good &= self->text[i] == c;
    return good && fever_get(self->part, &v) == 0 && v == c;
}
FEVER_METHOD_VOID(wide, dies) { raise(SIGKILL); }

/* saves as soon as it is there, so that there is always a checkpoint */
FEVER_ACTOR(struct sum, early, (long, start)) {
    self->n = start;
    return fever_actor_checkpoint();
}
FEVER_CHECKPOINT(early) {
    if (atomic_load(&shared->fails)) {
        long v = -1;
        int  rc = fever_put(&v, sizeof v, saved);
        return rc < 0 ? rc : fever_fail(42, "no checkpoint");
    }
    atomic_fetch_add(&shared->saves, 1);
    return fever_put(&self->n, sizeof self->n, saved);
}
FEVER_RESTORE(early) {
    int rc = fever_get(saved, &self->n);
    return rc < 0 ? rc : fever_actor_checkpoint(); /* of what is saved already */
}
FEVER_METHOD(early, long, add, (long, by)) { return self->n += by; }
FEVER_METHOD(early, int, save) { return fever_actor_checkpoint(); }
FEVER_METHOD(early, long, dies) {
    raise(SIGKILL);
    return self->n;
}
FEVER_METHOD(early, int, ends) { return fever_actor_exit(); }

struct plain {
    int unused;
};
FEVER_ACTOR(struct plain, plain) {
    (void)self;
    return 0;
}
FEVER_METHOD(plain, int, save) { return fever_actor_checkpoint(); }

/* ------------------------------------------------------------------------------------------------ tests */

static long take_long(fever_ref r)
{
    long v = 0;
    int  rc = fever_take(r, &v);

    if (rc < 0)
        fever_release(r);
    return rc < 0 ? rc : v;
}

static int take_int(fever_ref r)
{
    int v = 0, rc = fever_take(r, &v);

    if (rc < 0)
        fever_release(r);
    return rc < 0 ? rc : v;
}

static void asked(void)
{
    sum_actor a = sum_new_with(FEVER_ACTOR_WITH(.max_restarts = FEVER_NO_LIMIT), 100);

    TAP_IS(take_long(sum_add_remote(a, 1)), 101, "a call");
    TAP_IS(take_long(sum_dies_remote(a)), -FEVER_EACTORDOWN, "its process dies");
    TAP_IS(take_long(sum_add_remote(a, 0)), 100, "no checkpoint: the constructor's state");
    take_long(sum_add_remote(a, 5));
    TAP_IS(take_int(sum_save_remote(a)), 0, "a checkpoint");
    take_long(sum_add_remote(a, 7));
    TAP_IS(take_long(sum_dies_remote(a)), -FEVER_EACTORDOWN, "dies");
    TAP_IS(take_long(sum_add_remote(a, 0)), 105, "goes on from there");
    TAP_IS(take_int(sum_save_remote(a)), 0, "another");
    take_long(sum_add_remote(a, 1));
    TAP_IS(take_int(sum_save_remote(a)), 0, "one more: the last counts");
    take_long(sum_add_remote(a, 1));
    atomic_store(&shared->dies, 1);
    TAP_IS(take_int(sum_save_remote(a)), -FEVER_EACTORDOWN, "dies in one");
    TAP_IS(take_long(sum_add_remote(a, 0)), 106, "it does not count");
    take_long(sum_add_remote(a, 1));
    atomic_store(&shared->fails, 1);
    TAP_IS(take_int(sum_save_remote(a)), 42, "one that fails");
    atomic_store(&shared->fails, 0);
    take_long(sum_dies_remote(a));
    TAP_IS(take_long(sum_add_remote(a, 0)), 106, "does not count, either");
    atomic_store(&shared->fails, 1);
    take_long(sum_dies_remote(a));
    TAP_IS(take_long(sum_add_remote(a, 0)), -FEVER_EACTORDEAD, "it cannot be restored: the actor is dead");
    struct fever_error e;
    TAP_IS(fever_actor_error(a.any, &e), 0, "why");
    TAP_OK(e.app_code == 43 && strstr(e.text, "restores") != NULL, "says so: %s", e.text);
    atomic_store(&shared->fails, 0);
    fever_actor_release(a.any);
}

static void in_turn(void)
{
    sum_actor a = sum_new_with(FEVER_ACTOR_WITH(.max_restarts = 1, .checkpoint_every = 3), 0);

    atomic_store(&shared->saves, 0);
    for (int i = 0; i < 11; i++)
        take_long(sum_add_remote(a, 1));
    TAP_IS(take_long(sum_dies_remote(a)), -FEVER_EACTORDOWN, "dies after 11 calls, with a checkpoint every 3");
    TAP_IS(take_long(sum_add_remote(a, 0)), 9, "goes on from the third");
    TAP_IS(atomic_load(&shared->saves), 3, "there were three");
    fever_actor_release(a.any);
}

static void in_constructor(void)
{
    atomic_store(&shared->saves, 0);
    early_actor a = early_new_with(FEVER_ACTOR_WITH(.max_restarts = FEVER_NO_LIMIT), 100);

    take_long(early_add_remote(a, 1));
    TAP_IS(atomic_load(&shared->saves), 1, "the constructor saves");
    take_long(early_dies_remote(a));
    TAP_IS(take_long(early_add_remote(a, 5)), 105, "its checkpoint is gone on from");
    TAP_IS(take_int(early_save_remote(a)), 0, "a method saves");
    take_long(early_dies_remote(a));
    TAP_IS(take_long(early_add_remote(a, 0)), 105, "the constructor of a restart does not put its own state in the place of that");
    take_long(early_dies_remote(a));
    TAP_IS(take_long(early_add_remote(a, 0)), 105, "nor that of the next");
    TAP_IS(atomic_load(&shared->saves), 2, "two have been made");
    fever_actor_release(a.any);
}

/* fever_fail in the body that saves */
static void failing(void)
{
    early_actor        a = early_new_with(FEVER_ACTOR_WITH(.max_restarts = FEVER_NO_LIMIT, .checkpoint_every = 2), 0);
    struct fever_error e;

    take_long(early_add_remote(a, 1));
    TAP_IS(take_long(early_add_remote(a, 1)), 2, "two calls, and a checkpoint in turn");
    take_long(early_add_remote(a, 1));
    atomic_store(&shared->fails, 1);
    TAP_IS(take_int(early_save_remote(a)), -FEVER_EAPP, "one that fails fails the method that asked for it");
    TAP_IS(take_long(early_add_remote(a, 1)), 4, "and no other");
    TAP_IS(take_long(early_add_remote(a, 1)), 5, "one in turn fails no call");
    TAP_IS(take_long(early_add_remote(a, 1)), 6, "nor one behind it");
    TAP_IS(take_long(early_add_remote(a, 1)), 7, "the next in turn is over, too, when this call is");
    atomic_store(&shared->fails, 0);
    take_long(early_dies_remote(a));
    TAP_IS(take_long(early_add_remote(a, 0)), 2, "the last that was good stands");
    atomic_store(&shared->fails, 1);
    TAP_IS(take_long(early_add_remote(a, 0)), 2, "another in turn that fails");
    TAP_IS(take_long(early_add_remote(a, 0)), 2, "it is over");
    atomic_store(&shared->fails, 0);
    TAP_IS(take_int(early_ends_remote(a)), 0, "the actor ends itself");
    TAP_IS(take_long(early_add_remote(a, 0)), -FEVER_EACTORDEAD, "and is dead");
    TAP_IS(fever_actor_error(a.any, &e), 0, "why");
    TAP_OK(e.code == FEVER_EACTORDEAD && strstr(e.text, "ended itself") != NULL, "it says that, and nothing of the checkpoint: %d, %s", e.code, e.text);
    fever_actor_release(a.any);
}

static void large(void)
{
    wide_actor a = wide_new_with(FEVER_ACTOR_WITH(.max_restarts = 9));

    for (char c = 'a'; c < 'f'; c++) {
        TAP_IS(take_int(wide_set_remote(a, c)), 0, "a large state, with a ref in it: %c", c);
        wide_dies_send(a);
        TAP_IS(take_int(wide_is_remote(a, c)), 1, "is what it was");
    }
    fever_actor_release(a.any);
}

static void bad_input(void)
{
    plain_actor p = plain_new();
    long        v = 0;

    TAP_IS(take_int(plain_save_remote(p)), -FEVER_ENOTASK, "an actor that cannot save");
    TAP_IS(fever_actor_checkpoint(), -FEVER_ECONTEXT, "outside of an actor");
    TAP_IS(fever_take(plain_save_remote(plain_new_with(FEVER_ACTOR_WITH(.checkpoint_every = 2))), &v), -FEVER_EINVAL, "in turn, what cannot save");
    TAP_IS(fever_take(sum_add_remote(sum_new_with(FEVER_ACTOR_WITH(.checkpoint_every = -2), 1), 1), &v), -FEVER_EINVAL, "a bad option");
    fever_actor_release(p.any);
}

static void rest(void)
{
    for (double end = rt_now() + RT_LONG; rt_stats().objects_live != 0 && rt_now() < end;)
        rt_nap();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
}

int main(void)
{
    rt_begin(120);
    shared = rt_shared(sizeof *shared);
    rt_init(.workers = 1, .max_actors = 4);
    asked();
    rest();
    in_turn();
    rest();
    in_constructor();
    rest();
    failing();
    rest();
    large();
    rest();
    bad_input();
    rest();
    rt_shutdown();
    return tap_done();
}
