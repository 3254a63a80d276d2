/* core/name.c: see name.h.
 *
 * Run by who makes or finds actors, by actors, and by the supervisor after a death.  Writes the table of names and `seeking`.  Dies here:
 * fv_name_sweep() says what is left, and that it is little.
 */
#include "core/name.h"

#include <string.h>

#include "base/checksum.h"
#include "core/actor.h"

static struct fv_name *entry_of(uint32_t entry) { return &fv_map.seg->names[entry - 1]; }

static uint64_t hash_of(const char *name_space, const char *name) {
    char text[sizeof((struct fv_actor *)0)->name_space + sizeof((struct fv_actor *)0)->registered] = "";
    memcpy(text, name_space, strnlen(name_space, sizeof((struct fv_actor *)0)->name_space - 1));
    memcpy(text + sizeof((struct fv_actor *)0)->name_space, name, strnlen(name, sizeof((struct fv_actor *)0)->registered - 1));
    uint64_t h = fv_checksum(text, sizeof text);
    return h == 0 ? 1 : h;
}

uint32_t fv_name_entry(const char *name_space, const char *name, bool make) {
    uint64_t h = hash_of(name_space, name);
    for (uint32_t n = 0; n < FV_NAMES; n++) {
        uint32_t        i = ((uint32_t)h + n) & (FV_NAMES - 1);
        struct fv_name *e = &fv_map.seg->names[i];
        uint64_t        is = fv_load_acquire_64(&e->hash);
        if (is == 0 && (!make || fv_cas_value_64(&e->hash, 0, h, &is)))
            return make ? i + 1 : 0;
        if (is == h)
            return i + 1;
    }
    return 0;
}

enum owner { NOBODY, TO_COME, LIVES };

/* Whose is a name whose second word is ref? */
static enum owner owner_of(uint64_t ref) {
    if (ref == 0)
        return NOBODY;
    uint64_t t = fv_load_acquire_64(&fv_task(fv_ref_index(ref))->truth);
    unsigned s = fv_truth_state(t);
    if (fv_truth_gen(t) != fv_ref_gen(ref))
        return (int32_t)(fv_ref_gen(ref) - fv_truth_gen(t)) > 0 || fv_truth_gen(t) == 0 ? TO_COME : NOBODY;
    return s == FV_FREE || s == FV_DYING || fv_state_is_complete(s) ? NOBODY : LIVES;
}

int fv_name_take(uint32_t entry, uint64_t ref) {
    struct fv_name *e = entry_of(entry);
    uint64_t        was = fv_load_acquire_64(&e->actor);
    do
        if (owner_of(was) != NOBODY)
            return -FEVER_ENAMETAKEN;
    while (!fv_cas_value_64(&e->actor, was, ref, &was));
    return 0;
}

/* ORDER name (seq_cst): the name goes, by a CAS, before the actor looks whether anybody holds it.  Pairs with name (seq_cst) in
 * fv_name_find().  Losing it: an actor ends that somebody has just found. */
bool fv_name_drop(uint32_t entry, uint64_t ref) { return entry != 0 && fv_cas_64(&entry_of(entry)->actor, ref, 0); }

bool fv_name_is_sought(uint64_t ref) {
    FV_EACH_ACTIVE(p)
        if (fv_load_acquire_64(&fv_proc(p)->seeking) == ref)
            return true;
    return false;
}

/* Nobody seeks it any more, for our part: frees it if that has been put off for us. */
static void sought(struct fv_self *self, uint64_t ref) {
    /* ORDER seek (seq_cst): the note goes, by an exchange, before the look whether it may be freed.  Pairs with seek (seq_cst) in
     * fv_task_free(): who was kept from it by our note has let go before.  Losing it: neither of us frees it. */
    fv_fas_64(&self->proc->seeking, 0);
    struct fv_task *task = fv_task(fv_ref_index(ref));
    uint64_t        t = fv_load_acquire_64(&task->truth);
    if (fv_truth_gen(t) == fv_ref_gen(ref) && fv_state_is_complete(fv_truth_state(t)) && !(task->x & (FV_X_REFS | FV_X_ADOPTED)))
        fv_task_free(self, fv_ref_index(ref), t);
}

int fv_name_find(struct fv_self *self, const char *name_space, const char *name, uint64_t *ref_out) {
    uint32_t entry = fv_name_entry(name_space, name, false);
    while (entry != 0) {
        uint64_t ref = fv_load_acquire_64(&entry_of(entry)->actor);
        if (ref == 0)
            break;
        /* ORDER seek (seq_cst): the note, by an exchange, before the actor's truth word.  Pairs with seek (seq_cst) in fv_task_free().
         * Losing it: the slot is freed, and used anew, while we hold it. */
        fv_fas_64(&self->proc->seeking, ref);
        enum owner is = owner_of(ref);
        int        rc = is == LIVES ? fv_hold(self, ref) : is == TO_COME ? 1 : -FEVER_ENONAME;
        sought(self, ref);
        if (rc == -FEVER_ESTALE)
            continue; /* it has ended meanwhile: look again */
        if (rc != 0)
            return rc;
        const struct fv_actor *a = fv_actor_of(fv_ref_index(ref));
        /* ORDER name (seq_cst): the hold before the look whether the name is its own still.  Pairs with name (seq_cst) in
         * fv_name_drop(): either we see that it has dropped it, or it sees that we hold it. */
        fv_fence_full();
        bool ours = fv_load_acquire_64(&entry_of(entry)->actor) == ref;
        bool same = strcmp(a->name_space, name_space) == 0 && strcmp(a->registered, name) == 0; /* else: two names, one hash */
        if (ours && same) {
            *ref_out = ref;
            return 0;
        }
        fv_unhold(self, ref);
        if (!same)
            break;
    }
    return -FEVER_ENONAME;
}

void fv_name_sweep(struct fv_self *self, uint32_t dead) {
    struct fv_proc *proc = fv_proc(dead);
    uint64_t        seeking = proc->seeking;
    for (uint32_t i = 0; i < FV_NAMES; i++) {
        uint64_t ref = fv_load_acquire_64(&fv_map.seg->names[i].actor);
        if (ref != 0 && fv_home_of(fv_ref_index(ref)) == dead && owner_of(ref) == TO_COME)
            fv_cas_64(&fv_map.seg->names[i].actor, ref, 0); /* it will never be made */
    }
    if (seeking != 0) {
        fv_store_release_64(&proc->seeking, 0);
        sought(self, seeking);
    }
}

int fv_name_validate(FILE *stream) {
    int bad = 0;
    for (uint32_t i = 0; i < FV_NAMES; i++) {
        uint64_t   ref = fv_load_acquire_64(&fv_map.seg->names[i].actor);
        enum owner is = owner_of(ref);
        if (is == NOBODY || (is == LIVES && fv_task_is_actor(fv_ref_index(ref)) && fv_actor_of(fv_ref_index(ref))->entry == i + 1))
            continue;
        bad++;
        if (stream != NULL)
            fprintf(stream, "validate: name %u is that of slot %u gen %u, %s\n", i, fv_ref_index(ref), fv_ref_gen(ref),
                    is == TO_COME ? "which is not made" : "which has another");
    }
    FV_EACH_ACTIVE(p)
        if (fv_load_acquire_64(&fv_proc(p)->seeking) != 0) {
            bad++;
            if (stream != NULL)
                fprintf(stream, "validate: slot %u is looking for an actor\n", p);
        }
    return bad;
}
