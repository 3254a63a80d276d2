/* api/actor.c: making actors, calling them, ending them.
 *
 * Run by drivers and by bodies.  Checks what it is given and hands on to core/actor.c.  Writes task slots of its own, as any submission.
 */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "core/actor.h"
#include "core/cancel.h"
#include "core/failure.h"
#include "core/name.h"
#include "core/options.h"
#include "run/fast.h"

#define GRACE_S 10.0

static uint64_t error_id(int rc) { return FV_TAG_ERROR << 60 | (uint64_t)(uint16_t)-rc; }

/* A handle that is good: of an actor, dead or alive. */
static inline int check(uint64_t actor, uint32_t *index_out, uint64_t *truth_out) {
    int rc = fv_ref_check(actor, index_out, truth_out);
    return FV_UNLIKELY(rc == 0 && !fv_task_is_actor(*index_out)) ? -FEVER_ETYPE : rc;
}

/* ------------------------------------------------------------------------------------------------ making */

static bool is_name(const char *s) { return s == NULL || (s[0] != '\0' && strnlen(s, 48) < 48); }
static bool is_space(const char *s) { return s == NULL || strnlen(s, 32) < 32; }

/* takes: what it holds for life; its struct_bytes stay 0 if that is nothing. */
static int read_options(const struct fever_actor_options *user, struct fv_actor_spec *spec, bool *get_if_exists, struct fever_task_options *takes) {
    struct fever_actor_options o = {0};
    if (user != NULL && (user->struct_bytes < offsetof(struct fever_actor_options, name) || user->struct_bytes > 65536))
        return -FEVER_EINVAL;
    for (size_t i = sizeof o; user != NULL && i < user->struct_bytes; i++)
        if (((const unsigned char *)user)[i] != 0)
            return -FEVER_EINVAL; /* an option that this library does not know */
    if (user != NULL)
        memcpy(&o, user, FV_MIN(user->struct_bytes, sizeof o));
    if (o.max_restarts < FEVER_NO_LIMIT || o.max_task_retries < FEVER_NO_LIMIT || o.max_task_retries > 250 || !(o.grace_s >= 0) || isinf(o.grace_s))
        return -FEVER_EINVAL;
    if (o.checkpoint_every < 0 || o.max_pending_calls < 0)
        return -FEVER_EINVAL;
    if ((o.name != NULL && strnlen(o.name, 48) == 48) || (o.get_if_exists | o.detached) & ~1 || !is_name(o.registered) || !is_space(o.name_space) ||
        (o.registered == NULL && (o.name_space != NULL || o.get_if_exists)))
        return -FEVER_EINVAL;
    spec->registered = o.registered;
    spec->name_space = o.name_space == NULL ? "" : o.name_space;
    spec->detached = o.detached;
    spec->max_pending = (uint32_t)o.max_pending_calls;
    *get_if_exists = o.get_if_exists;
    spec->max_restarts = o.max_restarts < 0 ? FV_NO_LIMIT : (uint32_t)o.max_restarts;
    spec->max_task_retries = o.max_task_retries < 0 ? 250 : (uint32_t)o.max_task_retries;
    spec->grace_ns = (uint64_t)(FV_MIN(o.grace_s == 0 ? GRACE_S : o.grace_s, 1e9) * 1e9);
    spec->name = o.name;
    if (!(o.num_cpus >= 0 && o.num_cpus <= 65536) || o.num_cpus != (double)(uint32_t)o.num_cpus)
        return -FEVER_EINVAL;
    if (o.num_cpus != 0 || o.n_resources != 0 || o.node != NULL || o.node_soft != 0 || o.spread != 0 || o.labels != NULL)
        *takes = (struct fever_task_options){.struct_bytes = sizeof *takes, .num_cpus = o.num_cpus == 0 ? FEVER_NO_CPU : o.num_cpus, .resources = o.resources,
                                             .n_resources = o.n_resources, .node = o.node, .node_soft = o.node_soft, .spread = o.spread, .labels = o.labels};
    spec->save_every = (uint32_t)o.checkpoint_every;
    return 0;
}

