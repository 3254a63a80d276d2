/* run/dispatcher.c: see dispatcher.h.
 *
 * Run by the supervisor.  What is pending, granted and to whom stands in its private memory.  Writes the orders of workers and
 * what the tools read.  The policy says what may start; here CPUs are found for it and processes:
 *
 *   place   a worker's CPU.  It is to be had when its executor (the worker, or the spare that stands in for it while it is
 *           blocked) has been asked, has ended what it ran, and stands by; or when there is no executor, since nobody works there.
 *   node    so many places side by side, with resources of its own.  What is granted is taken of one node.
 *   host    the process that runs a granted task: an executor of one of its places, or a guest: a spare that works beside others
 *           on their CPU.  One grant a host at a time.
 *
 * What is available is always the total less the demands of the grants that are out: a grant ends when its host says so, or dies.
 * An actor that holds CPUs or resources is granted them as a task is, and has them until its process ends; it runs in a slot of its own, so its
 * demand asks for no host, and by that it is known.
 *
 * A task that blocks gives its CPUs back, and asks for them again when it could go on (`lease` of its host); it keeps its custom
 * resources.  So among those that wait some have started already: they are in shapes of their own, by host.
 */
#include "run/dispatcher.h"

#include "core/actor.h"
#include "run/actor_host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/placement.h"
#include "core/queued.h"
#include "core/task.h"
#include "run/pending.h"
#include "run/runtime.h"

#define CLASSES_MOST 256u
#define STALE_LEAST  64u       /* so many entries of cancelled tasks may stand about; more, while the others are more */
#define TICK_LEAST_NS 1000000ull  /* asked workers are at work still: ask more of them after so long, then after twice as long */
#define TICK_MOST_NS  16000000ull

struct grant { /* by host */
    uint64_t         ref; /* 0: none */
    struct fv_demand demand; /* no CPUs while it is blocked */
    uint64_t         ceded;  /* of CPUs, then */
    uint32_t         node;
    uint32_t         resumes; /* number of its wish to go on; 0: none */
    int              priority;
    uint32_t         served; /* of the host, before */
    uint32_t         beside; /* a fraction: the place that it shares */
};
struct place { /* by worker slot */
    enum { IS_FREE, IS_WHOLE, IS_PART } use;
    uint32_t owner;    /* WHOLE: the host */
    uint32_t executor; /* of this turn; 0: nobody works there */
    bool     is_ready; /* of this turn: to be had */
    uint32_t n_here;   /* PART: tasks that share it */
};

static struct fv_self        *sup;
static uint32_t             (*start_spare)(void);
static uint32_t               n_workers, n_slots;
static struct grant          *grants;
static struct grant          *of_actors; /* by slot, from the first for actors on */
static struct place          *places;
static uint32_t              *node_of;  /* by worker slot */
static uint32_t              *stand_in; /* by blocked worker: the spare that works in its place */
static bool                  *wanted;   /* by slot: is to stand by */
static uint32_t              *known;    /* by task: generation that is pending or granted */
static struct fv_dispatch_view view, plan; /* what is; what would be, if all that may start had started */
static struct fv_dispatch_class classes[CLASSES_MOST];
static uint32_t               class_shape[CLASSES_MOST];
static struct node_want {
    uint32_t places, idle_places; /* free places that are to be ready; and if somebody is idle there */
}                            *node_want;
static uint32_t               n_granted, last_asked, last_resumes, ask_times;
static uint32_t               n_stale;  /* entries whose tasks were cancelled, about */
static uint64_t               tick_ns;
static bool                   no_spare; /* this turn: there is none to be had */

