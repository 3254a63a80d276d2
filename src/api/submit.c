/* api/submit.c: submitting tasks and groups.
 *
 * Run by drivers and by bodies.  Checks the caller's arguments, finds the refs in them, hands on to core/task.c.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/log.h"
#include "core/actor.h"
#include "core/options.h"
#include "core/placement.h"
#include "core/queued.h"
#include "run/fast.h"
#include "run/restore.h"

#define MAX_REFS 65000u

static const struct fever_task_options no_options = {.struct_bytes = sizeof(struct fever_task_options)};

/* Refs in the arguments that the runtime must know: parameters of type fever_ref and `after` (awaited), then refs inside structs
 * (kept alive).  The last are found by their look: a word that is a ref this process can hold; one too many keeps something alive a
 * little longer, none is missed. */
struct refs {
    uint64_t *id;
    uint32_t  n, n_deps;
    bool      inline_only;
    uint64_t  few[8];
};

static int find_refs(const struct fever_def *def, const void *args, size_t bytes, const struct fever_task_options *o, struct refs *r) {
    uint32_t n_params = 0;
    for (uint32_t i = 0; i < def->n_params; i++)
        n_params += def->ref_offsets[i] != FEVER_NOT_A_REF;
    bool     scan = def->flags & FEVER_DEF_MAY_REFS;
    uint64_t room = (uint64_t)n_params + o->n_after + (scan ? bytes / 8 : 0);
    r->n = r->n_deps = 0;
    r->id = r->few;
    if (room == 0)
        return 0;
    if (n_params + o->n_after > MAX_REFS)
        return -FEVER_EINVAL;
    if (room > sizeof r->few / sizeof r->few[0] && (r->id = malloc(room * 8)) == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < def->n_params; i++)
        if (def->ref_offsets[i] != FEVER_NOT_A_REF)
            memcpy(&r->id[r->n++], (const char *)args + def->ref_offsets[i], 8);
    for (size_t i = 0; i < o->n_after; i++)
        r->id[r->n++] = o->after[i].id;
    r->n_deps = r->n;
    r->inline_only = o->n_after == 0;
    if (scan)
        for (size_t at = 0; at + 8 <= bytes; at += 8) {
            uint64_t id, t = 0;
            uint32_t index = 0, k = 0;
            memcpy(&id, (const char *)args + at, 8);
            if (!fv_ref_tagged(id) || fv_ref_check(id, &index, &t) < 0)
                continue;
            while (k < r->n && r->id[k] != id)
                k++;
            if (k == r->n) {
                r->id[r->n++] = id;
                r->inline_only = false;
            }
        }
    return 0;
}

int fv_submit(struct fv_self *self, const struct fever_def *def, const void *args, size_t bytes,
              const struct fever_task_options *options, unsigned flags, uint32_t group, uint32_t group_index, uint64_t site,
              uint64_t *id_out) {
    if (FV_UNLIKELY(def->flags & (FEVER_DEF_ACTOR | FEVER_DEF_METHOD)))
        return -FEVER_ENOTASK;
    return fv_submit_for(self, def, args, bytes, options, flags, group, group_index, site, NULL, id_out);
}

