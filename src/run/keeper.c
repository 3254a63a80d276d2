/* run/keeper.c: the keeper of the store: writes cold objects to disk, reads them back, makes room.
 *
 * Forked by the supervisor when somebody first wants it, sleeps on its bell.  Writes residence words through core/store.c, answers in
 * process slots, its part of the segment.  Dies here: core/store.c says what becomes of each word; the supervisor has the files;
 * the next keeper finds in the task slots what stands in them.
 *
 * What it knows privately is a table by task slot: the copy of the object that is there, and when it was last seen in use.
 */
#include "run/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/store.h"
#include "plat/process.h"
#include "run/full.h"
#include "run/room.h"
#include "run/runtime.h"
#include "run/source.h"
#include "run/spillfile.h"
#include "shm/mapped.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BATCH_BYTES  (32ull << 20) /* written or read between two looks at who waits */
#define BATCH        16u
#define LOW_PERCENT  10            /* of the store, below the mark at which spilling starts: where it ends */
#define GRACE_NS     2000000000ull /* how long somebody waits for room that others may soon give back */
#define LOOK_NS      2000000ull    /* between two looks meanwhile */
#define RECLAIM_NS   500000000ull  /* between two looks for copies of what is gone, while there are any */
#define FULL_NS      1000000000ull /* after the disk has refused space for the fallback that is left alone */
#define OPEN_TRIES   1000          /* LOOK_NS apart */
#define IDLE_ANSWERS 16u           /* so often somebody is told that there is room, and does not get it */

struct known {
    uint64_t copy, bytes;
    uint32_t gen;  /* of the copy */
    uint32_t used; /* by the keeper's own count of uses, 0: never seen in use */
    bool     has_copy;
};
struct patience { /* of a process slot */
    uint64_t since_ns; /* it has been waiting in vain since then; 0: it has not */
    uint64_t ref; /* the object that it waits for; 0: room */
};

static struct fv_self      self;
static struct fv_io_queue *queue;
static struct known       *known;
static uint32_t           *copied; /* task slots with a copy */
static uint32_t            n_copied, room_copied, uses;
static struct patience    *patience;
static bool                said_fallback;
static uint64_t            fell_back_ns; /* when something new last found room in the fallback alone */
static bool                has_dirs, waits; /* waits: for what others may give back, looks again soon */
static bool                no_disk; /* something that was to be written found no room there */
static bool                was_no_disk; /* since somebody last wanted room */

static struct fv_keeper_state *books(void) { return &fv_map.seg->keeper; }
static void add(uint64_t *counter, uint64_t n) { fv_store_relaxed_64(counter, *counter + n); }

static bool is_stopping(void) { return fv_load_acquire_32(&fv_map.seg->state) == FV_STOPPING; }

__attribute__((noreturn)) static void leave(void) {
    fv_spill_farewell();
    _exit(0);
}

/* ------------------------------------------------------------------------------------------------ copies */

static void note_use(uint32_t index, uint32_t gen) {
    if (known[index].gen != gen && !known[index].has_copy)
        known[index].gen = gen;
    if (known[index].gen == gen)
        known[index].used = ++uses;
}

/* When an object was last seen in use, by the count of uses; one that is seen for the first time is used just now. */
static uint32_t last_use(uint32_t index, uint32_t gen) {
    if (known[index].gen != gen || known[index].used == 0)
        note_use(index, gen);
    return known[index].gen == gen ? known[index].used : 0;
}

static bool note_copy(uint32_t index, uint32_t gen, uint64_t copy, uint64_t bytes) {
    if (n_copied == room_copied) {
        uint32_t  room = room_copied ? room_copied * 2 : 256;
        uint32_t *p = realloc(copied, room * sizeof *p);
        if (p == NULL)
            return false;
        copied = p, room_copied = room;
    }
    known[index] = (struct known){copy, bytes, gen, known[index].gen == gen ? known[index].used : 0, true};
    copied[n_copied++] = index;
    return true;
}

