/* policy/scale.h: which nodes to launch and to drain, and why.
 *
 * Pure: a snapshot comes in, a decision goes out into the caller's arrays; no clock (the time is a number of the snapshot), no atomics, no
 * allocation (the caller brings the work memory), no I/O.  The runtime and fever simulate call the same function; test/t_scale.c
 * compares it with brute force.  doc/autoscaler.md says in words what it does.
 *
 * In this order:
 *   minimum   each type has its min of nodes, launched or under way
 *   floor     what was requested fits into all nodes together, whatever runs on them
 *   gangs     all bundles of one are placed or none
 *   demands   first fit decreasing: busy nodes, idle nodes, launches under way, then new nodes, one type after the other as
 *             score() in scale.c says
 *   headroom  so much is kept free that what is in use is at most the threshold of all
 *   buffer    so many nodes of a type are kept idle
 * New nodes beyond the speed limit wait for a later decision; minimum and floor know no speed limit.  Then nodes that nobody needs, and
 * that are idle for long enough, are drained.
 *
 * Hysteresis: a drain is regretted when a node of that type is launched before the drained one has been gone for `hysteresis`
 * times as long as it was kept idle.  Then the type's idle timeout is doubled, until a drain is not regretted.  So a load that
 * swings makes some drains and launches at first, and none later.
 */
#ifndef FV_POLICY_SCALE_H
#define FV_POLICY_SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/label.h"

#define FV_SCALE_UNIT      10000u /* of each resource but memory, which is in bytes: one */
#define FV_SCALE_RESOURCES 18
#define FV_SCALE_TYPES     64
#define FV_SCALE_BACKOFF   6 /* an idle timeout is doubled so often at most */
#define FV_SCALE_NEVER     UINT64_MAX
#define FV_SCALE_NONE      UINT32_MAX

/* Resources: these two, then custom ones. */
enum { FV_SCALE_CPU, FV_SCALE_MEMORY, FV_SCALE_CUSTOM };

/* What a decision leaves for the next one, for each type; zero at first. */
struct fv_scale_memory {
    uint64_t drained_ns; /* the last drain, 0: none that could still be regretted */
    uint32_t backoff;
};

struct fv_scale_type {
    const char            *name;
    uint64_t               capacity[FV_SCALE_RESOURCES];
    const struct fv_label *labels;
    uint32_t               n_labels;
    uint32_t               min, max;
    uint32_t               buffer;    /* idle nodes kept ready */
    uint64_t               launch_ns; /* how long a launch takes; for the words */
    uint32_t               launching; /* launches under way */
    struct fv_scale_memory memory;
};

/* A node that is up. */
struct fv_scale_node {
    uint32_t type;
    bool     is_idle, is_draining;
    bool     holds_copies; /* it has the only copy of an object that is referenced */
    uint64_t idle_ns;      /* when is_idle: since when */
    uint64_t free[FV_SCALE_RESOURCES];
};

/* Tasks and actors of one shape that wait for a node. */
struct fv_scale_demand {
    uint64_t                    need[FV_SCALE_RESOURCES];
    const struct fv_label_term *terms;
    uint32_t                    n_terms;
    uint32_t                    n;
    int32_t                     priority; /* -100 .. 100 */
};

enum fv_scale_strategy { FV_SCALE_PACK, FV_SCALE_SPREAD, FV_SCALE_STRICT_PACK, FV_SCALE_STRICT_SPREAD };

/* A placement group that is not placed yet; priorities of its bundles do not count. */
struct fv_scale_gang {
    enum fv_scale_strategy        strategy;
    const struct fv_scale_demand *bundles;
    uint32_t                      n_bundles;
};

struct fv_scale_options {
    uint32_t max_nodes;          /* of all types together */
    uint32_t threshold_permille; /* of CPUs in use; 0 or 1000: no headroom */
    uint32_t speed_permille;     /* launches under way at once, of the nodes that are up; 0: no limit */
    uint32_t speed_least;        /* but so many always [5] */
    uint64_t idle_ns;
    uint32_t hysteresis;         /* [2]; 0: none */
};

struct fv_scale_snapshot {
    uint64_t                      now_ns;
    uint32_t                      n_resources; /* that are named; at least CPU and memory */
    const char *const            *resources;
    const struct fv_scale_type   *types;
    uint32_t                      n_types;
    const struct fv_scale_node   *nodes;
    uint32_t                      n_nodes;
    const struct fv_scale_demand *demands;
    uint32_t                      n_demands;
    const struct fv_scale_gang   *gangs;
    uint32_t                      n_gangs;
    const struct fv_scale_demand *floor; /* what was requested */
    uint32_t                      n_floor;
    struct fv_scale_options       options;
};