/* Holds who has that name, if it is of that definition (NULL: of any).  1: it is being made. */
static int find(struct fv_self *self, const struct fever_def *def, const char *name_space, const char *name, uint64_t *id_out) {
    uint64_t id;
    int      rc = fv_name_find(self, name_space, name, &id);
    if (rc != 0)
        return rc;
    if (def != NULL && fv_defs[fv_task(fv_ref_index(id))->def] != def) {
        fv_unhold(self, id);
        return -FEVER_ETYPE;
    }
    if (self->is_worker || self->running != 0)
        fv_own_add(self, id);
    *id_out = id;
    return 0;
}

#define MAKING_NS 1000000000ull /* who is making it for longer than that was stopped on the way */

static int make_named(struct fv_self *self, const struct fever_def *def, const void *args, size_t bytes, struct fv_actor_spec *spec,
                      const struct fever_task_options *takes, bool get_if_exists, uint64_t site, uint64_t *id_out) {
    uint64_t end = fv_now_ns() + MAKING_NS;
    int      rc;
    if ((spec->entry = fv_name_entry(spec->name_space, spec->registered, true)) == 0)
        return -FEVER_ENOSLOTS;
    do {
        if (get_if_exists && (rc = find(self, def, spec->name_space, spec->registered, id_out)) != 1 && rc != -FEVER_ENONAME)
            return rc;
        rc = fv_submit_for(self, def, args, bytes, takes, FV_HELD, 0, 0, site, &(struct fv_for){.spec = spec}, id_out);
        if (rc == -FEVER_ENAMETAKEN && get_if_exists)
            sched_yield();
    } while (rc == -FEVER_ENAMETAKEN && get_if_exists && fv_now_ns() < end);
    return rc;
}

static int make_at(const struct fever_def *def, const void *args, size_t bytes, const struct fever_actor_options *options, uint64_t site,
                   uint64_t *id_out) {
    int                  why;
    struct fv_actor_spec spec = {0};
    bool                 get_if_exists = false;
    struct fever_task_options takes = {0}, *t = &takes;
    if (def == NULL)
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    int rc = self->is_inline ? -FEVER_ECONTEXT : !(def->flags & FEVER_DEF_ACTOR) ? -FEVER_ENOTASK : read_options(options, &spec, &get_if_exists, &takes);
    if (rc == 0 && spec.save_every != 0 && def->actor_class->save == NULL)
        rc = -FEVER_EINVAL; /* of what? */
    if (takes.struct_bytes == 0)
        t = NULL;
    if (rc == 0 && spec.registered != NULL)
        rc = make_named(self, def, args, bytes, &spec, t, get_if_exists, site, id_out);
    else if (rc == 0)
        rc = fv_submit_for(self, def, args, bytes, t, FV_HELD, 0, 0, site, &(struct fv_for){.spec = &spec}, id_out);
    return fv_leave(self, rc);
}

int fever_actor_new(const struct fever_def *def, const void *args, size_t bytes, const struct fever_actor_options *options,
                    fever_actor *actor_out) {
    return actor_out == NULL ? -FEVER_ENULL : make_at(def, args, bytes, options, FV_SITE(), &actor_out->id);
}

fever_actor fever_actor_make(const struct fever_def *def, const void *args, size_t bytes, const struct fever_actor_options *options) {
    fever_actor a = {0};
    int         rc = make_at(def, args, bytes, options, FV_SITE(), &a.id);
    if (rc < 0)
        a.id = error_id(rc);
    return a;
}

int fever_actor_find(const struct fever_def *def, const char *name_space, const char *name, fever_actor *actor_out) {
    int why;
    if (name == NULL || actor_out == NULL)
        return -FEVER_ENULL;
    if (!is_name(name) || !is_space(name_space))
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    int rc = def != NULL && !(def->flags & FEVER_DEF_ACTOR) ? -FEVER_ENOTASK : self->is_inline ? -FEVER_ENONAME
             : find(self, def, name_space == NULL ? "" : name_space, name, &actor_out->id);
    return fv_leave(self, rc == 1 ? -FEVER_ENONAME : rc);
}

/* ------------------------------------------------------------------------------------------------ calling */

/* A small call without refs and options, its slot free at the cursor: as fv_fast_submit().  False when it is not that, and nothing has
 * changed. */