static bool is_gone(uint32_t index) {
    const struct fv_task *task = fv_task(index);
    uint64_t              t = fv_load_acquire_64(&task->truth);
    return fv_truth_gen(t) != known[index].gen || fv_truth_state(t) == FV_FREE ||
           (fv_truth_state(t) == FV_DONE && fv_residence(fv_load_acquire_64(&task->result[0])) == FV_LOST);
}

/* Gives back the space of what is gone.  True: look again some time. */
static bool reclaim(void) {
    uint64_t away = 0;
    for (uint32_t k = 0; k < n_copied;) {
        uint32_t i = copied[k];
        if (is_gone(i)) {
            fv_spill_release(known[i].copy, known[i].bytes);
            known[i].has_copy = false;
            copied[k] = copied[--n_copied];
            continue;
        }
        away += fv_residence(fv_load_relaxed_64(&fv_task(i)->result[0])) == FV_AWAY ? known[i].bytes : 0;
        k++;
    }
    fv_store_relaxed_64(&books()->away_bytes, away);
    bool in_file = fv_map.seg->n_file_chunks != 0 && fv_extent_trim_file(self.slot, books()->reserve);
    return in_file || n_copied != 0;
}

static void release_copy(uint32_t index) {
    for (uint32_t k = 0; k < n_copied; k++)
        if (copied[k] == index) {
            copied[k] = copied[--n_copied];
            break;
        }
    fv_spill_release(known[index].copy, known[index].bytes);
    known[index].has_copy = false;
}

/* What a former keeper has left: the slots know. */
static void rebuild(void) {
    FV_EACH_ACTIVE(p)
        for (uint32_t i = p << fv_map.shift, e = i + fv_load_acquire_32(&fv_proc(p)->slab_limit); i < e; i++) {
            const struct fv_task *task = fv_task(i);
            uint64_t              t = fv_load_acquire_64(&task->truth), word = fv_load_acquire_64(&task->result[0]);
            uint64_t              bytes = task->result[1], copy = fv_cold(i)->copy;
            unsigned              where = fv_residence(word);
            if (fv_truth_state(t) == FV_DONE && task->x & FV_X_RESULT_BLOCK && bytes > FV_SMALL_MOST && (where == FV_CLEAN || where == FV_AWAY) &&
                fv_load_acquire_64(&fv_task(i)->truth) == t && fv_spill_found(copy, bytes) && !note_copy(i, fv_truth_gen(t), copy, bytes))
                _exit(1);
        }
    struct fv_spill_span *spans = malloc((n_copied + 1) * sizeof *spans);
    if (spans == NULL)
        return;
    for (uint32_t k = 0; k < n_copied; k++)
        spans[k] = (struct fv_spill_span){known[copied[k]].copy, known[copied[k]].bytes};
    fv_spill_settle(spans, n_copied);
    free(spans);
}

/* ------------------------------------------------------------------------------------------------ out */

struct object {
    uint64_t ref, offset, bytes, copy, check;
    bool     clean;
    bool     in_source; /* the file that it was loaded from is what it was */
};

static void let_go(struct object *o, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        fv_unhold(&self, o[i].ref);
}

