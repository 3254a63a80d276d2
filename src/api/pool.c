/* api/pool.c: pools of actors: a layer on the public functions.
 *
 * Run by drivers, bodies and methods.  All of a pool is private; what dies takes its pools along, and its holds are swept as any.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/clock.h"
#include "fever.h"

struct call {
    struct call            *next; /* in the order of the calls */
    const struct fever_def *def;
    size_t                  bytes;
    fever_ref               ref;   /* 0: it waits for an actor */
    bool                    is_over; /* its actor has another one, or none */
    char                    args[] FV_ALIGNED(16);
};

struct member {
    fever_actor  actor;
    struct call *runs; /* NULL: it is idle */
};

struct fever_pool {
    struct member *member;
    fever_ref     *busy; /* room for one of each */
    uint32_t       n_members, room;
    struct call   *first, **last, *waiting; /* waiting: the first that has no actor */
    size_t         n_calls;
};

int fever_pool_open(struct fever_pool **pool_out) {
    if (pool_out == NULL)
        return -FEVER_ENULL;
    struct fever_pool *p = calloc(1, sizeof *p);
    if (p == NULL)
        return -ENOMEM;
    p->last = &p->first;
    *pool_out = p;
    return 0;
}

/* Idle actors get calls that wait. */
static void hand_out(struct fever_pool *p) {
    for (uint32_t i = 0; i < p->n_members && p->waiting != NULL; i++) {
        struct member *m = &p->member[i];
        if (m->runs != NULL)
            continue;
        struct call *c = p->waiting;
        p->waiting = c->next;
        c->ref = fever_actor_call_ref(c->def, m->actor, c->args, c->bytes, NULL);
        m->runs = c;
    }
}

static bool is_over(fever_ref ref) {
    struct fever_error e;
    int                rc = fever_wait(&ref, 1, 1, 0, NULL);
    if (rc != -FEVER_ECANCELED)
        return rc != 0; /* below 0: it was not made, and carries why */
    return fever_error(ref, &e) == 0 && e.code != 0; /* else who asks is cancelled, and it goes on */
}

/* Whose call is over is idle.  How many are so from now on. */
static uint32_t turn(struct fever_pool *p) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_members; i++) {
        struct call *c = p->member[i].runs;
        if (c != NULL && is_over(c->ref)) {
            c->is_over = true;
            p->member[i].runs = NULL;
            n++;
        }
    }
    hand_out(p);
    return n;
}

int fever_pool_push(struct fever_pool *pool, fever_actor actor) {
    if (pool == NULL)
        return -FEVER_ENULL;
    for (uint32_t i = 0; i < pool->n_members; i++)
        if (pool->member[i].actor.id == actor.id)
            return -FEVER_EINVAL;
    if (pool->n_members == pool->room) {
        uint32_t       room = pool->room == 0 ? 8 : pool->room * 2;
        struct member *m = realloc(pool->member, room * sizeof *m);
        if (m == NULL)
            return -ENOMEM;
        pool->member = m;
        fever_ref *busy = realloc(pool->busy, room * sizeof *busy);
        if (busy == NULL)
            return -ENOMEM;
        pool->busy = busy;
        pool->room = room;
    }
    int rc = fever_actor_retain(actor);
    if (rc < 0)
        return rc;
    pool->member[pool->n_members++] = (struct member){.actor = actor};
    hand_out(pool);
    return 0;
}

int fever_pool_pop_idle(struct fever_pool *pool, fever_actor *actor_out) {
    if (pool == NULL || actor_out == NULL)
        return -FEVER_ENULL;
    turn(pool);
    for (uint32_t i = 0; i < pool->n_members; i++)
        if (pool->member[i].runs == NULL) {
            *actor_out = pool->member[i].actor;
            pool->member[i] = pool->member[--pool->n_members];
            return 0;
        }
    return -FEVER_EAGAIN;
}

int fever_pool_submit(struct fever_pool *pool, const struct fever_def *def, const void *args, size_t bytes) {
    if (pool == NULL || def == NULL || (args == NULL && bytes != 0))
        return -FEVER_ENULL;
    if (!(def->flags & FEVER_DEF_METHOD))
        return -FEVER_ENOTASK;
    if (bytes != def->args_bytes)
        return -FEVER_EINVAL;
    struct call *c = malloc(sizeof *c + bytes);
    if (c == NULL)
        return -ENOMEM;
    *c = (struct call){.def = def, .bytes = bytes};
    if (bytes != 0)
        memcpy(c->args, args, bytes);
    *pool->last = c;
    pool->last = &c->next;
    if (pool->waiting == NULL)
        pool->waiting = c;
    pool->n_calls++;
    turn(pool);
    return 0;
}

