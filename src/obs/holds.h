/* obs/holds.h: who keeps what alive: every hold on every object, as the segment shows them.
 *
 * Run by:          the tools, on a read-only mapping.
 * Shared state:    reads task slots, hold tables, and the blocks that contain refs.
 * If it dies here: nobody notices.
 */
#ifndef FV_OBS_HOLDS_H
#define FV_OBS_HOLDS_H

#include "obs/read.h"

#define FV_OBS_HOLDS(X) \
    X(PROCESS, "process") X(ARGUMENT, "argument") X(CONTAINER, "container") X(STREAM, "stream") X(READER, "reader") X(WANTED, "wanted")
enum fv_obs_hold_kind {
#define FV_X(name, text) FV_HOLD_##name,
    FV_OBS_HOLDS(FV_X)
#undef FV_X
    FV_N_HOLDS
};

struct fv_obs_hold {
    uint64_t              id;  /* what is held */
    uint64_t              who; /* PROCESS, READER, WANTED: process slot; ARGUMENT, CONTAINER, STREAM: ref of the task or container */
    enum fv_obs_hold_kind kind;
};

/* All of them, by id.  False when memory is out; free *holds_out. */
bool fv_obs_holds(const struct fv_obs *o, struct fv_obs_hold **holds_out, size_t *n_out);
/* Those of one id: the first, and how many. */
const struct fv_obs_hold *fv_obs_holds_of(const struct fv_obs_hold *holds, size_t n, uint64_t id, size_t *n_out);
/* "process", "argument" ... */
const char *fv_obs_hold_word(enum fv_obs_hold_kind kind);

#endif