FV_FAST bool call_short(struct fv_self *self, const struct fever_def *def, struct fv_mailbox *m, const void *args, size_t bytes,
                        unsigned flags, uint64_t site, uint64_t *id_out) {
    uint32_t             i = self->cursor, index = self->slot << fv_map.shift | i;
    struct fv_task      *task = fv_task(index);
    struct fv_home_slot *h = &self->home[i];
    uint64_t             t = fv_load_acquire_64(&task->truth);
    uint32_t             gen = fv_truth_gen(t) + 1;
    if (FV_UNLIKELY(fv_truth_state(t) != FV_FREE || gen <= 1 || h->refs != 0 || h->group != 0))
        return false;
    uint64_t word = fv_actor_next_call(m);
    fv_task_begin(task, def->id, FV_KIND_TASK, false, FV_X_CALL, (uint32_t)bytes);
    fv_fast_copy(task->args, args, bytes);
    task->args[2] = word;
    *h = (struct fv_home_slot){.site = site};
    self->cursor = i + 1 == self->limit ? 0 : i + 1;
    fv_prefetch_write(task + 8);
    if (self->is_worker)
        fv_store_relaxed_64(&self->cold[i].parent, self->proc->current);
    /* ORDER submit (release): as in fv_task_submit(). */
    fv_store_release_64(&task->truth, fv_truth(gen, 0, 0, flags, FV_READY));
    fv_count(self->proc, FV_C_submitted);
    *id_out = fv_ref_make(index, gen);
    if (self->is_worker && flags & FV_HELD)
        fv_own_add(self, *id_out);
    fv_actor_deliver(self, m, index, fv_call_place(word));
    return true;
}

static bool options_are_for_calls(const struct fever_task_options *o) {
    struct fever_task_options wide;
    uint32_t                  bytes;
    return fv_task_options_check(o, &wide, &bytes) == 0 && wide.num_cpus == 0 && wide.n_resources == 0 && wide.memory_bytes == 0 &&
           wide.priority == 0 && wide.max_calls == 0 && wide.env == NULL;
}

FV_FAST int call_at(const struct fever_def *def, uint64_t actor, const void *args, size_t bytes, const struct fever_task_options *options,
                    unsigned flags, uint64_t site, uint64_t *id_out) {
    int      why;
    uint32_t index = 0;
    uint64_t t = 0;
    if (FV_UNLIKELY(def == NULL))
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (FV_UNLIKELY(self == NULL))
        return why;
    int rc = check(actor, &index, &t);
    if (FV_UNLIKELY(rc < 0))
        return fv_leave(self, rc);
    if (FV_UNLIKELY(!(def->flags & FEVER_DEF_METHOD) || def->id >= FV_MAX_DEFS || fv_defs[def->id] != def))
        return fv_leave(self, -FEVER_ENOTASK);
    if (FV_UNLIKELY(fv_defs[fv_task(index)->def]->actor_class != def->actor_class))
        return fv_leave(self, -FEVER_ETYPE);
    if (FV_UNLIKELY(options != NULL && !options_are_for_calls(options)))
        return fv_leave(self, -FEVER_EINVAL);
    struct fv_mailbox *m = fv_actor_mailbox(self, actor);
    if (FV_UNLIKELY(m == NULL))
        return fv_leave(self, -FEVER_ESTOREFULL);
    if (FV_UNLIKELY(m->max_pending != 0) && fv_lane_depth(m->lane) >= m->max_pending && !fv_state_is_complete(fv_truth_state(t)))
        return fv_leave(self, -FEVER_EAGAIN);
    if (FV_LIKELY(options == NULL && def->flags & FV_DEF_PLAIN && bytes == def->args_bytes && (args != NULL || bytes == 0)) &&
        call_short(self, def, m, args, bytes, flags, site, id_out))
        return fv_leave(self, 0);
    return fv_leave(self, fv_submit_for(self, def, args, bytes, options, flags, 0, 0, site,
                                        &(struct fv_for){.mailbox = m, .retries = (int)fv_actor_of(index)->max_task_retries}, id_out));
}

int fever_actor_call(const struct fever_def *def, fever_actor actor, const void *args, size_t bytes,
                     const struct fever_task_options *options, fever_ref *ref_out) {
    return ref_out == NULL ? -FEVER_ENULL : call_at(def, actor.id, args, bytes, options, FV_HELD, FV_SITE(), &ref_out->id);
}

fever_ref fever_actor_call_ref(const struct fever_def *def, fever_actor actor, const void *args, size_t bytes,
                               const struct fever_task_options *options) {
    fever_ref ref = FEVER_NULL_REF;
    int       rc = call_at(def, actor.id, args, bytes, options, FV_HELD, FV_SITE(), &ref.id);
    if (FV_UNLIKELY(rc < 0))
        ref.id = error_id(rc);
    return ref;
}