/* Writes held objects; those that are written are clean then. */
static void write_out(struct object *o, uint32_t n) {
    struct fv_io io[BATCH];
    uint32_t     of[BATCH], m = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (o[i].clean || fv_in_file(o[i].offset))
            continue;
        if (!fv_store_reserve(o[i].bytes)) { /* it could not be read back: the disk is full */
            fv_spill_full();
            no_disk = was_no_disk = true;
            continue;
        }
        if (o[i].in_source) {
            fv_store_copied(&self, o[i].ref, FV_COPY_SOURCE, fv_store_source(fv_ref_index(o[i].ref))->check);
            o[i].clean = true;
            continue;
        }
        if (fv_spill_reserve(o[i].bytes, &o[i].copy) < 0) {
            no_disk = was_no_disk = true;
            continue;
        }
        o[i].check = XXH3_64bits(fv_at(o[i].offset), o[i].bytes);
        of[m] = i;
        io[m++] = fv_spill_io(o[i].copy, true, fv_at(o[i].offset), o[i].bytes);
    }
    if (m != 0)
        fv_io_run(queue, io, m);
    for (uint32_t k = 0; k < m; k++) {
        struct object *w = &o[of[k]];
        uint32_t       index = fv_ref_index(w->ref);
        bool           written = io[k].result == 0 && io[k].done >= io[k].bytes;
        if (known[index].has_copy) /* of what was in this slot before */
            release_copy(index);
        if (!written)
            fv_spill_failed(w->copy, io[k].result < 0 ? io[k].result : -EIO);
        if (!written || !note_copy(index, fv_ref_gen(w->ref), w->copy, w->bytes)) {
            fv_spill_release(w->copy, w->bytes);
            continue;
        }
        fv_store_copied(&self, w->ref, w->copy, w->check);
        w->clean = true;
        add(&books()->spilled_bytes, w->bytes);
        add(&books()->spilled_objects, 1);
    }
}

/* Lets the blocks of held, clean objects go; how many bytes of the store that gives. */
static uint64_t drop(const struct object *o, uint32_t n) {
    uint64_t ref[BATCH], bytes = 0;
    bool     dropped[BATCH];
    uint32_t at[BATCH], m = 0;
    for (uint32_t i = 0; i < n; i++)
        if (o[i].clean)
            at[m] = i, ref[m++] = o[i].ref;
    if (m != 0)
        fv_store_drop(&self, ref, m, dropped);
    for (uint32_t k = 0; k < m; k++)
        if (dropped[k])
            bytes += o[at[k]].bytes;
    add(&books()->dropped_bytes, bytes);
    return bytes;
}

/* Takes the victims [from, n) into o: up to BATCH and so many bytes that have to be written.  Where it has got to. */
static uint32_t take(const struct fv_victim *v, uint32_t from, uint32_t n, struct object *o, uint32_t *n_out) {
    uint64_t to_write = 0;
    *n_out = 0;
    for (; from < n && *n_out < BATCH && to_write < BATCH_BYTES; from++) {
        struct object *x = &o[*n_out];
        if (!fv_store_take(&self, v[from].index, &x->ref, &x->offset, &x->bytes))
            continue;
        struct fv_source *s = fv_store_source(v[from].index);
        x->in_source = s != NULL && fv_source_stays(s);
        x->clean = fv_residence(fv_load_acquire_64(&fv_task(v[from].index)->result[0])) == FV_CLEAN &&
                   (fv_cold(v[from].index)->copy != FV_COPY_SOURCE || x->in_source);
        to_write += x->clean || x->in_source ? 0 : x->bytes;
        ++*n_out;
    }
    return from;
}

/* How long the disk has taken since then is not to the account of those who wait. */
static void excuse(uint64_t begin) {
    uint64_t took = fv_now_ns() - begin;
    FV_EACH_ACTIVE(p)
        if (patience[p].since_ns != 0)
            patience[p].since_ns += took;
}

/* True: something has left the store. */
static bool evict(const struct fv_victim *v, uint32_t n) {
    struct object o[BATCH];
    uint32_t      m;
    uint64_t      bytes = 0, begin = fv_now_ns();
    for (uint32_t at = 0; at < n;) {
        at = take(v, at, n, o, &m);
        write_out(o, m);
        bytes += drop(o, m);
        let_go(o, m);
        if (is_stopping())
            leave();
    }
    excuse(begin);
    return bytes != 0;
}

