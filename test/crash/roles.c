/* roles.c: see roles.h. */
#include "test/crash/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "run/fast.h"

struct fv_self roles_self[ROLES];

extern struct fever_def *__start_fever_defs[] __attribute__((weak, visibility("hidden")));
extern struct fever_def *__stop_fever_defs[] __attribute__((weak, visibility("hidden")));

#define MUST(x) \
    do { \
        if (!(x)) { \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #x); \
            fflush(stdout); \
            _exit(3); \
        } \
    } while (0)

struct fv_self *act(unsigned role) {
    for (unsigned i = 0; i < ROLES; i++)
        fv_homes[i] = NULL;
    fv_homes[role] = &roles_self[role];
    fv_self = &roles_self[role];
    fv_self_epoch = fv_epoch;
    roles_swap_holds(role);
    return fv_self;
}

void roles_open(unsigned role) {
    struct fv_proc *p = fv_proc(role);
    MUST(fv_segment_open_slot(role) == 0);
    static const uint32_t kind[ROLES] = {FV_ROLE_SUPERVISOR, FV_ROLE_WORKER, FV_ROLE_WORKER, FV_ROLE_DRIVER, FV_ROLE_WORKER, FV_ROLE_ACTOR, FV_ROLE_ACTOR};
    p->role = kind[role];
    p->pid = (uint32_t)getpid();
    p->number = role;
    p->cpu = -1;
    fv_bit_set(fv_map.seg->active, role);
    struct fv_self *self = &roles_self[role];
    MUST(fv_self_init(self, role, kind[role] == FV_ROLE_WORKER || kind[role] == FV_ROLE_ACTOR) == 0);
    /* room for what libc would make on the way, so that it is not stepped through */
    self->room_own = 256;
    self->own = malloc(self->room_own * sizeof *self->own);
    self->room_drop = 64;
    self->drop = malloc(self->room_drop * sizeof *self->drop);
    self->stack_low = NULL;
}

void roles_format(void) {
    const struct fv_segment_plan plan = {.n_procs = 8, .slab = ROLES_SLAB, .store_bytes = 4u << 20, .file_bytes = 3u << 20, .file_fd = -1};
    MUST(fv_segment_format(-1, &plan) == 0);
    struct fv_segment *s = fv_map.seg;
    s->n_workers = 2;
    s->gen_base = 1000;
    s->spin_ns = 0;
    s->n_cpus = 2;
    s->need_fence = 1;
    s->dispatch.cpu_units = 2 * 10000;
    s->dispatch.n_resources = 1;
    s->dispatch.resource[0] = (struct fv_resource){.name = "gpu", .total = 10000};
    s->cluster.n_types = s->cluster.n_nodes = 1;
    s->cluster.type[0] = (struct fv_node_type){.name = "node", .n_cpus = 2, .total = {10000}};
    s->cluster.node[0] = (struct fv_node){.state = FV_NODE_UP, .first = 1, .n_workers = 2};
    s->state = FV_UP;
    fv_epoch = 1;
    fv_rt.bell_fd = -1; /* nobody listens */
    fv_in_user_process = false; /* a broken promise ends us, and so fails the point */
    uint32_t id = 1;
    fv_defs[id] = &fv_part_def;
    fv_part_def.id = id++;
    for (struct fever_def **d = __start_fever_defs; d < __stop_fever_defs; d++) {
        if (*d == NULL) /* what the linker has put between, to align */
            continue;
        fv_defs[id] = *d;
        (*d)->id = id++;
        /* as fever_init() finds out: small ones go the short way, through run/fast.h */
        bool may_refs = (*d)->result_bytes >= 8 && ((*d)->result_type == 16 || (*d)->result_type == 255);
        if ((*d)->args_bytes <= ((*d)->flags & FEVER_DEF_METHOD ? FV_CALL_ARGS : FV_INLINE_ARGS) && (*d)->result_bytes <= FV_INLINE_RESULT && (*d)->has_refs == 0 &&
            !((*d)->flags & (FEVER_DEF_MAY_REFS | FEVER_DEF_ALIGNED | FEVER_DEF_STREAM | FEVER_DEF_ACTOR)) && !may_refs)
            (*d)->flags |= FV_DEF_PLAIN;
    }
    for (unsigned r = 0; r < FIRST_ACTOR; r++) /* actors come later */
        roles_open(r);
}