#define EACH_PLACE(node_, p) \
    for (uint32_t p = fv_map.seg->cluster.node[node_].first, p##_end = p + fv_map.seg->cluster.node[node_].n_workers; p < p##_end; p++)

/* Tables by node, for what is and for what would be. */
static bool open_views(void) {
    const struct fv_node_table *c = &fv_map.seg->cluster;
    view.n_nodes = c->n_nodes;
    view.hosts = n_slots;
    view.classes = classes;
    plan = view;
    view.nodes = calloc(c->n_nodes, sizeof *view.nodes);
    plan.nodes = calloc(c->n_nodes, sizeof *plan.nodes);
    view.use = calloc(c->n_nodes, sizeof *view.use);
    plan.use = calloc(c->n_nodes, sizeof *plan.use);
    node_want = calloc(c->n_nodes, sizeof *node_want);
    if (view.nodes == NULL || plan.nodes == NULL || view.use == NULL || plan.use == NULL || node_want == NULL)
        return false;
    for (uint32_t n = 0; n < c->n_nodes; n++) {
        const struct fv_node_type *type = &c->type[c->node[n].type];
        view.nodes[n].type = c->node[n].type;
        view.nodes[n].total.units[FV_DEMAND_CPU] = (uint64_t)c->node[n].n_workers * FV_DISPATCH_UNIT;
        memcpy(&view.nodes[n].total.units[FV_DEMAND_CUSTOM], type->total, sizeof type->total);
        EACH_PLACE(n, p)
            node_of[p] = n;
    }
    return true;
}

int fv_dispatch_open(struct fv_self *self, uint32_t (*new_spare)(void)) {
    sup = self;
    start_spare = new_spare;
    n_workers = fv_rt.n_workers, n_slots = fv_rt.n_worker_slots;
    grants = calloc(n_slots + 1, sizeof *grants);
    of_actors = calloc(fv_rt.n_actor_slots + 1, sizeof *of_actors);
    places = calloc(n_workers + 1, sizeof *places);
    node_of = calloc(n_workers + 1, sizeof *node_of);
    stand_in = calloc(n_slots + 1, sizeof *stand_in);
    wanted = calloc(n_slots + 1, sizeof *wanted);
    known = calloc((size_t)fv_map.seg->n_procs << fv_map.shift, sizeof *known); /* touched where there are such tasks */
    if (grants == NULL || of_actors == NULL || places == NULL || node_of == NULL || stand_in == NULL || wanted == NULL || known == NULL || !open_views())
        return -ENOMEM;
    ask_times = 1, tick_ns = TICK_LEAST_NS;
    fv_store_relaxed_32(&fv_map.seg->dispatch.awake, 1);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ pending */

static bool is_pending(const struct fv_entry *e) {
    uint64_t t = fv_load_acquire_64(&fv_task(e->index)->truth);
    return fv_truth_gen(t) == e->gen && fv_truth_state(t) == FV_READY;
}

/* Does what the entry stands for wait still? */
static bool is_there(const struct fv_shape *s, const struct fv_entry *e) {
    return !s->wish.resumes ? is_pending(e)
                       : grants[e->index].resumes == e->gen && fv_load_acquire_32(&fv_proc(e->index)->lease) == FV_LEASE_WANTED;
}

static void forget(const struct fv_shape *s, const struct fv_entry *e) {
    if (!s->wish.resumes && known[e->index] == e->gen)
        known[e->index] = 0;
    else if (s->wish.resumes && grants[e->index].resumes == e->gen)
        grants[e->index].resumes = 0;
}

/* A queued bit: takes note of the task, if it is one, is READY, and is not known. */
static void arrive(void *arg, uint32_t index) {
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    uint32_t gen = fv_truth_gen(t);
    (void)arg;
    if (fv_task_is_actor(index) && fv_cold(index)->options == 0) { /* wants a process of its own, and nothing else */
        fv_actor_host_arrive(index);
        return;
    }
    if (known[index] != 0 && (known[index] != gen || fv_truth_state(t) != FV_READY))
        n_stale++; /* it was cancelled: its entry stays until it comes to the top, or there are too many */
    if (fv_truth_state(t) != FV_READY || known[index] == gen || !fv_dispatch_hold_still(sup, index, gen))
        return;
    struct fv_wish w;
    fv_wish_of(index, &w);
    int          priority = fv_task_options_of(index)->priority;
    uint64_t     queued_ns = fv_cold(index)->queued_ns;
    struct fv_entry e = {.index = index, .gen = gen, .priority = priority, .rank_ns = fv_dispatch_rank(priority, queued_ns), .queued_ns = queued_ns};
    if (!fv_dispatch_let_go(sup, index, gen))
        return;
    struct fv_shape *s = fv_shape_of(&w);
    if (s != NULL && fv_shape_push(s, e))
        known[index] = gen;
    else
        fv_store_release_32(&fv_map.seg->resweep, 1); /* out of memory: it is queued again */
}

/* ------------------------------------------------------------------------------------------------ grants */

static void leave_places(uint32_t host, struct grant *g) {
    if (g->beside != 0)
        places[g->beside].n_here--;
    g->beside = 0;
    if (g->demand.units[FV_DEMAND_CPU] < FV_DISPATCH_UNIT)
        return;
    EACH_PLACE(g->node, p)
        if (places[p].use == IS_WHOLE && places[p].owner == host) {
            places[p].use = IS_FREE;
            fv_store_relaxed_32(&fv_proc(p)->lent_to, 0);
        }
}

static void end_grant(uint32_t host) {
    struct grant *g = &grants[host];
    uint32_t      index = fv_ref_index(g->ref), gen = fv_ref_gen(g->ref);
    leave_places(host, g);
    fv_dispatch_give(&view, g->node, &g->demand);
    g->ref = 0;
    n_granted--;
    if (known[index] == gen) {
        known[index] = 0;
        arrive(NULL, index); /* it is to be repeated, and was queued before we knew that it had ended */
    }
}

/* ORDER served (acquire): served before what the host's task has left.  Pairs with served (release) in fv_host_serve(). */
static bool is_over(uint32_t host) { return fv_load_acquire_32(&fv_proc(host)->served) != grants[host].served; }

/* It is blocked: others may have its CPUs. */
static void cede(uint32_t host, struct grant *g) {
    struct fv_demand cpus = {{0}};
    cpus.units[FV_DEMAND_CPU] = g->ceded = g->demand.units[FV_DEMAND_CPU];
    fv_dispatch_give(&view, g->node, &cpus);
    leave_places(host, g);
    g->demand.units[FV_DEMAND_CPU] = 0;
}

/* It could go on. */
static void wish_to_resume(uint32_t host, struct grant *g, uint64_t now) {
    struct fv_wish w = {.types = UINT64_MAX, .strategy = FV_PLACE_AFFINITY_HARD, .node = g->node, .resumes = 1};
    w.demand.units[FV_DEMAND_CPU] = g->ceded;
    struct fv_shape *s = fv_shape_of(&w);
    struct fv_entry  e = {.index = host, .gen = ++last_resumes == 0 ? ++last_resumes : last_resumes, .priority = g->priority,
                       .rank_ns = fv_dispatch_rank(g->priority, now), .queued_ns = now};
    if (s != NULL && fv_shape_push(s, e))
        g->resumes = e.gen;
}

/* May it ever have its CPUs again, or do actors hold them? */
static bool may_come_back(const struct grant *g) {
    return g->ceded + view.nodes[g->node].held.units[FV_DEMAND_CPU] <= view.nodes[g->node].total.units[FV_DEMAND_CPU];
}

static void hold(struct grant *g, uint64_t sign) {
    for (int i = 0; i < FV_DEMANDS; i++)
        view.nodes[g->node].held.units[i] += sign * g->demand.units[i];
}

static void look_at_grants(uint64_t now) {
    for (uint32_t s = 1; s <= n_slots && n_granted != 0; s++) {
        struct grant *g = &grants[s];
        if (g->ref == 0)
            continue;
        /* ORDER lease (acquire): OFFERED before what it waits for.  Pairs with lease (release) in fv_host_offer(). */
        uint32_t lease = fv_load_acquire_32(&fv_proc(s)->lease);
        if (is_over(s))
            end_grant(s);
        else if (lease == FV_LEASE_WANTED && !may_come_back(g)) { /* without CPUs, as one that is cancelled; its wish is stale */
            g->resumes = 0;
            if (fv_cas_32(&fv_proc(s)->lease, lease, FV_LEASE_NONE))
                fv_bell_ring(fv_proc(s));
        }
        else if (lease == FV_LEASE_OFFERED && fv_worker_is_blocked(fv_proc(s)) && fv_cas_32(&fv_proc(s)->lease, lease, FV_LEASE_TAKEN))
            cede(s, g);
        else if (lease == FV_LEASE_WANTED && g->resumes == 0)
            wish_to_resume(s, g, now);
    }
}

void fv_dispatch_died(uint32_t slot) {
    struct fv_proc *p = fv_proc(slot);
    fv_store_release_64(&p->grant, 0);
    fv_store_relaxed_32(&p->standing, 0);
    fv_store_relaxed_32(&p->lease, FV_LEASE_NONE);
    if (grants[slot].ref != 0) {
        known[fv_ref_index(grants[slot].ref)] = 0; /* the sweep queues it, if it is to be repeated */
        end_grant(slot);
    }
}

void fv_dispatch_actor_died(uint32_t slot) {
    struct grant *g = &of_actors[slot - fv_rt.actor_slots];
    if (g->ref == 0)
        return;
    known[fv_ref_index(g->ref)] = 0; /* as above */
    leave_places(slot, g);
    fv_dispatch_give(&view, g->node, &g->demand);
    hold(g, UINT64_MAX);
    g->ref = 0;
    fv_fas_32(&fv_map.seg->dispatch.told, 1); /* what it held is for others */
}

/* beside: a fraction's place, 0: none. */
static void issue_to(uint32_t host, struct fv_shape *s, const struct fv_demand *demand, uint32_t node, int cpu, uint32_t beside) {
    struct fv_proc *p = fv_proc(host);
    struct grant   *g = &grants[host];
    g->ref = fv_ref_make(s->heap[0].index, s->heap[0].gen);
    g->demand = *demand;
    g->node = node;
    g->resumes = 0;
    g->priority = s->heap[0].priority;
    g->served = fv_load_acquire_32(&p->served);
    g->beside = beside;
    places[beside].n_here += beside != 0;
    n_granted++;
    fv_dispatch_take(&view, node, demand);
    fv_shape_pop(s);
    p->grant_cpu = cpu;
    fv_store_relaxed_32(&p->node, node);
    fv_store_relaxed_32(&p->lease, demand->units[FV_DEMAND_CPU] != 0 ? FV_LEASE_HELD : FV_LEASE_NONE);
    fv_store_release_32(&fv_map.seg->monitor_sleeps, 0); /* its host need not have slept as an idle worker does */
    /* ORDER grant (release): grant_cpu, lent_to and lease before the grant.  Pairs with grant (acquire) in fv_host_serve().  Losing it: the
     * task runs on other CPUs than it was given. */
    fv_store_release_64(&p->grant, g->ref);
    fv_bell_ring(p);
}

/* ------------------------------------------------------------------------------------------------ places and hosts */

static bool stands(uint32_t s) {
    struct fv_proc *p = fv_proc(s);
    uint32_t        asked = fv_load_relaxed_32(&p->asked);
    return asked != 0 && grants[s].ref == 0 && fv_load_acquire_32(&p->standing) == asked;
}

static void look_at_places(void) {
    memset(stand_in, 0, (n_slots + 1) * sizeof *stand_in);
    for (uint32_t s = n_workers + 1; s <= n_slots; s++) {
        uint32_t patron = fv_load_acquire_32(&fv_proc(s)->patron);
        if (patron != 0 && patron <= n_slots + 1 && fv_load_relaxed_32(&fv_proc(s)->role) == FV_ROLE_SPARE)
            stand_in[patron - 1] = s;
    }
    for (uint32_t p = 1; p <= n_workers; p++) {
        uint32_t e = p, steps = 0;
        while (e != 0 && fv_worker_is_blocked(fv_proc(e)) && steps++ < n_slots)
            e = stand_in[e];
        places[p].executor = e;
        places[p].is_ready = e == 0 || stands(e);
    }
    for (uint32_t n = 0; n < view.n_nodes; n++) { /* fewer fractions: fewer CPUs for them */
        uint32_t n_parts = 0, need = (uint32_t)((view.nodes[n].parts + FV_DISPATCH_UNIT - 1) / FV_DISPATCH_UNIT);
        EACH_PLACE(n, p)
            n_parts += places[p].use == IS_PART;
        EACH_PLACE(n, back) {
            uint32_t p = fv_map.seg->cluster.node[n].first + back_end - 1 - back; /* the last ones go first */
            if (n_parts <= need)
                break;
            if (places[p].use == IS_PART && places[p].n_here == 0 && (places[p].executor == 0 || grants[places[p].executor].ref == 0)) {
                places[p].use = IS_FREE;
                n_parts--;
            }
        }
    }
}

static uint32_t n_ready(uint32_t node) {
    uint32_t n = 0;
    EACH_PLACE(node, p)
        n += places[p].use == IS_FREE && places[p].is_ready;
    return n;
}

/* A spare without a CPU of its own. */
static uint32_t find_guest(void) {
    for (uint32_t s = n_workers + 1; s <= n_slots; s++)
        if (fv_load_acquire_32(&fv_proc(s)->patron) == 0 && stands(s))
            return s;
    for (uint32_t s = n_workers + 1; s <= n_slots; s++) {
        struct fv_proc *p = fv_proc(s);
        if (!fv_bit_test(fv_map.seg->spares, s) || p->asked != 0 || grants[s].ref != 0)
            continue;
        /* ORDER guest (seq_cst): asked before its bit is claimed.  Pairs with guest (seq_cst) in stand_by(), where the bit is set before
         * asked is read: whose bit we got will serve.  Losing it: it sleeps on, and its grant with it. */
        fv_fas_32(&p->asked, ++last_asked == 0 ? ++last_asked : last_asked);
        if (fv_bit_claim(fv_map.seg->spares, s))
            return s;
        fv_store_release_32(&p->asked, 0);
    }
    uint32_t s = no_spare ? 0 : start_spare();
    no_spare = s == 0;
    return s;
}

/* A fraction runs in that host, at that place. */
static void issue_at(uint32_t host, struct fv_shape *s, uint32_t p) {
    int cpu = fv_proc_cpu(fv_proc(p));
    places[p].use = IS_PART;
    issue_to(host, s, &s->wish.demand, node_of[p], cpu < 0 ? FV_GRANT_ANY : cpu, p);
}

/* Does host work at that place, or would it if it were not blocked? */
static bool is_own(uint32_t p, uint32_t host) {
    uint32_t steps = 0;
    for (uint32_t e = p; e != 0 && steps++ <= n_slots; e = stand_in[e]) {
        if (e == host)
            return true;
        if (!fv_worker_is_blocked(fv_proc(e)))
            return false;
    }
    return false;
}

static bool has_own(uint32_t host) {
    for (uint32_t p = 1; p <= n_workers; p++)
        if (is_own(p, host))
            return true;
    return false;
}

/* k CPUs that are ready go to host, that of its own place first.  True when it is among them. */
static bool lend(uint32_t host, uint32_t node, uint32_t k) {
    bool at_home = false;
    for (int own = 1; own >= 0; own--)
        EACH_PLACE(node, p)
            if (k > 0 && places[p].use == IS_FREE && places[p].is_ready && (!own || places[p].executor == host || is_own(p, host))) {
                places[p].use = IS_WHOLE;
                places[p].owner = host;
                fv_store_relaxed_32(&fv_proc(p)->lent_to, host + 1);
                at_home |= own;
                k--;
            }
    return at_home;
}

/* k whole CPUs: all of them are ready. */
static bool issue_whole(struct fv_shape *s, const struct fv_demand *demand, uint32_t node, uint32_t k) {
    uint32_t host = 0;
    EACH_PLACE(node, p)
        if (host == 0 && places[p].use == IS_FREE && places[p].is_ready)
            host = places[p].executor;
    if (host == 0 && (host = find_guest()) == 0)
        return false;
    lend(host, node, k);
    issue_to(host, s, demand, node, FV_GRANT_LENT, 0);
    return true;
}

/* The first of these gets its process.  k: so many CPUs are ready for it. */
static bool issue_actor(struct fv_shape *s, uint32_t node, uint32_t k) {
    uint32_t      slot = fv_actor_host_find();
    struct grant *g = slot == 0 ? NULL : &of_actors[slot - fv_rt.actor_slots];
    if (g == NULL)
        return false;
    *g = (struct grant){.ref = fv_ref_make(s->heap[0].index, s->heap[0].gen), .demand = s->wish.demand, .node = node};
    lend(slot, node, k);
    fv_proc(slot)->grant_cpu = k != 0 ? FV_GRANT_LENT : FV_GRANT_ANY; /* before the fork */
    fv_store_relaxed_32(&fv_proc(slot)->node, node);
    if (fv_actor_host_start(g->ref) <= 0) {
        leave_places(slot, g);
        g->ref = 0;
        return false;
    }
    fv_dispatch_take(&view, node, &s->wish.demand);
    hold(g, 1);
    fv_shape_pop(s);
    return true;
}

/* A fraction: the CPU for it is there.  In an executor that has nothing to do; else in a guest, where the fewest are. */
static bool issue_part(struct fv_shape *s, uint32_t node, bool one_more) {
    uint32_t fresh = 0, least = 0, guest;
    EACH_PLACE(node, p) {
        if (places[p].use == IS_PART && places[p].executor != 0 && stands(places[p].executor)) {
            issue_at(places[p].executor, s, p);
            return true;
        }
        if (places[p].use == IS_PART && (least == 0 || places[p].n_here < places[least].n_here))
            least = p;
        if (places[p].use == IS_FREE && places[p].is_ready && (fresh == 0 || places[fresh].executor == 0))
            fresh = p;
    }
    if (one_more && fresh != 0 && places[fresh].executor != 0) {
        issue_at(places[fresh].executor, s, fresh);
        return true;
    }
    if (least == 0 && !(one_more && fresh != 0))
        return false; /* no CPU is set aside for fractions yet: the one that is to be has still to be given up */
    if ((guest = find_guest()) == 0)
        return false;
    issue_at(guest, s, one_more && fresh != 0 ? fresh : least);
    return true;
}

/* Where a fraction goes on: at its own place if it may, else where the fewest are.  one_more: on a CPU that is none for fractions
 * yet.  0: there is none. */
static uint32_t place_for(uint32_t host, uint32_t node, bool one_more) {
    uint32_t best = 0;
    EACH_PLACE(node, p) {
        if (one_more ? places[p].use != IS_FREE || !places[p].is_ready : places[p].use != IS_PART)
            continue;
        if (is_own(p, host))
            return p;
        if (best == 0 || places[p].n_here < places[best].n_here)
            best = p;
    }
    return best;
}

/* The first of these goes on.  k: so many CPUs are ready for it. */
static bool resume(struct fv_shape *s, uint32_t k) {
    uint32_t        host = s->heap[0].index, at = 0;
    uint64_t        cpu = s->wish.demand.units[FV_DEMAND_CPU];
    struct grant   *g = &grants[host];
    struct fv_proc *p = fv_proc(host);
    bool            at_home;
    if (cpu >= FV_DISPATCH_UNIT) {
        at_home = lend(host, g->node, k);
        p->grant_cpu = FV_GRANT_LENT;
    } else {
        if ((at = place_for(host, g->node, k != 0)) == 0)
            return false;
        at_home = is_own(at, host);
        places[at].use = IS_PART;
        places[at].n_here++;
        int c = fv_proc_cpu(fv_proc(at));
        p->grant_cpu = c < 0 ? FV_GRANT_ANY : c;
    }
    g->beside = at;
    g->demand.units[FV_DEMAND_CPU] = cpu;
    g->resumes = 0;
    fv_dispatch_take(&view, g->node, &s->wish.demand);
    fv_shape_pop(s);
    /* ORDER lease (release): grant_cpu and lent_to before HELD.  Pairs with lease (acquire) in await_cpus().  Losing it: the task goes on
     * on other CPUs than it has. */
    if (fv_cas_32(&p->lease, FV_LEASE_WANTED, at_home || !has_own(host) ? FV_LEASE_HELD : FV_LEASE_AWAY))
        fv_bell_ring(p);
    else
        cede(host, g); /* it was cancelled meanwhile, and goes on without */
    return true;
}

/* ------------------------------------------------------------------------------------------------ a turn */

static void show_class(struct fv_dispatch_class *c, const struct fv_shape *s, uint64_t now) {
    c->demand = s->wish.demand;
    c->types = s->wish.types;
    c->strategy = s->wish.strategy;
    c->node = s->wish.node;
    c->n = s->n;
    c->resumes = s->wish.resumes;
    if (s->n != 0) {
        c->rank_ns = s->heap[0].rank_ns;
        c->waited_ns = now > s->heap[0].queued_ns ? now - s->heap[0].queued_ns : 0;
    }
}

static uint32_t drop_stale(struct fv_shape *s) {
    while (s->n != 0 && !is_there(s, &s->heap[0])) {
        forget(s, &s->heap[0]);
        fv_shape_pop(s);
    }
    return s->n;
}

/* Takes all entries of tasks that are not pending any more out of the heaps, once they are the half of all. */
static void drop_stale_deep(uint32_t n_pending) {
    if (n_stale < STALE_LEAST || n_stale < n_pending / 2)
        return;
    n_stale = 0;
    for (uint32_t i = 0; i < fv_n_shapes; i++) {
        struct fv_shape *s = &fv_shapes[i];
        uint32_t      n = s->n;
        s->n = 0;
        for (uint32_t k = 0; k < n; k++) {
            struct fv_entry e = s->heap[k];
            if (is_there(s, &e))
                fv_shape_push(s, e); /* at s->n <= k: in place */
            else
                forget(s, &e);
        }
    }
}

static uint32_t list_classes(uint64_t now) {
    static uint32_t *order, room;
    uint32_t         n = 0, pending = 0;
    if (room < fv_n_shapes) {
        uint32_t *p = realloc(order, 2 * fv_n_shapes * sizeof *p);
        if (p == NULL)
            return 0;
        order = p, room = 2 * fv_n_shapes;
    }
    for (uint32_t i = 0; i < fv_n_shapes; i++) {
        if (drop_stale(&fv_shapes[i]) == 0)
            continue;
        pending += fv_shapes[i].n;
        order[n++] = i;
    }
    if (n > CLASSES_MOST) /* those of the lowest rank wait until there are fewer */
        fv_shapes_sort(order, n);
    view.n_classes = FV_MIN(n, CLASSES_MOST);
    for (uint32_t c = 0; c < view.n_classes; c++) {
        class_shape[c] = order[c];
        show_class(&classes[c], &fv_shapes[order[c]], now);
    }
    return pending;
}

struct want {
    bool     idle;    /* some place is wanted only if somebody is idle there */
    bool     stalled; /* somebody could start, if a process were there */
    uint64_t low_ns;  /* when the first of low priority counts as an ordinary one */
};

/* An actor for which no process may be forked: the end of another one wakes us. */
static bool lacks_slot(const struct fv_wish *w) { return !w->resumes && w->demand.units[FV_DEMAND_HOST] == 0 && fv_actor_host_find() == 0; }

static void copy_plan(void) {
    plan.hosts_used = view.hosts_used;
    plan.n_classes = view.n_classes;
    memcpy(plan.nodes, view.nodes, view.n_nodes * sizeof *view.nodes);
    memcpy(plan.use, view.use, view.n_nodes * sizeof *view.use);
    memset(node_want, 0, view.n_nodes * sizeof *node_want);
}

/* Starts what may start and has its CPUs ready; what has not is counted in *want and by node. */
static void grant_all(uint64_t now, struct want *want) {
    static struct {
        uint32_t at, n; /* 1 + the node where one of the class waits for CPUs to be ready; how many do, anywhere */
    } waits[CLASSES_MOST];
    uint32_t node;
    memset(waits, 0, view.n_classes * sizeof *waits);
    copy_plan();
    for (int c = fv_dispatch_pick(&plan, &node); c >= 0; c = fv_dispatch_pick(&plan, &node)) {
        struct fv_shape  *s = &fv_shapes[class_shape[c]];
        struct node_want *w = &node_want[node];
        struct fv_demand  d = s->wish.demand;
        uint64_t          cpu = d.units[FV_DEMAND_CPU], parts = plan.nodes[node].parts;
        bool              low = !s->wish.resumes && classes[c].rank_ns + (int64_t)now < 0, done = false;
        uint32_t          k = (uint32_t)(cpu / FV_DISPATCH_UNIT);
        if (lacks_slot(&s->wish)) { /* it is in nobody's way */
            classes[c].n = 0;
            continue;
        }
        if (k == 0 && cpu != 0) /* it may need one more CPU for fractions */
            k = (parts + cpu + FV_DISPATCH_UNIT - 1) / FV_DISPATCH_UNIT > (parts + FV_DISPATCH_UNIT - 1) / FV_DISPATCH_UNIT;
        if (waits[c].at != node + 1) {
            bool ready = k == 0 || n_ready(node) >= w->places + w->idle_places + k;
            if (s->wish.resumes) {
                done = ready && resume(s, k);
            } else if (d.units[FV_DEMAND_HOST] == 0) {
                done = ready && issue_actor(s, node, k);
            } else if (cpu >= FV_DISPATCH_UNIT) {
                done = ready && issue_whole(s, &d, node, k);
            } else if (cpu != 0) {
                done = ready && issue_part(s, node, k != 0);
            } else {
                uint32_t guest = find_guest();
                if (guest != 0) {
                    issue_to(guest, s, &d, node, FV_GRANT_ANY, 0);
                    done = true;
                } else { /* no process is left: in a worker, as if it asked for a CPU */
                    d.units[FV_DEMAND_CPU] = FV_DISPATCH_UNIT;
                    k = fv_dispatch_lacks(&plan, node, &d) < 0;
                    done = k != 0 && n_ready(node) > w->places + w->idle_places && issue_whole(s, &d, node, 1);
                    if (k == 0)
                        d.units[FV_DEMAND_CPU] = 0;
                }
            }
        }
        fv_dispatch_take(&plan, node, &d);
        if (done) {
            drop_stale(s);
            show_class(&classes[c], s, now);
            classes[c].n -= FV_MIN(waits[c].n, classes[c].n);
            tick_ns = TICK_LEAST_NS, ask_times = 1;
            continue;
        }
        waits[c].at = node + 1, waits[c].n++;
        classes[c].n--;
        *(low ? &w->idle_places : &w->places) += k;
        want->idle |= low && k != 0;
        want->stalled = true;
        if (low && (want->low_ns == 0 || (uint64_t)-classes[c].rank_ns < want->low_ns))
            want->low_ns = (uint64_t)-classes[c].rank_ns;
    }
}

static void ask(uint32_t s, bool on) {
    struct fv_proc *p = fv_proc(s);
    uint32_t        asked = fv_load_relaxed_32(&p->asked);
    if ((asked != 0) == on)
        return;
    fv_store_release_32(&p->asked, !on ? 0 : ++last_asked == 0 ? ++last_asked : last_asked);
    fv_bell_ring(p);
}

/* As many more of that node are to stand by as are wanted: those that do already, then those that have nothing to do, then the others. */
static void want_there(uint32_t node) {
    const struct node_want *w = &node_want[node];
    uint32_t                more = w->places + w->idle_places, times = more > n_ready(node) ? ask_times : 1, n = 0;
    enum { READY, ASKED, IDLE, ANY };
    for (int round = READY; round <= ANY; round++) {
        uint32_t room = round == READY ? more : round == ANY ? w->places * times : more * times;
        EACH_PLACE(node, p) {
            uint32_t e = places[p].executor;
            if (n >= room)
                break;
            if (e == 0 || places[p].use != IS_FREE || wanted[e])
                continue;
            if (round == READY   ? places[p].is_ready
                : round == ASKED ? fv_load_relaxed_32(&fv_proc(e)->asked) != 0
                : round == IDLE  ? fv_bit_test(fv_map.seg->idle, e)
                                 : true) {
                wanted[e] = true;
                n++;
            }
        }
    }
}

/* Who is to stand by: hosts, executors of places in use, and those that are wanted. */
static bool ask_all(void) {
    bool any = false;
    memset(wanted, 0, (n_slots + 1) * sizeof *wanted);
    for (uint32_t s = 1; s <= n_slots; s++)
        wanted[s] = grants[s].ref != 0;
    for (uint32_t p = 1; p <= n_workers; p++)
        if (places[p].executor != 0 && places[p].use != IS_FREE)
            wanted[places[p].executor] = true;
    for (uint32_t n = 0; n < view.n_nodes; n++)
        want_there(n);
    for (uint32_t s = 1; s <= n_slots; s++) {
        ask(s, wanted[s]);
        any |= wanted[s];
    }
    return any;
}

/* Sums over all nodes, and each of them. */
static void publish_use(void) {
    struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    uint64_t                  cpu = 0, used[FV_N_RESOURCES] = {0};
    for (uint32_t n = 0; n < view.n_nodes; n++) {
        const struct fv_dispatch_node *from = &view.nodes[n];
        struct fv_node                *to = &fv_map.seg->cluster.node[n];
        to->cpu_used = from->used.units[FV_DEMAND_CPU] + from->parts;
        cpu += to->cpu_used;
        for (uint32_t i = 0; i < d->n_resources; i++) {
            to->used[i] = from->used.units[FV_DEMAND_CUSTOM + i];
            used[i] += to->used[i];
        }
    }
    d->cpu_used = cpu;
    for (uint32_t i = 0; i < d->n_resources; i++)
        fv_store_relaxed_64(&d->resource[i].used, used[i]);
}

static void publish(uint32_t n_pending) {
    struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    d->n_pending = n_pending;
    d->n_granted = n_granted;
    publish_use();
    uint32_t n = 0;
    for (uint32_t c = 0; c < view.n_classes && n < FV_PENDING_SHOWN; c++) {
        const struct fv_shape *s = &fv_shapes[class_shape[c]];
        if (s->n == 0)
            continue;
        struct fv_pending *w = &d->pending[n++];
        w->n = s->n;
        uint32_t at = fv_dispatch_waits_at(&view, &classes[c]);
        w->node = at == FV_PLACE_NONE ? 0 : at + 1;
        w->lacks = at == FV_PLACE_NONE ? -1 : (int16_t)fv_dispatch_lacks(&view, at, &s->wish.demand);
        if (at != FV_PLACE_NONE && lacks_slot(&s->wish))
            w->lacks = FV_DEMAND_HOST;
        w->free_units = w->lacks < 0 ? 0 : fv_dispatch_free(&view, at, w->lacks);
        w->priority = (int16_t)s->heap[0].priority;
        w->resumes = s->wish.resumes;
        w->cpu_units = s->wish.demand.units[FV_DEMAND_CPU];
        w->since_ns = s->heap[0].queued_ns;
        memcpy(w->want, &s->wish.demand.units[FV_DEMAND_CUSTOM], sizeof w->want);
    }
    fv_store_release_32(&d->n_shown, n);
}

uint64_t fv_dispatch_turn(void) {
    static uint32_t           n_listed; /* at the end of the last turn */
    struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    struct want               want = {0};
    uint32_t                  told = fv_fas_32(&d->told, 0);
    if (told == 0 && !d->busy && !fv_dispatch_is_queued_any())
        return 0;
    uint64_t now = fv_now_ns();
    no_spare = false;
    fv_dispatch_collect(arrive, NULL);
    look_at_grants(now);
    look_at_places();
    drop_stale_deep(n_listed);
    /* Before a grant is out, or anybody is asked: who runs by it finds busy, and tells when it blocks (ORDER grant). */
    if (list_classes(now) != 0)
        fv_store_release_32(&d->busy, 1);
    grant_all(now, &want);
    bool     any = ask_all();
    uint32_t pending = n_listed = list_classes(now);
    publish(pending);
    fv_store_release_32(&d->idle_wanted, want.idle);
    fv_store_release_32(&d->busy, any || pending != 0 || n_granted != 0);
    if (!want.stalled)
        return want.low_ns;
    uint64_t next = now + tick_ns;
    tick_ns = FV_MIN(tick_ns * 2, TICK_MOST_NS);
    ask_times = FV_MIN(ask_times * 2, n_workers);
    return want.low_ns != 0 ? FV_MIN(next, want.low_ns) : next;
}

bool fv_dispatch_sleep(void) {
    struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    /* ORDER queued (seq_cst), ORDER served (acquire): awake goes off before the last look.  Pairs with both in core/queued.c. */
    fv_fas_32(&d->awake, 0);
    if (!fv_dispatch_is_queued_any() && fv_load_acquire_32(&d->told) == 0)
        return true;
    fv_store_release_32(&d->awake, 1);
    return false;
}

void fv_dispatch_wake(void) { fv_store_release_32(&fv_map.seg->dispatch.awake, 1); }
