/* run/actor_host.c: see actor_host.h.
 *
 * Run by the supervisor.  Who waits for a process it knows privately, in order of arrival; the truth is READY in their slots.  Writes
 * through core/ only.  Dies here: the runtime is over.
 */
#include "run/actor_host.h"

#include <stdlib.h>
#include <string.h>

#include "core/actor.h"
#include "core/cancel.h"
#include "run/runtime.h"

static struct fv_self *sup;
static uint32_t      (*find)(void);
static int           (*start)(uint64_t actor);
static void          (*end)(uint32_t slot);
static uint64_t       *waiting; /* refs, a ring of room entries */
static uint32_t        first, n_waiting, room;

void fv_actor_host_init(struct fv_self *self, uint32_t (*find_)(void), int (*start_)(uint64_t actor), void (*end_)(uint32_t slot)) {
    sup = self;
    find = find_;
    start = start_;
    end = end_;
}

uint32_t fv_actor_host_find(void) { return find(); }
int      fv_actor_host_start(uint64_t actor) { return start(actor); }

static bool grow(void) {
    uint32_t  more = room == 0 ? 64 : room * 2;
    uint64_t *p = malloc(more * sizeof *p);
    if (p == NULL)
        return false;
    for (uint32_t i = 0; i < n_waiting; i++)
        p[i] = waiting[(first + i) % room];
    free(waiting);
    waiting = p, first = 0, room = more;
    return true;
}

static bool is_ready(uint64_t actor) {
    uint64_t t = fv_load_acquire_64(&fv_task(fv_ref_index(actor))->truth);
    return fv_truth_gen(t) == fv_ref_gen(actor) && fv_truth_state(t) == FV_READY && fv_task_is_actor(fv_ref_index(actor));
}

void fv_actor_host_arrive(uint32_t index) {
    uint64_t actor = fv_ref_make(index, fv_truth_gen(fv_load_acquire_64(&fv_task(index)->truth)));
    if (!is_ready(actor))
        return;
    for (uint32_t i = 0; i < n_waiting; i++)
        if (waiting[(first + i) % room] == actor)
            return;
    FV_EACH_ACTIVE(p) /* its process is on its way: it has been forked, and will claim it */
        if (fv_load_relaxed_32(&fv_proc(p)->role) == FV_ROLE_ACTOR && fv_proc(p)->actor == actor && fv_load_relaxed_32(&fv_proc(p)->wait_reason) == FV_WAIT_START)
            return;
    if (n_waiting == room && !grow()) {
        fv_store_release_32(&fv_map.seg->resweep, 1); /* it is queued again */
        return;
    }
    waiting[(first + n_waiting++) % room] = actor;
}

bool fv_actor_host_turn(void) {
    if (n_waiting == 0 || fv_load_acquire_32(&fv_map.seg->state) == FV_STOPPING)
        return false;
    int rc = 1;
    for (; n_waiting != 0; n_waiting--) {
        uint64_t actor = waiting[first];
        if (is_ready(actor) && (rc = start(actor)) <= 0)
            break; /* when one ends, and now and then if it failed */
        first = (first + 1) % room;
    }
    fv_store_relaxed_32(&fv_map.seg->actors_waiting, n_waiting);
    return rc < 0;
}

/* READY, BLOCKED or DELAYED -> FAIL, as it is to be killed. */
static void end_unstarted(uint32_t index, uint64_t t) {
    struct fv_task *task = fv_task(index);
    uint64_t        actor = fv_ref_make(index, fv_truth_gen(t));
    if (!fv_cas_64(&task->truth, t, fv_truth_with(t, sup->slot, FV_RUN)))
        return; /* its process was quicker, or somebody holds it now: we are called again, as the request stands */
    struct fever_error e;
    fv_error_describe(&e, task->def, FEVER_EACTORDEAD);
    snprintf(e.text, sizeof e.text, "it was killed (fever_actor_kill)");
    fv_task_set_failure(sup, index, &e);
    bool is_held = fv_hold(sup, actor) == 0;
    fv_task_complete(sup, index, FV_FAIL);
    fv_actor_fail_calls(sup, actor, is_held, &e);
    if (is_held)
        fv_unhold(sup, actor);
}

void fv_actor_host_end_waiting(void) {
    FV_EACH_ACTIVE(p)
        for (uint32_t i = p << fv_map.shift, e = i + fv_load_acquire_32(&fv_proc(p)->slab_limit); i < e; i++) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
            unsigned s = fv_truth_state(t);
            if (!fv_task_is_actor(i) || s == FV_FREE || s == FV_DYING || fv_state_is_complete(s))
                continue;
            if (fv_cancel_asked(i, fv_truth_gen(t)) & FV_CANCEL_FORCE) {
                for (uint32_t gen = fv_truth_gen(t); fv_truth_gen(t) == gen && (s == FV_READY || s == FV_BLOCKED || s == FV_DELAYED);
                     s = fv_truth_state(t = fv_load_acquire_64(&fv_task(i)->truth)))
                    end_unstarted(i, t); /* no other generation: who was told of its end may have put the next actor here by now */
            } else if (s == FV_RUN && fv_load_relaxed_32(&fv_actor_of(i)->kill_wanted)) {
                fv_store_release_32(&fv_actor_of(i)->kill_wanted, 0);
                end(fv_truth_owner(t));
            }
        }
}