int fv_submit_for(struct fv_self *self, const struct fever_def *def, const void *args, size_t bytes,
                  const struct fever_task_options *options, unsigned flags, uint32_t group, uint32_t group_index, uint64_t site,
                  const struct fv_for *what, uint64_t *id_out) {
    const struct fever_task_options *o = options == NULL ? &no_options : options;
    if (FV_UNLIKELY(def->id == 0 || def->id >= FV_MAX_DEFS || fv_defs[def->id] != def))
        return -FEVER_ENOTASK;
    if (FV_UNLIKELY(bytes != def->args_bytes || (bytes != 0 && args == NULL)))
        return bytes != def->args_bytes ? -FEVER_EINVAL : -FEVER_ENULL;
    struct fv_submission s = {.def = (uint16_t)def->id, .flags = flags, .args = args, .arg_bytes = (uint32_t)bytes,
                              .max_retries = -1, .aligned = def->flags & FEVER_DEF_ALIGNED, .group = group, .group_index = group_index,
                              .site = site};
    struct refs               r = {.id = r.few};
    struct fever_task_options wide;
    if (FV_UNLIKELY(options != NULL)) {
        int rc = fv_task_options_check(options, &wide, &s.options_bytes);
        if (rc < 0)
            return rc;
        o = &wide;
        if (what != NULL && what->spec != NULL && s.options_bytes == 0)
            s.options_bytes = sizeof(struct fv_task_options_block); /* one CPU: for a task that is nothing special */
        s.options = s.options_bytes != 0 ? &wide : NULL;
        s.timeout_ns = (uint64_t)(o->timeout_s * 1e9);
        s.max_retries = o->max_retries == FEVER_NO_RETRY ? 0 : o->max_retries == 0 ? (what != NULL ? what->retries : -1) : o->max_retries;
        if (s.options != NULL) {
            char why[128];
            rc = fv_placement_check(o, why, sizeof why);
            if (rc < 0) {
                fv_warn("%s: %s", o->name != NULL && o->name[0] != '\0' ? o->name : def->name, why);
                return rc;
            }
            s.queued_ns = rc > 0 ? fv_now_ns() : 0;
        }
    }
    if (FV_UNLIKELY(def->flags & FEVER_DEF_STREAM)) {
        if (group != 0) /* nobody could take its items */
            return -FEVER_EINVAL;
        s.stream_items = self->is_inline ? FV_STREAM_INLINE : o->stream_items == 0 ? FV_STREAM_ITEMS : (uint32_t)o->stream_items;
        s.stream_bytes = self->is_inline ? UINT64_MAX : o->stream_bytes == 0 ? FV_STREAM_BYTES : o->stream_bytes;
    } else if (FV_UNLIKELY(o->stream_items != 0 || o->stream_bytes != 0)) {
        return -FEVER_EINVAL;
    }
    if (FV_UNLIKELY(def->n_params != 0 && (def->has_refs || def->flags & FEVER_DEF_MAY_REFS)) || o->n_after != 0) {
        int rc = find_refs(def, args, bytes, o, &r);
        if (rc < 0)
            return rc;
        s.refs = r.id, s.n_refs = r.n, s.n_deps = r.n_deps;
        s.inline_refs = r.inline_only && bytes <= FV_INLINE_ARGS && !s.aligned;
    }
    int      rc;
    unsigned vain = 0;
    uint64_t spin_until = 0, actor = what != NULL && what->mailbox != NULL ? what->mailbox->actor : 0;
    if (FV_UNLIKELY(what != NULL)) {
        s.inline_refs = s.inline_refs && (what->mailbox == NULL || bytes <= FV_CALL_ARGS);
        s.mailbox = what->mailbox;
        if (s.stream_items != 0 && options == NULL) /* it has a cold line, where that stands */
            s.max_retries = what->retries;
        s.actor = what->spec;
        s.queued_ns = what->spec != NULL ? fv_now_ns() : 0;
    }
    while (FV_UNLIKELY((rc = fv_task_submit(self, &s, id_out)) == -FEVER_ENOSLOTS || rc == -FEVER_ESTOREFULL)) {
        rc = rc == -FEVER_ENOSLOTS ? fv_wait_slot(self, &spin_until) : fv_make_room(self, bytes + s.options_bytes + 24ull * s.n_refs + FV_CHUNK_BYTES / 16, &vain);
        if (rc < 0)
            break;
        if (FV_UNLIKELY(s.mailbox != NULL) && (s.mailbox = fv_actor_mailbox(self, actor)) == NULL) { /* bodies that ran meanwhile may have moved it */
            rc = -FEVER_ESTOREFULL;
            break;
        }
    }
    if (rc == 0)
        for (uint32_t i = 0; i < s.n_deps; i++)
            fv_store_prefetch(self, s.refs[i]);
    if (r.id != r.few)
        free(r.id);
    if (FV_UNLIKELY(rc < 0))
        return rc;
    uint32_t index = fv_ref_index(*id_out);
    if (FV_UNLIKELY((self->is_worker || self->running != 0) && flags & FV_HELD))
        fv_own_add(self, *id_out);
    if (FV_UNLIKELY(self->is_inline)) {
        fv_run_inline(self, index);
        return 0;
    }
    if (FV_UNLIKELY(s.mailbox != NULL))
        fv_actor_deliver(self, s.mailbox, index, fv_actor_last_place(s.mailbox));
    else
        fv_task_hint(self, index);
    return 0;
}