/* Chunks side by side for so many bytes.  ROOM_MADE: something has left; ROOM_FREE: they are there already. */
enum room { ROOM_NONE, ROOM_LATER /* others may give some back soon */, ROOM_FREE, ROOM_MADE };
static enum room make_room_in(enum fv_room_part part, uint64_t bytes, bool more) {
    static struct fv_victim v[FV_VICTIMS];
    bool             later = false, is_free = false;
    for (;; part = FV_ROOM_STORE_CLEAN) {
        no_disk = false;
        fv_room_look(last_use, part);
        uint32_t n = fv_room_choose(bytes, more, v, &is_free, &later);
        if (n == 0)
            return is_free ? ROOM_FREE : later ? ROOM_LATER : ROOM_NONE;
        if (evict(v, n))
            return ROOM_MADE;
        if (part != FV_ROOM_STORE || !no_disk)
            return ROOM_LATER;
    } /* once more, without what would have to be written */
}

/* more: there was room, and who was told so did not get it.  If nothing can leave, what is free is offered again: another may have been
 * quicker. */
static enum room make_room(uint64_t bytes, bool more) {
    enum fv_room_part part = has_dirs && fv_spill_is_possible() ? FV_ROOM_STORE : FV_ROOM_STORE_CLEAN;
    was_no_disk = false;
    enum room         room = make_room_in(part, bytes, more);
    return more && room < ROOM_FREE ? make_room_in(part, bytes, false) : room;
}

/* In the fallback, for something new. */
static enum room make_room_in_file(uint64_t bytes) {
    if (fv_map.seg->n_file_chunks == 0 || fv_now_ns() - fv_load_relaxed_64(&books()->file_full_ns) < FULL_NS ||
        !fv_spill_leaves_enough(fv_map.file_fd, bytes))
        return ROOM_NONE;
    enum room room = make_room_in(FV_ROOM_FILE_NEW, bytes, false);
    if (room >= ROOM_FREE)
        fell_back_ns = fv_now_ns();
    if (room >= ROOM_FREE && books()->fallback_objects == 0 && !said_fallback) {
        said_fallback = true;
        fv_warn("the object store (%.1f MiB) has no room and nothing can leave it: objects are kept in a file on disk, which is slower. "
                "End views that are not needed (fever_view_end), release refs, or set FEVER_STORE_BYTES higher; fever memory shows who holds what",
                (double)fv_arena_capacity() / (1 << 20));
    }
    return room;
}

/* ------------------------------------------------------------------------------------------------ back */

/* Is it away?  Then it is held. */
static bool hold_away(uint64_t id, struct object *o) {
    uint32_t index = 0;
    uint64_t t = 0;
    if (fv_ref_check(id, &index, &t) < 0 || fv_truth_state(t) != FV_DONE || !fv_store_hold(&self, id))
        return false;
    const struct fv_task *task = fv_task(index);
    if (!fv_result_is_large(task) || fv_residence(fv_load_acquire_64(&task->result[0])) != FV_AWAY) {
        fv_unhold(&self, id);
        return false;
    }
    *o = (struct object){.ref = id, .bytes = task->result[1], .copy = fv_cold(index)->copy, .check = fv_cold(index)->copy_check};
    return true;
}

static void lose(const struct object *o, const char *why) {
    const struct fv_source *s = o->copy == FV_COPY_SOURCE ? fv_store_source(fv_ref_index(o->ref)) : NULL;
    fv_warn("an object of %llu bytes is lost: its %s%s %s", (unsigned long long)o->bytes, s != NULL ? "file " : "copy on disk",
            s != NULL ? fv_source_path(s) : "", why);
    add(&books()->lost_objects, 1);
    fv_store_lost(&self, o->ref, FEVER_ELOST);
}