int fever_actor_send(const struct fever_def *def, fever_actor actor, const void *args, size_t bytes) {
    uint64_t id;
    return call_at(def, actor.id, args, bytes, NULL, 0, FV_SITE(), &id);
}

/* ------------------------------------------------------------------------------------------------ handles, and the end */

int fever_actor_retain(fever_actor actor) { return fever_retain((fever_ref){actor.id}); }
int fever_actor_release(fever_actor actor) { return fever_release((fever_ref){actor.id}); }

/* Waits until it is complete.  Entered. */
static int await_end(struct fv_self *self, uint64_t actor, uint32_t index, uint64_t t, uint64_t deadline) {
    return fv_state_is_complete(fv_truth_state(t)) ? 0 : fv_wait_complete(self, index, fv_ref_gen(actor), deadline);
}

int fever_actor_kill(fever_actor actor, unsigned flags) {
    int      why;
    uint32_t index = 0;
    uint64_t t = 0;
    if (flags & ~FEVER_ACTOR_RESTART)
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    int rc = check(actor.id, &index, &t);
    if (rc == 0 && self->proc->role == FV_ROLE_ACTOR && self->proc->actor == actor.id)
        rc = -FEVER_ECONTEXT;
    if (rc < 0 || fv_state_is_complete(fv_truth_state(t)))
        return fv_leave(self, rc);
    if (flags & FEVER_ACTOR_RESTART)
        fv_store_release_32(&fv_actor_of(index)->kill_wanted, 1);
    else
        fv_cancel_ask(index, fv_ref_gen(actor.id), FV_CANCEL_ASKED | FV_CANCEL_FORCE);
    fv_store_release_32(&fv_map.seg->cancel_wanted, 1);
    fv_supervisor_ring();
    return fv_leave(self, flags & FEVER_ACTOR_RESTART ? 0 : await_end(self, actor.id, index, t, UINT64_MAX));
}

int fever_actor_wait(fever_actor actor, double timeout_s) {
    int      why;
    uint32_t index = 0;
    uint64_t t = 0;
    if (isnan(timeout_s))
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    int rc = check(actor.id, &index, &t);
    if (rc == 0)
        rc = await_end(self, actor.id, index, t, fv_deadline(timeout_s));
    return fv_leave(self, rc);
}

int fever_actor_error(fever_actor actor, struct fever_error *error_out) {
    int      why;
    uint32_t index = 0;
    uint64_t t = 0;
    if (error_out == NULL)
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    int rc = check(actor.id, &index, &t);
    if (rc == 0 && fv_truth_state(t) != FV_FAIL)
        rc = -FEVER_ESTATE;
    if (rc == 0) {
        fv_task_get_error(index, error_out);
        fv_error_sites(error_out);
    }
    return fv_leave(self, rc);
}

int fever_actor_info(fever_actor actor, struct fever_actor_info *info_out) {
    int      why;
    uint32_t index = 0;
    uint64_t t = 0;
    if (info_out == NULL)
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    int rc = check(actor.id, &index, &t);
    if (rc == 0) {
        const struct fv_actor *a = fv_actor_of(index);
        uint64_t               n = fv_load_relaxed_64(&a->n_waited);
        bool                   runs = fv_truth_state(t) == FV_RUN;
        *info_out = (struct fever_actor_info){.pid = runs ? (int)fv_load_relaxed_32(&fv_proc(fv_truth_owner(t))->pid) : 0,
                                              .restarts = (int)fv_load_relaxed_32(&a->restarts),
                                              .ended = fv_state_is_complete(fv_truth_state(t)),
                                              .calls = fv_load_relaxed_64(&a->n_calls),
                                              .pending = fv_actor_depth(index),
                                              .waited_s = n == 0 ? 0 : (double)fv_load_relaxed_64(&a->waited_ns) * 1e-9 / (double)n};
        if (info_out->ended)
            info_out->pending = 0;
    }
    return fv_leave(self, rc);
}

fever_actor fever_actor_self(void) {
    const struct fv_self *self = fv_self;
    return (fever_actor){self != NULL && fv_self_epoch == fv_epoch && self->proc->role == FV_ROLE_ACTOR ? self->proc->actor : 0};
}