size_t fever_pool_has_next(const struct fever_pool *pool) { return pool == NULL ? 0 : pool->n_calls; }

static void take_out(struct fever_pool *p, struct call **at) {
    struct call *c = *at;
    *at = c->next;
    if (p->last == &c->next)
        p->last = at;
    p->n_calls--;
    free(c);
}

/* What is out is let go, what waits is not made.  An actor that runs such a call has its next one behind it. */
static void drop_calls(struct fever_pool *p) {
    while (p->first != NULL) {
        if (p->first->ref.id != 0)
            fever_release(p->first->ref);
        take_out(p, &p->first);
    }
    p->waiting = NULL;
    for (uint32_t i = 0; i < p->n_members; i++)
        p->member[i].runs = NULL;
}

/* The call whose result may be given now; NULL: none yet. */
static struct call **find_over(struct fever_pool *p, bool ordered) {
    for (struct call **at = &p->first; *at != NULL; at = &(*at)->next) {
        if ((*at)->is_over)
            return at;
        if (ordered)
            return NULL;
    }
    return NULL;
}

static int next(struct fever_pool *p, bool ordered, fever_ref *ref_out, double timeout_s) {
    if (p == NULL || ref_out == NULL)
        return -FEVER_ENULL;
    if (isnan(timeout_s))
        return -FEVER_EINVAL;
    double end = (double)fv_now_ns() * 1e-9 + timeout_s;
    for (bool late = false;;) {
        turn(p);
        struct call **at = find_over(p, ordered);
        if (at != NULL) {
            *ref_out = (*at)->ref;
            take_out(p, at);
            return 0;
        }
        if (p->first == NULL)
            return -FEVER_EEND;
        if (late)
            return -FEVER_ETIMEDOUT;
        size_t n = 0;
        for (uint32_t i = 0; i < p->n_members; i++)
            if (p->member[i].runs != NULL)
                p->busy[n++] = p->member[i].runs->ref;
        if (n == 0)
            return -FEVER_EDEADLK; /* it has no actors */
        double left = timeout_s < 0 ? timeout_s : FV_MAX(end - (double)fv_now_ns() * 1e-9, 0);
        int    rc = fever_wait(p->busy, n, 1, left, NULL);
        if (rc < 0 && turn(p) == 0) /* else it was that of a call that was not made, which is over */
            return rc;
        late = timeout_s >= 0 && (double)fv_now_ns() * 1e-9 >= end;
    }
}

int fever_pool_next(struct fever_pool *pool, fever_ref *ref_out, double timeout_s) { return next(pool, true, ref_out, timeout_s); }
int fever_pool_next_unordered(struct fever_pool *pool, fever_ref *ref_out, double timeout_s) { return next(pool, false, ref_out, timeout_s); }

int fever_pool_map_raw(struct fever_pool *pool, const struct fever_def *def, const void *in, size_t in_bytes, size_t n, void *out, size_t out_bytes,
                       unsigned type) {
    if (pool == NULL || (n != 0 && (in == NULL || out == NULL)))
        return -FEVER_ENULL;
    if (pool->n_calls != 0)
        return -FEVER_ESTATE;
    int    rc = 0;
    size_t made = 0;
    for (; made < n && rc == 0; made += rc == 0)
        rc = fever_pool_submit(pool, def, (const char *)in + made * in_bytes, in_bytes);
    for (size_t i = 0; i < made; i++) {
        fever_ref r;
        int       e = fever_pool_next(pool, &r, FEVER_FOREVER);
        if (e < 0) {
            drop_calls(pool);
            return rc < 0 ? rc : e;
        }
        e = rc == 0 ? fever_get_raw(r, (char *)out + i * out_bytes, out_bytes, type, FEVER_FOREVER) : 0;
        fever_release(r);
        rc = rc < 0 ? rc : FV_MIN(e, 0);
    }
    return rc;
}

int fever_pool_close(struct fever_pool *pool) {
    int rc = 0, e;
    if (pool == NULL)
        return 0;
    drop_calls(pool);
    for (uint32_t i = 0; i < pool->n_members; i++)
        if ((e = fever_actor_release(pool->member[i].actor)) < 0)
            rc = e;
    free(pool->member);
    free(pool->busy);
    free(pool);
    return rc;
}
