/* api/api.h: entering and leaving the library, and waiting: shared by the files of this folder.
 *
 * Every public function that touches the runtime starts with fv_enter() and ends with fv_leave().  Between the two
 * the thread is `busy`, so that a signal handler that calls in is refused.
 */
#ifndef FV_API_H
#define FV_API_H

#include "base/clock.h"
#include "core/cancel.h"
#include "core/group.h"
#include "core/task.h"
#include "run/runtime.h"

extern __thread uint64_t fv_self_epoch __attribute__((tls_model("initial-exec")));

/* The slow way in: attaches the thread, or says why not. */
struct fv_self *fv_enter_slow(int *why);

static inline struct fv_self *fv_enter(int *why) {
    struct fv_self *s = fv_self;
    if (FV_LIKELY(s != NULL && fv_self_epoch == fv_epoch && !s->busy)) {
        s->busy = 1;
        return s;
    }
    return fv_enter_slow(why);
}

static inline int fv_leave(struct fv_self *self, int rc) {
    if (FV_UNLIKELY(self->call_supervisor)) {
        self->call_supervisor = false;
        fv_supervisor_ring();
    }
    self->busy = 0;
    return rc;
}

/* Absolute time of a time limit in seconds from now: 0 polls, below 0 is for ever (UINT64_MAX). */
uint64_t fv_deadline(double timeout_s);

/* Waits until index (of generation gen) is complete: spins, then sleeps.  In a body: lets a spare stand in.
 * 0, -FEVER_ETIMEDOUT, -FEVER_ERUNTIME, -FEVER_EDEPTH, -FEVER_EDEADLK. */
int fv_wait_complete(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t deadline);
/* Waits a little for some slot of one's own to become free. */
int fv_wait_slot(struct fv_self *self, uint64_t *spin_until);

/* Submits; spins or sleeps while all task slots are in flight. */
int fv_submit(struct fv_self *self, const struct fever_def *def, const void *args, size_t bytes,
              const struct fever_task_options *options, unsigned flags, uint32_t group, uint32_t group_index, uint64_t site,
              uint64_t *id_out);
/* The same for an actor, or for a call of one. */
struct fv_for {
    const struct fv_actor_spec *spec;    /* an actor */
    struct fv_mailbox          *mailbox; /* a call, and how often it is repeated unless its options say */
    int                         retries;
};
int fv_submit_for(struct fv_self *self, const struct fever_def *def, const void *args, size_t bytes,
                  const struct fever_task_options *options, unsigned flags, uint32_t group, uint32_t group_index, uint64_t site,
                  const struct fv_for *what, uint64_t *id_out);
/* fever_put_with(), fever_object_put() and fever_object_create(), inside, for a call at site.  spec: NULL: nothing of its own. */
struct fv_object_spec {
    struct fever_object_options options; /* checked and completed: fv_object_check() */
    uint32_t                    block_bytes;
};
int fv_put(struct fv_self *self, const void *data, size_t bytes, const fever_ref *refs, size_t n_refs, uint64_t site, fever_ref *ref_out);
int fv_put_as(struct fv_self *self, const struct fv_object_spec *spec, const void *data, size_t bytes, uint64_t site, fever_ref *ref_out);
int fv_create(struct fv_self *self, const struct fv_object_spec *spec, size_t bytes, uint64_t site, void **data_out, fever_ref *ref_out);
/* In a body: room for its result; NULL: the task has failed. */
void *fv_result(struct fv_self *self, size_t bytes);
/* In a body of the library's: its task fails with that code (FEVER_E... or an errno), and says so. */
void fv_body_fail(struct fv_self *self, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The definition of tasks that copy a part of what they depend on; the same number in all processes. */
extern struct fever_def fv_part_def;
/* Is the value of a task with such a definition to be had as this type? */
bool fv_part_is(const struct fv_task *task, unsigned type);
/* fever_group_submit, for a call at site. */
int fv_group_submit(struct fever_group *group, const struct fever_def *def, const void *args, size_t bytes,
                    const struct fever_task_options *options, uint64_t site);
/* In a public function: the address of the call of it. */
#define FV_SITE() ((uint64_t)(uintptr_t)__builtin_return_address(0) - 1)
/* FEVER_INLINE=1: runs the task if it is READY, and what became READY by that. */
void fv_run_inline(struct fv_self *self, uint32_t index);
/* FEVER_INLINE=1: no other thread uses the runtime, or the task with word t runs further up on this stack. */
bool fv_is_alone(struct fv_self *self, uint64_t t);
/* A body awaits a reentrant task that has not started: runs it here.  True when it did. */
bool fv_run_in_place(struct fv_self *self, uint32_t index, uint64_t truth);

/* report.c: lets go of the debug information that was read; a child of the program's gets a lock of its own. */
void fv_report_forget(void);
void fv_report_in_child(void);
/* "file.c:12, in main" or "program+0x1234" */
const char *fv_place_text(uint64_t site, char *buf, size_t bytes);
/* leak.c: says on standard error what this process still holds. */
void fv_leaks_report(void);
/* fault.c: from here on, and until then, writes through read-only views are told. */
void fv_fault_watch(void);
void fv_fault_unwatch(void);

/* api/cluster.c: which nodes there are: checked, and counted into o->workers; then written to the segment's header. */
int fv_cluster_plan(struct fv_options *o, char *why, size_t why_bytes);
int fv_cluster_fill(const struct fv_options *o);

#endif