/* Checked in full, and fit for the short way. */
static inline bool is_plain(const struct fv_self *self, const struct fever_def *def, const void *args, size_t bytes) {
    return (def->flags & (FV_DEF_PLAIN | FEVER_DEF_METHOD)) == FV_DEF_PLAIN && def->id < FV_MAX_DEFS && fv_defs[def->id] == def && bytes == def->args_bytes && (args != NULL || bytes == 0) && !self->is_inline;
}

FV_FAST int submit_at(const struct fever_def *def, const void *args, size_t bytes, const struct fever_task_options *options,
                      uint64_t site, fever_ref *ref_out) {
    int why;
    if (FV_UNLIKELY(def == NULL || ref_out == NULL))
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (FV_UNLIKELY(self == NULL))
        return why;
    uint64_t id;
    int      rc = 0;
    if (FV_LIKELY(options == NULL && is_plain(self, def, args, bytes) && fv_fast_submit(self, def, args, bytes, FV_HELD, 0, 0, site, &id))) {
        if (self->is_worker)
            fv_own_add(self, id);
    } else {
        rc = fv_submit(self, def, args, bytes, options, FV_HELD, 0, 0, site, &id);
    }
    if (FV_LIKELY(rc == 0))
        ref_out->id = id;
    return fv_leave(self, rc);
}

int fever_submit(const struct fever_def *def, const void *args, size_t bytes, const struct fever_task_options *options, fever_ref *ref_out) {
    return submit_at(def, args, bytes, options, FV_SITE(), ref_out);
}

fever_ref fever_submit_ref(const struct fever_def *def, const void *args, size_t bytes, const struct fever_task_options *options) {
    fever_ref ref = FEVER_NULL_REF;
    int       rc = submit_at(def, args, bytes, options, FV_SITE(), &ref);
    if (FV_UNLIKELY(rc < 0))
        ref.id = FV_TAG_ERROR << 60 | (uint64_t)(uint16_t)-rc;
    return ref;
}

/* ------------------------------------------------------------------------------------------------ groups */

/* A closed group is kept for the next one that is opened, so that a stale handle is told from a good one. */
static struct fever_group *closed;
static pthread_mutex_t     closed_lock = PTHREAD_MUTEX_INITIALIZER;

static struct fever_group *new_group(void) {
    pthread_mutex_lock(&closed_lock);
    struct fever_group *g = closed;
    if (g != NULL)
        closed = g->next;
    pthread_mutex_unlock(&closed_lock);
    if (g == NULL)
        return calloc(1, sizeof *g);
    memset(g, 0, sizeof *g);
    return g;
}

static void retire_group(struct fever_group *g) {
    if (g->number == 0)
        return; /* it is already */
    free(g->failure);
    memset(g, 0, sizeof *g);
    pthread_mutex_lock(&closed_lock);
    g->next = closed;
    closed = g;
    pthread_mutex_unlock(&closed_lock);
}

static int not_its_owner(const struct fever_group *g) { return g->owner == NULL ? -FEVER_ESTALE : -FEVER_ECONTEXT; }

int fever_group_open(struct fever_group **group_out) {
    int why;
    if (group_out == NULL)
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t i = 0;
    while (i < self->n_groups && self->group[i] != NULL)
        i++;
    if (i == self->n_groups) {
        struct fever_group **p = realloc(self->group, (i + 8) * sizeof *p);
        if (p == NULL)
            return fv_leave(self, -ENOMEM);
        self->group = p;
        for (uint32_t k = i; k < i + 8; k++)
            p[k] = NULL;
        self->n_groups = i + 8;
    }
    struct fever_group *g = new_group();
    if (g == NULL)
        return fv_leave(self, -ENOMEM);
    g->owner = self;
    g->number = i + 1;
    self->group[i] = g;
    *group_out = g;
    return fv_leave(self, 0);
}

