/* run/full.c: says what fills the store: the largest holders, and who holds them.
 *
 * Run by the keeper, when it refuses room.  Reads only.
 */
#include "run/full.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/store.h"
#include "plat/module.h"
#include "plat/symbol.h"
#include "run/room.h"
#include "shm/arena.h"

#define SHOWN  5
#define EACH_NS 1000000000ull

static void describe_process(uint32_t p, char *buf, size_t bytes) {
    const struct fv_proc *proc = fv_proc(p);
    bool                  driver = proc->role == FV_ROLE_DRIVER;
    snprintf(buf, bytes, driver ? "the program" : proc->role == FV_ROLE_SUPERVISOR ? "a dead process" : "worker %u", proc->number);
}

/* One that holds it; "" when nobody seems to. */
static void describe_holder(uint32_t index, uint32_t gen, char *buf, size_t bytes) {
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth), ref = fv_ref_make(index, gen), pin = (FV_TAG_PIN << 60) | (ref & ~(0xFull << 60));
    uint32_t holder = FV_NO_PROC;
    bool     pinned = false;
    buf[0] = '\0';
    FV_EACH_ACTIVE(p) {
        if (fv_proc(p)->role == FV_ROLE_KEEPER)
            continue;
        for (uint32_t i = 0, n = fv_holds_used(p); i < n; i++) {
            uint64_t id = fv_load_relaxed_64(&fv_holds_of(p)[i]);
            if (id == pin || (id == ref && holder == FV_NO_PROC))
                holder = p, pinned |= id == pin;
        }
    }
    if (fv_truth_gen(t) != gen)
        return;
    if (fv_truth_state(t) == FV_RUN || fv_truth_state(t) == FV_OPEN)
        holder = FV_MIN(fv_truth_owner(t), fv_map.seg->n_procs - 1);
    else if (holder == FV_NO_PROC && t & FV_HELD)
        holder = fv_home_of(index);
    if (holder == FV_NO_PROC)
        return;
    char who[40];
    describe_process(holder, who, sizeof who);
    snprintf(buf, bytes, ", %s by %s", pinned ? "being read" : fv_truth_state(t) == FV_DONE ? "held" : "being written", who);
}

/* " at file:line": where an object was made, or the definition of a task whose result it is. */
static void describe_site(const struct fv_task *task, char *buf, size_t bytes) {
    static struct fv_symbols *symbols;
    static bool               opened;
    struct fv_symbol          s = {.line = 0};
    uint64_t                  site = task->args[0], base;
    char                      name[40];
    buf[0] = '\0';
    if (task->kind == FV_KIND_TASK) {
        const struct fv_def_name *d = &fv_map.seg->defs[FV_MIN(task->def, FV_MAX_DEFS - 1u)];
        if (task->def < fv_map.seg->n_defs)
            snprintf(buf, bytes, " at %.60s:%u", d->file, d->line);
        return;
    }
    if (site == 0)
        return;
    if (!opened)
        symbols = fv_symbols_open(getpid()); /* we are forked from the program: its addresses are ours */
    opened = true;
    if (symbols != NULL && fv_symbols_find(symbols, site, &s, 1) != 0 && s.file[0] != '\0')
        snprintf(buf, bytes, " at %.80s:%d", s.file, s.line);
    else if (fv_module_find(site, &base, name, sizeof name))
        snprintf(buf, bytes, " at %s+%#llx", name, (unsigned long long)(site - base));
}

void fv_full_say(uint64_t bytes, const char *why) {
    static uint64_t           last_ns;
    const struct fv_room_run *run, *top[SHOWN] = {NULL};
    uint64_t                  now = fv_now_ns();
    uint32_t                  n = fv_room_runs(&run), n_top = 0;
    if (last_ns != 0 && now - last_ns < EACH_NS)
        return;
    last_ns = now;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = n_top;
        if (run[i].index == FV_NO_ROOT)
            continue;
        for (; k > 0 && top[k - 1]->chunks < run[i].chunks; k--)
            if (k < SHOWN)
                top[k] = top[k - 1];
        if (k < SHOWN) {
            top[k] = &run[i];
            n_top = FV_MIN(n_top + 1, (uint32_t)SHOWN);
        }
    }
    char   line[1600] = "";
    size_t at = 0;
    for (uint32_t k = 0; k < n_top && at < sizeof line - 320; k++) {
        const struct fv_task *task = fv_task(top[k]->index);
        char                  holder[80], site[120];
        describe_site(task, site, sizeof site);
        describe_holder(top[k]->index, top[k]->gen, holder, sizeof holder);
        at += (size_t)snprintf(line + at, sizeof line - at, "%s%.1f MiB (%.48s %016llx%s%s)", k == 0 ? "; the largest: " : ", ",
                               (double)top[k]->chunks * FV_CHUNK_BYTES / (1 << 20),
                               task->kind == FV_KIND_TASK && task->def < FV_MAX_DEFS ? fv_map.seg->defs[task->def].name : "object",
                               (unsigned long long)fv_ref_make(top[k]->index, top[k]->gen), site, holder);
    }
    char in_file[100] = "";
    if (fv_map.seg->n_file_chunks != 0)
        snprintf(in_file, sizeof in_file, "; nor in the fallback on disk, %.1f MiB of %.1f used", (double)fv_arena_file_bytes() / (1 << 20),
                 (double)fv_map.seg->n_file_chunks * FV_CHUNK_BYTES / (1 << 20));
    fv_logf("the object store is full: no room for %.1f MiB among %.1f, and %s%s%s", (double)bytes / (1 << 20),
            (double)fv_arena_capacity() / (1 << 20), why, in_file, line);
}