/* Who has no descriptor just now may have one soon: the object is not lost by that. */
static int open_source(const struct fv_source *s, struct fv_file *file_out) {
    int rc;
    for (int i = 0; (rc = fv_source_open(s, file_out)) == -EMFILE || rc == -ENFILE || rc == -ENOMEM; i++) {
        if (i == OPEN_TRIES)
            break;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return rc;
}

/* Reads held objects into their blocks. */
static void read_back(struct object *o, uint32_t n) {
    struct fv_io   io[BATCH];
    struct fv_file source[BATCH], buffered[BATCH];
    uint32_t       of[BATCH], m = 0, n_sources = 0;
    uint64_t       begin = fv_now_ns();
    for (uint32_t i = 0; i < n; i++) {
        if (o[i].copy == FV_COPY_SOURCE) {
            const struct fv_source *s = fv_store_source(fv_ref_index(o[i].ref));
            int                     rc = open_source(s, &source[n_sources]);
            if (rc < 0) {
                lose(&o[i], rc == -ENOENT ? "is gone" : strerror(-rc));
                continue;
            }
            io[m] = (struct fv_io){.file = &source[n_sources++], .at = fv_at(o[i].offset), .bytes = o[i].bytes, .offset = s->offset};
        } else {
            io[m] = fv_spill_io(o[i].copy, false, fv_at(o[i].offset), o[i].bytes);
        }
        if (fv_in_file(o[i].offset)) { /* into pages of another file: by the page cache, which both are in */
            buffered[m] = *io[m].file;
            buffered[m].direct = -1;
            io[m].file = &buffered[m];
        }
        of[m++] = i;
    }
    if (m != 0)
        fv_io_run(queue, io, m);
    for (uint32_t k = 0; k < m; k++) {
        struct object *r = &o[of[k]];
        bool           read = io[k].done >= r->bytes;
        if (read && XXH3_64bits(fv_at(r->offset), r->bytes) == r->check) {
            note_use(fv_ref_index(r->ref), fv_ref_gen(r->ref));
            add(&books()->restored_bytes, r->bytes);
            add(&books()->restored_objects, 1);
            fv_store_restored(&self, r->ref, r->offset);
        } else {
            lose(r, !read ? io[k].result < 0 ? strerror(-io[k].result) : "is cut short" : r->copy == FV_COPY_SOURCE ? "has changed" : "is damaged");
        }
    }
    while (n_sources > 0)
        fv_file_close(&source[--n_sources]);
    excuse(begin);
}

/* It has waited for room in the store long enough, or others just have. */
static bool grace_is_over(uint32_t p) {
    uint64_t now = fv_now_ns();
    return (patience[p].since_ns != 0 && now - patience[p].since_ns >= GRACE_NS) || (fell_back_ns != 0 && now - fell_back_ns < GRACE_NS);
}

static bool is_impatient(uint32_t p, enum room room) {
    struct patience *w = &patience[p];
    uint64_t         now = fv_now_ns();
    if (w->since_ns == 0)
        w->since_ns = now;
    if (room != ROOM_NONE && now - w->since_ns < GRACE_NS) {
        waits = true;
        return false;
    }
    w->since_ns = 0;
    return true;
}

/* A process is told that it cannot have what it waits for. */
static void refuse(uint32_t p, uint64_t bytes) {
    bool can_write = has_dirs && fv_spill_is_possible();
    fv_room_look(last_use, can_write ? FV_ROOM_STORE : FV_ROOM_STORE_CLEAN);
    fv_full_say(bytes, !has_dirs ? "spilling is off" : can_write && !was_no_disk ? "nothing can go" : fv_spill_why());
    fv_proc(p)->room_answer = -FEVER_ESTOREFULL;
}

/* It has come, or never will: no longer asked for. */
static void forget_want(uint32_t p, uint32_t which, uint64_t id) {
    patience[p].since_ns = 0;
    if (fv_cas_64(&fv_proc(p)->want[which], id, 0) && which == 0)
        fv_bell_ring(fv_proc(p));
}

/* Into the fallback: a part of it is kept for that. */
static enum room restore_to_file(struct object *o) {
    enum room room = fv_map.seg->n_file_chunks == 0 ? ROOM_NONE : ROOM_FREE;
    for (int i = 0; room >= ROOM_FREE; i++) {
        o->offset = fv_store_restore_begin(&self, o->ref, true);
        if (o->offset != 0)
            return ROOM_MADE;
        if (i == 2) /* others have it, or there is no space on disk behind what is free */
            return room == ROOM_MADE ? ROOM_LATER : ROOM_NONE;
        room = make_room_in(FV_ROOM_FILE, o->bytes, i != 0);
    }
    return room;
}

/* want[which] of all.  only_free: without anything leaving for it.  True: something was done. */
static bool restore_wanted(uint32_t which, bool only_free) {
    struct object o[BATCH];
    uint32_t      n = 0, asker[BATCH];
    uint64_t      bytes = 0;
    bool          done = false;
    FV_EACH_ACTIVE(p) {
        uint64_t id = fv_load_acquire_64(&fv_proc(p)->want[which]);
        if (id == 0 || n == BATCH || bytes >= BATCH_BYTES)
            continue;
        bool twice = false;
        for (uint32_t i = 0; i < n; i++)
            twice |= o[i].ref == id;
        if (twice)
            continue; /* it is rung when the object has come, and looked at in the next round */
        if (!hold_away(id, &o[n])) {
            forget_want(p, which, id);
            continue;
        }
        if (which == 0 && patience[p].ref != id) /* the last one may have come without us */
            patience[p] = (struct patience){.ref = id};
        o[n].offset = fv_store_restore_begin(&self, id, false);
        enum room room = ROOM_NONE;
        uint32_t  vain = 0;
        while (o[n].offset == 0 && !only_free && (room = make_room(o[n].bytes, room == ROOM_FREE)) >= ROOM_FREE) {
            o[n].offset = fv_store_restore_begin(&self, id, false);
            if (room == ROOM_FREE && ++vain >= IDLE_ANSWERS)
                break;
        }
        if (o[n].offset == 0 && !only_free && (room == ROOM_NONE || grace_is_over(p)))
            room = FV_MAX(room, restore_to_file(&o[n]));
        if (o[n].offset != 0) {
            asker[n] = p;
            bytes += o[n++].bytes;
            continue;
        }
        uint64_t lacking = o[n].bytes;
        let_go(&o[n], 1);
        if (only_free) {
            forget_want(p, which, id);
        } else if (is_impatient(p, n != 0 ? ROOM_LATER : room)) { /* what is on its way may be dropped again soon */
            refuse(p, lacking);
            forget_want(p, which, id);
        }
    }
    if (n != 0) {
        read_back(o, n);
        for (uint32_t i = 0; i < n; i++)
            forget_want(asker[i], which, o[i].ref);
        let_go(o, n);
        done = true;
    }
    return done;
}

/* ------------------------------------------------------------------------------------------------ room */

static bool answer_room(void) {
    bool done = false;
    FV_EACH_ACTIVE(p) {
        struct fv_proc *proc = fv_proc(p);
        uint64_t        wanted = fv_load_acquire_64(&proc->room_wanted), bytes = wanted & FV_ROOM_BYTES;
        bool            in_file = false;
        if (wanted == 0) {
            if (fv_load_relaxed_64(&proc->want[0]) == 0)
                patience[p] = (struct patience){0}; /* it may have given up by itself */
            continue;
        }
        if (patience[p].ref != 0)
            patience[p] = (struct patience){0};
        enum room room = make_room(bytes, FV_ROOM_VAIN(wanted) != 0);
        if (room == ROOM_FREE && FV_ROOM_VAIN(wanted) >= IDLE_ANSWERS)
            room = ROOM_NONE; /* the chunks are free, but there is no memory behind them */
        if (room < ROOM_FREE && wanted & FV_ROOM_ANYWHERE && (room == ROOM_NONE || grace_is_over(p))) {
            enum room there = make_room_in_file(bytes);
            in_file = there >= ROOM_FREE;
            room = FV_MAX(room, there);
        }
        if (room >= ROOM_FREE)
            patience[p].since_ns = 0;
        else if (!is_impatient(p, room))
            continue;
        fv_store_relaxed_32((uint32_t *)&proc->room_answer, in_file ? FV_ROOM_IN_FILE : room == ROOM_FREE ? FV_ROOM_FREE : 0);
        if (room < ROOM_FREE)
            refuse(p, bytes);
        /* ORDER room-answer (release): the answer before room_wanted is 0.  Pairs with room-answer (acquire) in refusal(). */
        fv_store_release_64(&proc->room_wanted, 0);
        fv_bell_ring(proc);
        done = true;
    }
    return done;
}

/* Above the mark: a batch of cold objects leaves.  True: again. */
static bool spill_down(void) {
    struct fv_victim v[BATCH];
    uint64_t         mark = fv_map.seg->n_chunks * (uint64_t)fv_rt.options.spill_at / 100;
    if (!has_dirs || !fv_spill_is_possible() || fv_room_used_chunks() <= mark)
        return false;
    fv_room_look(last_use, FV_ROOM_STORE);
    uint64_t low = fv_map.seg->n_chunks * (uint64_t)FV_MAX(fv_rt.options.spill_at - LOW_PERCENT, 0) / 100;
    uint32_t n = fv_room_coldest(fv_room_used_chunks() - low, BATCH_BYTES / FV_CHUNK_BYTES, v, BATCH);
    return n != 0 && evict(v, n);
}

/* ------------------------------------------------------------------------------------------------ */

static void work(void) {
    for (;;) {
        uint32_t seen = fv_bell_read(self.proc);
        if (is_stopping())
            leave();
        /* ORDER keep (seq_cst): wanted off before the look at what is wanted.  Pairs with keep (seq_cst) in fv_store_ask(). */
        fv_fas_32(&books()->wanted, 0);
        waits = false;
        bool done = restore_wanted(0, false);
        done |= answer_room();
        if (!done)
            done = spill_down();
        for (uint32_t k = 1; k < FV_COUNT_OF(self.proc->want) && !done; k++)
            done = restore_wanted(k, true);
        bool more = reclaim();
        if (done)
            continue;
        self.proc->wait_reason = FV_WAIT_KEEPER;
        bool rung = fv_bell_wait(self.proc, seen, waits ? (int64_t)LOOK_NS : more ? (int64_t)RECLAIM_NS : -1);
        while (!rung && !waits && more) { /* a timeout is no reason to look for more than that */
            more = reclaim();
            rung = fv_bell_wait(self.proc, seen, more ? (int64_t)RECLAIM_NS : -1);
        }
        self.proc->wait_reason = FV_WAIT_NOT;
    }
}

void fv_keeper_main(int control, const int *fd) {
    size_t slots = (size_t)fv_map.seg->n_procs << fv_map.shift;
    fv_homes[FV_SUPERVISOR] = NULL;
    fv_holds_fini(); /* what we know of the supervisor's holds: they are not ours */
    fv_mapped_forget();
    if (fv_self_init(&self, fv_rt.keeper_slot, false) < 0)
        _exit(126);
    fv_self = &self;
    self.proc->pid = self.proc->tid = (uint32_t)getpid();
    self.proc->started_ns = fv_now_ns();
    if (!fv_map.seg->need_fence)
        fv_membarrier_register();
    known = mmap(NULL, slots * sizeof *known, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); /* touched where there are copies */
    patience = calloc(fv_map.seg->n_procs, sizeof *patience);
    if (known == MAP_FAILED || patience == NULL || !fv_room_open())
        _exit(126);
    queue = fv_io_open(FV_IO_DEPTH);
    has_dirs = fv_spill_open(fv_rt.options.spill_dirs, fv_rt.options.spill_limit, control, fd) > 0;
    rebuild();
    work();
    _exit(0);
}