FV_FAST int group_submit_at(struct fever_group *g, const struct fever_def *def, const void *args, size_t bytes,
                            const struct fever_task_options *options, uint64_t site) {
    int why;
    if (FV_UNLIKELY(g == NULL || def == NULL))
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (FV_UNLIKELY(self == NULL))
        return why;
    if (FV_UNLIKELY(g->owner != self))
        return fv_leave(self, not_its_owner(g));
    if (FV_UNLIKELY(g->submitted - g->index_base > 0xFFFFFFFFull)) { /* the members in flight are counted from index_base */
        int64_t rc = 0;
        self->busy = 0;
        rc = fever_group_wait(g, FEVER_FOREVER);
        if (rc < 0)
            return (int)rc;
        self->busy = 1;
        g->index_base = g->submitted;
    }
    uint64_t id;
    int      rc = 0;
    if (FV_UNLIKELY(options != NULL || !is_plain(self, def, args, bytes) ||
                    !fv_fast_submit(self, def, args, bytes, 0, g->number, (uint32_t)(g->submitted - g->index_base), site, &id)))
        rc = fv_submit(self, def, args, bytes, options, 0, g->number, (uint32_t)(g->submitted - g->index_base), site, &id);
    if (FV_LIKELY(rc == 0))
        g->submitted++;
    return fv_leave(self, rc);
}

int fever_group_submit(struct fever_group *g, const struct fever_def *def, const void *args, size_t bytes,
                       const struct fever_task_options *options) {
    return group_submit_at(g, def, args, bytes, options, FV_SITE());
}

int fv_group_submit(struct fever_group *g, const struct fever_def *def, const void *args, size_t bytes,
                    const struct fever_task_options *options, uint64_t site) {
    return group_submit_at(g, def, args, bytes, options, site);
}

/* One look at all members; the index of one that is in flight, the youngest if it can be told, or FV_NO_TASK. */
static uint32_t look_at_members(struct fv_self *self, struct fever_group *g) {
    fv_home_reap(self);
    if (g->ended == g->submitted)
        return FV_NO_TASK;
    uint32_t base = self->slot << fv_map.shift, youngest = FV_NO_TASK, most = 0;
    for (uint32_t i = 0; i < self->limit; i++)
        if (self->home[i].group == g->number && (youngest == FV_NO_TASK || self->home[i].group_index >= most)) {
            youngest = base + i;
            most = self->home[i].group_index;
        }
    return youngest;
}

int64_t fever_group_wait(struct fever_group *g, double timeout_s) {
    int why;
    if (g == NULL)
        return -FEVER_ENULL;
    if (isnan(timeout_s))
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    if (g->owner != self)
        return fv_leave(self, not_its_owner(g));
    uint64_t deadline = fv_deadline(timeout_s);
    int      rc = 0;
    uint32_t index;
    while (rc == 0 && (index = look_at_members(self, g)) != FV_NO_TASK) {
        uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
        if (fv_truth_state(t) == FV_FREE || fv_state_is_complete(fv_truth_state(t)))
            continue;
        rc = fv_wait_complete(self, index, fv_truth_gen(t), deadline);
    }
    if (rc == 0 && g->failed != 0 && !self->deaf && fv_cancel_told(self)) /* its members are, too */
        rc = -FEVER_ECANCELED;
    fv_leave(self, 0);
    return rc < 0 ? rc : (int64_t)g->failed;
}

int fever_group_progress(struct fever_group *g, uint64_t *submitted_out, uint64_t *ended_out) {
    int why;
    if (g == NULL)
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    if (g->owner != self)
        return fv_leave(self, not_its_owner(g));
    fv_home_reap(self);
    if (submitted_out != NULL)
        *submitted_out = g->submitted;
    if (ended_out != NULL)
        *ended_out = g->ended;
    return fv_leave(self, 0);
}

int fever_group_close(struct fever_group *g) {
    int why;
    if (g == NULL)
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL) {
        if (fv_epoch == 0) /* its runtime is gone */
            retire_group(g);
        return why;
    }
    fv_leave(self, 0);
    if (g->owner == NULL) { /* closed, or of an earlier runtime */
        retire_group(g);
        return -FEVER_ESTALE;
    }
    self->deaf = true; /* also when it is cancelled: members may write to what the body is about to free */
    int64_t rc = fever_group_wait(g, FEVER_FOREVER);
    self->deaf = false;
    if (rc == -FEVER_ECONTEXT || rc == -FEVER_ESIGNAL)
        return (int)rc;
    g->owner->group[g->number - 1] = NULL;
    retire_group(g);
    return rc < 0 ? (int)rc : 0;
}
