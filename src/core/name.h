/* core/name.h: actors that are known by a name.
 *
 * The header of the segment has a table of names.  An entry belongs to one name, once and for all: it is known by the hash of
 * namespace and name, and found by probing from there.  Its second word, TRUTH, says whose the name is:
 *
 *   0                    nobody's
 *   ref, of an actor     its: from before that is READY until it has ended, whoever is asked
 *   ref, to come         of one who is about to make it READY: its slot is FREE, and of an older generation
 *   ref, else            nobody's: that actor has ended
 *
 *   word       writer                                                      when
 *   hash       who needs the name first, CAS from 0                        once
 *   actor      who makes an actor: its ref, by a CAS from nobody's         before READY
 *              the actor, when nobody has a handle: 0, by a CAS from its own ref; and back if somebody had found it meanwhile
 *              the sweep: 0, after the death of who was about to make one
 *
 * Who finds an actor holds it, and nobody has handed it the ref.  So it notes the ref in its process slot (`seeking`) before it looks
 * whether the actor lives, and a complete actor that somebody is seeking is not freed; who sought it frees it then.  Named actors
 * are SHARED from the beginning, so that they are freed by fv_task_free() only, which looks.
 */
#ifndef FV_CORE_NAME_H
#define FV_CORE_NAME_H

#include "core/self.h"

/* The entry of a name: 1 + its number; 0: there is none (make: the table is full). */
uint32_t fv_name_entry(const char *name_space, const char *name, bool make);
/* The name is that of ref, which is about to be made.  0; -FEVER_ENAMETAKEN. */
int      fv_name_take(uint32_t entry, uint64_t ref);
/* It is not, any more.  False: it was not. */
bool     fv_name_drop(uint32_t entry, uint64_t ref);
/* Holds the actor with that name.  0; -FEVER_ENONAME; 1: it is being made just now; -FEVER_ENOSLOTS. */
int      fv_name_find(struct fv_self *self, const char *name_space, const char *name, uint64_t *ref_out);
/* Is somebody about to hold that actor? */
bool     fv_name_is_sought(uint64_t ref);
/* After a death. */
void     fv_name_sweep(struct fv_self *self, uint32_t dead);
/* At rest: violations. */
int      fv_name_validate(FILE *stream);

#endif