/*        code              what a, b and c are */
#define FV_SCALE_CODES(X) \
    /* launches */ \
    X(MIN,            "nodes there would be, min")                                  \
    X(FLOOR,          "requested bundles that these nodes take")                    \
    X(GANG,           "placement groups whose bundles they take; index: the first") \
    X(DEMAND,         "demands that they take, all demands; index: the first")       \
    X(HEADROOM,       "CPUs in use, CPUs, threshold in permille")                   \
    X(BUFFER,         "idle nodes there would be, buffer")                          \
    /* drains */ \
    X(IDLE,           "ns idle, idle timeout of the type now")                      \
    X(OVER_MAX,       "nodes of the type, max")                                     \
    /* idle nodes beyond their timeout that stay */ \
    X(KEEP_MIN,       "min")                                                        \
    X(KEEP_FLOOR,     "")                                                           \
    X(KEEP_BUFFER,    "buffer")                                                     \
    X(KEEP_COPIES,    "")                                                           \
    X(KEEP_DEMAND,    "")                                                           \
    /* why a demand is not placed */ \
    X(TYPE_MAX,       "nodes of the type, max")                                     \
    X(TOTAL_MAX,      "nodes, max of all types together")                           \
    X(LACKS,          "need, capacity; type: the nearest, resource: what it lacks") \
    X(LABEL,          "index of the term that fails; type: the nearest")            \
    X(NODES,          "bundles, nodes that there can be")
enum fv_scale_code {
    FV_SCALE_WHY_NONE,
#define X(code, doc) FV_SCALE_##code,
    FV_SCALE_CODES(X)
#undef X
    FV_SCALE_CODE_COUNT
};

struct fv_scale_reason {
    enum fv_scale_code code;
    uint32_t           type, resource; /* FV_SCALE_NONE: none */
    uint32_t           index;          /* of a demand or gang */
    uint64_t           a, b, c;
};

struct fv_scale_launch {
    uint32_t               type, n;
    struct fv_scale_reason reason;
};

struct fv_scale_drain {
    uint32_t               node;
    struct fv_scale_reason reason;
};

struct fv_scale_kept {
    uint32_t               type, n;
    struct fv_scale_reason reason;
};

/* What becomes of a demand, gang or requested bundle; the first six sum up to its number (bundles, for a gang). */
struct fv_scale_fate {
    uint32_t               fits;      /* on what is free now */
    uint32_t               under_way; /* on launches that are under way */
    uint32_t               launched;  /* on those of this decision */
    uint32_t               speed;     /* on launches that the speed limit holds back */
    uint32_t               held;      /* at a maximum: reason says which */
    uint32_t               infeasible; /* reason says what lacks */
    struct fv_scale_reason reason;
};

struct fv_scale_decision {
    struct fv_scale_launch *launches; /* room: FV_SCALE_LAUNCHES(n_types) */
    struct fv_scale_drain  *drains;   /* room: n_nodes */
    struct fv_scale_kept   *kept;     /* room: FV_SCALE_KEPT(n_types) */
    struct fv_scale_fate   *fates;    /* room: demands, then gangs, then floor */
    struct fv_scale_memory *memory;   /* room: n_types */
    uint32_t                n_launches, n_drains, n_kept;
    uint32_t                n_launched, n_deferred; /* nodes; the second: by the speed limit */
    uint32_t                speed_limit;            /* launches that could be under way; FV_SCALE_NONE: no limit */
    uint64_t                wake_ns;                /* when an idle node may be drained, if nothing else happens; FV_SCALE_NEVER: never */
};

#define FV_SCALE_LAUNCHES(n_types) (6 * (n_types))
#define FV_SCALE_KEPT(n_types)     (5 * (n_types))

/* Bytes of work memory, to be aligned for uint64_t; max_nodes of the options counts. */
size_t fv_scale_work_bytes(const struct fv_scale_snapshot *s);
void   fv_scale_decide(const struct fv_scale_snapshot *s, void *work, struct fv_scale_decision *d);

/* scale_words.c: in words and numbers, what and why; each writes at most `room` bytes and gives text. */
const char *fv_scale_launch_text(const struct fv_scale_snapshot *s, const struct fv_scale_launch *launch, char *text, size_t room);
const char *fv_scale_drain_text(const struct fv_scale_snapshot *s, const struct fv_scale_drain *drain, char *text, size_t room);
const char *fv_scale_kept_text(const struct fv_scale_snapshot *s, const struct fv_scale_kept *kept, char *text, size_t room);
/* of d->fates[index]: "12 of 4 cpu: 4 wait for launches under way; 8 held: large is at its max of 10" */
const char *fv_scale_fate_text(const struct fv_scale_snapshot *s, const struct fv_scale_decision *d, uint32_t index, char *text, size_t room);
/* "TYPE_MAX" */
const char *fv_scale_code_name(enum fv_scale_code code);
/* "2 cpu, 1.5 gpu" */
const char *fv_scale_need_text(const struct fv_scale_snapshot *s, const uint64_t *need, char *text, size_t room);

#endif
