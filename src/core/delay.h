/* core/delay.h: tasks that are run once more: at once, or not before some time. */
#ifndef FV_CORE_DELAY_H
#define FV_CORE_DELAY_H

#include "core/self.h"

/* A body of self's has called fever_fail(app_code): true when the task is to be repeated; it is out of our hands then. */
bool fv_task_retry(struct fv_self *self, uint32_t index, int app_code);
/* RUN by owner -> READY, or DELAYED when not_before_ns is not 0.  False when it is not RUN by owner. */
bool fv_task_requeue(struct fv_self *self, uint32_t index, uint32_t owner, unsigned attempt, bool uncharged, uint64_t not_before_ns);
/* Frees what an attempt that does not count has left of a result (the RUN owner, or the supervisor after its death). */
void fv_task_clear_result(struct fv_self *self, uint32_t index, struct fv_heap *heap);
/* There is a DELAYED task until at_ns: tells the supervisor. */
void fv_delay_note(struct fv_self *self, uint64_t at_ns);
/* Supervisor: DELAYED -> READY of all whose time has come, and their hints. */
void fv_delay_release(struct fv_self *self, uint64_t now_ns);
/* How long to wait before repetition number n (1, 2, ...): base, 2 base, 4 base ... up to most, and up to half as long again, by id. */
uint64_t fv_delay_of(uint64_t base_ns, uint64_t most_ns, unsigned n, uint64_t id);

#endif
