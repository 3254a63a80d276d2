/* sim/sim.c: see sim.h.
 *
 * Run by:          the fever command, tests.
 * Shared state:    none.
 *
 * At each instant: what ends, what comes up, what is submitted; then tasks are placed; then, if something has changed and the last
 * decision is long enough ago, the autoscaler decides.  A shape that fits no node is not tried again until a node has more free than
 * before, and then only there, so that a long queue costs nothing.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define TEXT_BYTES 400

enum event_kind { ENDS, COMES_UP };

struct event {
    uint64_t at_ns, number; /* of two at once the one that was made first */
    uint32_t kind, node, shape, n;
};

/* Submissions of a shape that wait, first come first served. */
struct queue {
    uint32_t *items, first, n, room;
    uint64_t  n_tasks;
    uint64_t  types;
    bool      is_stuck; /* it fits no node but perhaps those in `freed` */
};

struct sim {
    const struct fv_cluster  *c;
    const struct fv_policy   *policy;
    const struct fv_workload *w;
    fv_sim_note              *note;
    void                     *arg;
    struct fv_sim_result     *r;
    uint64_t                  now_ns, n_made, seed;
    struct event             *heap;
    uint32_t                  n_heap, heap_room;
    struct queue             *queues;
    uint32_t                 *by_priority; /* shapes */
    uint32_t                 *left;        /* of each submission */
    /* nodes; those that are gone are used again */
    uint32_t               n_nodes, most_nodes, width;
    struct fv_scale_node  *nodes;
    uint64_t              *free, *born_ns;
    uint32_t              *type, *running;
    uint16_t              *use;
    bool                  *is_freed;
    uint32_t              *freed, n_freed;
    uint64_t               used_cpus, all_cpus, waiting_cpus;
    uint32_t               up[FV_SCALE_TYPES];
    struct fv_scale_type   types[FV_SCALE_TYPES];
    bool                   is_changed;
    uint64_t               decided_ns, wake_ns;
    uint32_t               sample_room;
    char                   last_fates[TEXT_BYTES];
};

/* ------------------------------------------------------------------------------------------------ events */

static bool is_before(const struct event *a, const struct event *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->number < b->number;
}

static bool push(struct sim *s, struct event e) {
    if (s->n_heap == s->heap_room) {
        uint32_t      room = s->heap_room == 0 ? 256 : 2 * s->heap_room;
        struct event *more = realloc(s->heap, room * sizeof *more);
        if (more == NULL)
            return false;
        s->heap = more;
        s->heap_room = room;
    }
    e.number = s->n_made++;
    uint32_t i = s->n_heap++;
    for (; i != 0 && is_before(&e, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
    return true;
}

static struct event pop(struct sim *s) {
    struct event first = s->heap[0], last = s->heap[--s->n_heap];
    uint32_t     i = 0;
    for (uint32_t child; (child = 2 * i + 1) < s->n_heap; i = child) {
        if (child + 1 < s->n_heap && is_before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!is_before(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = last;
    return first;
}

/* ------------------------------------------------------------------------------------------------ time */

static bool sample(struct sim *s) {
    struct fv_sim_result *r = s->r;
    struct fv_sim_sample  now = {.at_ns = s->now_ns, .waiting_cpus = s->waiting_cpus, .used_cpus = s->used_cpus, .all_cpus = s->all_cpus};
    memcpy(now.up, s->up, sizeof now.up);
    if (r->n_samples != 0 && r->samples[r->n_samples - 1].at_ns == s->now_ns)
        r->n_samples--;
    if (r->n_samples == s->sample_room) {
        if (s->sample_room == 16384) { /* every other one will do */
            for (uint32_t i = 0; i < s->sample_room / 2; i++)
                r->samples[i] = r->samples[2 * i];
            r->n_samples /= 2;
        } else {
            uint32_t              room = s->sample_room == 0 ? 1024 : 2 * s->sample_room;
            struct fv_sim_sample *more = realloc(r->samples, room * sizeof *more);
            if (more == NULL)
                return false;
            r->samples = more;
            s->sample_room = room;
        }
    }
    r->samples[r->n_samples++] = now;
    return true;
}

static void go_to(struct sim *s, uint64_t at_ns) {
    uint64_t us = at_ns / 1000 - s->now_ns / 1000;
    s->r->used_cpu_ns += s->used_cpus * us;
    s->r->all_cpu_ns += s->all_cpus * us;
    s->now_ns = at_ns;
}

/* ------------------------------------------------------------------------------------------------ nodes */

static uint64_t cpus_of(const struct sim *s, uint32_t type) { return s->c->types[type].capacity[FV_SCALE_CPU]; }

static void mark_freed(struct sim *s, uint32_t node) {
    if (!s->is_freed[node]) {
        s->is_freed[node] = true;
        s->freed[s->n_freed++] = node;
    }
}

static void set_use(struct sim *s, uint32_t node) {
    s->use[node] = fv_place_use(s->free + (size_t)node * s->width, s->c->types[s->nodes[node].type].capacity, s->width);
}

static void add_node(struct sim *s, uint32_t type, uint64_t born_ns) {
    uint32_t i = 0;
    while (i < s->n_nodes && s->type[i] != FV_PLACE_NONE)
        i++;
    s->n_nodes = FV_MAX(s->n_nodes, i + 1);
    s->nodes[i] = (struct fv_scale_node){.type = type, .is_idle = true, .idle_ns = s->now_ns};
    memcpy(s->free + (size_t)i * s->width, s->c->types[type].capacity, s->width * sizeof *s->free);
    s->type[i] = type;
    s->running[i] = 0;
    s->born_ns[i] = born_ns;
    set_use(s, i);
    mark_freed(s, i);
    s->up[type]++;
    s->all_cpus += cpus_of(s, type);
    uint32_t n = 0;
    for (uint32_t t = 0; t < s->c->n_types; t++)
        n += s->up[t];
    s->r->most_up = FV_MAX(s->r->most_up, n);
}

static void end_node(struct sim *s, uint32_t node) {
    uint32_t type = s->nodes[node].type;
    s->type[node] = FV_PLACE_NONE;
    s->r->node_ns[type] += s->now_ns - s->born_ns[node];
    s->up[type]--;
    s->all_cpus -= cpus_of(s, type);
}

static bool starts_well(struct sim *s, uint32_t type) {
    s->seed = s->seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(s->seed >> 11) / 9007199254740992.0 >= s->c->failure[type];
}

/* ------------------------------------------------------------------------------------------------ tasks */

static bool submit(struct sim *s, uint32_t index) {
    const struct fv_submission *it = &s->w->submissions[index];
    struct queue               *q = &s->queues[it->shape];
    if (q->first + q->n == q->room) {
        if (q->first != 0) {
            memmove(q->items, q->items + q->first, q->n * sizeof *q->items);
            q->first = 0;
        }
        if (2 * q->n >= q->room) {
            uint32_t  room = q->room == 0 ? 64 : 2 * q->room;
            uint32_t *more = realloc(q->items, room * sizeof *more);
            if (more == NULL)
                return false;
            q->items = more;
            q->room = room;
        }
    }
    q->items[q->first + q->n++] = index;
    q->n_tasks += it->n;
    s->left[index] = it->n;
    s->waiting_cpus += it->n * s->w->shapes[it->shape].need[FV_SCALE_CPU];
    return true;
}

/* Starts n tasks of the first submission of a queue on a node. */
static bool start(struct sim *s, uint32_t shape, uint32_t node, uint32_t n) {
    struct queue               *q = &s->queues[shape];
    uint32_t                    index = q->items[q->first];
    const struct fv_submission *it = &s->w->submissions[index];
    const uint64_t             *need = s->w->shapes[shape].need;
    for (uint32_t r = 0; r < s->width; r++)
        s->free[(size_t)node * s->width + r] -= need[r] * n;
    set_use(s, node);
    s->nodes[node].is_idle = false;
    s->running[node] += n;
    s->used_cpus += need[FV_SCALE_CPU] * n;
    s->waiting_cpus -= need[FV_SCALE_CPU] * n;
    for (uint32_t i = 0; i < n; i++)
        s->r->waited_s[s->r->n_waited++] = (float)((double)(s->now_ns - it->submit_ns) * 1e-9);
    q->n_tasks -= n;
    s->left[index] -= n;
    if (s->left[index] == 0)
        q->first++, q->n--;
    return push(s, (struct event){.at_ns = s->now_ns + it->duration_ns, .kind = ENDS, .node = node, .shape = shape, .n = n});
}

static void end(struct sim *s, const struct event *e) {
    const uint64_t *need = s->w->shapes[e->shape].need;
    for (uint32_t r = 0; r < s->width; r++)
        s->free[(size_t)e->node * s->width + r] += need[r] * e->n;
    set_use(s, e->node);
    s->running[e->node] -= e->n;
    s->used_cpus -= need[FV_SCALE_CPU] * e->n;
    s->r->n_done += e->n;
    s->r->end_ns = s->now_ns;
    mark_freed(s, e->node);
    if (s->running[e->node] == 0) {
        s->nodes[e->node].is_idle = true;
        s->nodes[e->node].idle_ns = s->now_ns;
    }
}

static bool place(struct sim *s) {
    for (uint32_t p = 0; p < s->w->n_shapes; p++) {
        uint32_t             shape = s->by_priority[p];
        struct queue        *q = &s->queues[shape];
        const uint64_t      *need = s->w->shapes[shape].need;
        struct fv_place_view v = {s->n_nodes, s->width, s->free, s->type, s->use};
        for (uint32_t i = 0; q->is_stuck && i < s->n_freed && q->n != 0; i++)
            while (q->n != 0 && fv_place_fits(&v, s->freed[i], need, q->types))
                if (!start(s, shape, s->freed[i], 1))
                    return false;
        while (!q->is_stuck && q->n != 0) {
            uint32_t node = fv_place_pick(&v, need, q->types, s->policy->strategy, FV_PLACE_NONE);
            q->is_stuck = node == FV_PLACE_NONE;
            if (!q->is_stuck && !start(s, shape, node, 1))
                return false;
        }
        q->is_stuck &= q->n != 0;
    }
    for (uint32_t i = 0; i < s->n_freed; i++)
        s->is_freed[s->freed[i]] = false;
    s->n_freed = 0;
    return true;
}

/* ------------------------------------------------------------------------------------------------ decisions */

static void say(struct sim *s, const char *text) {
    if (s->note != NULL)
        s->note(s->arg, s->now_ns, text);
}

/* What is stuck, when that has changed. */
static void say_fates(struct sim *s, const struct fv_scale_snapshot *snap, const struct fv_scale_decision *d) {
    char text[TEXT_BYTES];
    for (uint32_t i = 0; i < snap->n_demands; i++) {
        const struct fv_scale_fate *f = &d->fates[i];
        if (f->held + f->infeasible + f->speed == 0)
            continue;
        char key[TEXT_BYTES], need[160];
        fv_scale_need_text(snap, snap->demands[i].need, need, sizeof need);
        snprintf(key, sizeof key, "%s %d %d %d", need, f->held != 0 ? (int)f->reason.code : 0, f->infeasible != 0, f->speed != 0);
        if (strcmp(key, s->last_fates) == 0)
            return;
        snprintf(s->last_fates, sizeof s->last_fates, "%s", key);
        char line[TEXT_BYTES + 16];
        snprintf(line, sizeof line, "waiting: %s", fv_scale_fate_text(snap, d, i, text, sizeof text));
        say(s, line);
        return;
    }
    s->last_fates[0] = '\0';
}

static bool carry_out(struct sim *s, const struct fv_scale_snapshot *snap, const struct fv_scale_decision *d, const uint32_t *slot) {
    char text[TEXT_BYTES];
    for (uint32_t i = 0; i < d->n_launches; i++) {
        const struct fv_scale_launch *l = &d->launches[i];
        say(s, fv_scale_launch_text(snap, l, text, sizeof text));
        s->types[l->type].launching += l->n;
        s->r->n_launched += l->n;
        for (uint32_t j = 0; j < l->n; j++)
            if (!push(s, (struct event){.at_ns = s->now_ns + s->c->types[l->type].launch_ns, .kind = COMES_UP, .node = l->type}))
                return false;
    }
    for (uint32_t i = 0, n; i < d->n_drains; i += n) { /* those alike as one line */
        char more[TEXT_BYTES];
        fv_scale_drain_text(snap, &d->drains[i], text, sizeof text);
        for (n = 0; i + n < d->n_drains; n++) {
            if (n != 0 && strcmp(fv_scale_drain_text(snap, &d->drains[i + n], more, sizeof more), text) != 0)
                break;
            end_node(s, slot[d->drains[i + n].node]);
            s->r->n_drained++;
        }
        snprintf(more, sizeof more, "drain %u %.360s", n, text + strlen("drain "));
        say(s, more);
    }
    for (uint32_t t = 0; t < s->c->n_types; t++)
        s->types[t].memory = d->memory[t];
    say_fates(s, snap, d);
    return true;
}

static bool decide(struct sim *s) {
    struct fv_scale_launch   launches[FV_SCALE_LAUNCHES(FV_SCALE_TYPES)];
    struct fv_scale_kept     kept[FV_SCALE_KEPT(FV_SCALE_TYPES)];
    struct fv_scale_memory   memory[FV_SCALE_TYPES];
    struct fv_scale_snapshot snap = {.now_ns = s->now_ns, .n_resources = s->width, .resources = s->c->resources, .types = s->types,
                                     .n_types = s->c->n_types, .options = s->policy->options};
    struct fv_scale_node    *nodes = malloc((s->n_nodes + 1) * sizeof *nodes);
    uint32_t                *slot = malloc((s->n_nodes + 1) * sizeof *slot);
    struct fv_scale_demand  *demands = malloc((s->w->n_shapes + 1) * sizeof *demands);
    struct fv_scale_decision d = {.launches = launches, .kept = kept, .memory = memory};
    bool                     good = false;
    d.drains = malloc((s->n_nodes + 1) * sizeof *d.drains);
    d.fates = malloc((s->w->n_shapes + 1) * sizeof *d.fates);
    void *work = NULL;
    if (nodes != NULL && slot != NULL && demands != NULL && d.drains != NULL && d.fates != NULL) {
        for (uint32_t i = 0; i < s->n_nodes; i++)
            if (s->type[i] != FV_PLACE_NONE) {
                nodes[snap.n_nodes] = s->nodes[i];
                memcpy(nodes[snap.n_nodes].free, s->free + (size_t)i * s->width, s->width * sizeof *s->free);
                slot[snap.n_nodes++] = i;
            }
        for (uint32_t i = 0; i < s->w->n_shapes; i++)
            if (s->queues[i].n_tasks != 0) {
                demands[snap.n_demands] = s->w->shapes[i];
                demands[snap.n_demands++].n = (uint32_t)FV_MIN(s->queues[i].n_tasks, (uint64_t)1000000000);
            }
        snap.nodes = nodes;
        snap.demands = demands;
        work = malloc(fv_scale_work_bytes(&snap));
    }
    if (work != NULL) {
        fv_scale_decide(&snap, work, &d);
        good = carry_out(s, &snap, &d, slot);
        s->wake_ns = d.wake_ns;
        s->r->n_decisions++;
    }
    free(work), free(d.fates), free(d.drains), free(demands), free(slot), free(nodes);
    s->is_changed = false;
    s->decided_ns = s->now_ns;
    return good;
}

/* ------------------------------------------------------------------------------------------------ the run */

static bool handle(struct sim *s, const struct event *e) {
    if (e->kind == ENDS) {
        end(s, e);
        return true;
    }
    uint32_t type = e->node;
    char     text[TEXT_BYTES];
    s->types[type].launching--;
    if (starts_well(s, type)) {
        add_node(s, type, s->now_ns - s->c->types[type].launch_ns);
        return true;
    }
    s->r->n_failed++;
    snprintf(text, sizeof text, "launch of %s failed", s->c->types[type].name);
    say(s, text);
    return true;
}

static uint64_t next_time(const struct sim *s, uint32_t submitted) {
    uint64_t at = FV_SCALE_NEVER, next = s->decided_ns + s->policy->every_ns;
    if (s->n_heap != 0)
        at = s->heap[0].at_ns;
    if (submitted < s->w->n_submissions)
        at = FV_MIN(at, s->w->submissions[submitted].submit_ns);
    if (s->is_changed)
        at = FV_MIN(at, FV_MAX(next, s->now_ns));
    if (s->wake_ns != FV_SCALE_NEVER)
        at = FV_MIN(at, FV_MAX(FV_MAX(s->wake_ns, next), s->now_ns));
    return at;
}

static bool go(struct sim *s) {
    uint32_t submitted = 0;
    if (!decide(s) || !sample(s))
        return false;
    for (uint64_t at; (at = next_time(s, submitted)) != FV_SCALE_NEVER;) {
        go_to(s, at);
        while (s->n_heap != 0 && s->heap[0].at_ns <= at) {
            struct event e = pop(s);
            if (!handle(s, &e))
                return false;
            s->is_changed = true;
        }
        for (; submitted < s->w->n_submissions && s->w->submissions[submitted].submit_ns <= at; submitted++) {
            if (!submit(s, submitted))
                return false;
            s->is_changed = true;
        }
        if (!place(s))
            return false;
        bool is_due = at >= s->decided_ns + s->policy->every_ns;
        if (is_due && (s->is_changed || s->wake_ns <= at) && !decide(s))
            return false;
        if (!sample(s))
            return false;
    }
    return true;
}

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static const struct fv_scale_demand *sorted_shapes;

static int compare_priority(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (sorted_shapes[x].priority != sorted_shapes[y].priority)
        return sorted_shapes[x].priority > sorted_shapes[y].priority ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool open_sim(struct sim *s) {
    uint64_t n = s->policy->options.max_nodes + 1;
    for (uint32_t t = 0; t < s->c->n_types; t++) {
        s->types[t] = s->c->types[t];
        n += s->c->types[t].min;
    }
    s->most_nodes = (uint32_t)n;
    s->width = s->c->n_resources;
    s->nodes = calloc(n, sizeof *s->nodes);
    s->free = calloc(n * s->width, sizeof *s->free);
    s->born_ns = calloc(n, sizeof *s->born_ns);
    s->type = calloc(n, sizeof *s->type);
    s->running = calloc(n, sizeof *s->running);
    s->use = calloc(n, sizeof *s->use);
    s->is_freed = calloc(n, sizeof *s->is_freed);
    s->freed = calloc(n, sizeof *s->freed);
    s->queues = calloc(s->w->n_shapes, sizeof *s->queues);
    s->by_priority = calloc(s->w->n_shapes, sizeof *s->by_priority);
    s->left = calloc(s->w->n_submissions, sizeof *s->left);
    s->r->waited_s = malloc(s->w->n_tasks * sizeof *s->r->waited_s);
    if (s->nodes == NULL || s->free == NULL || s->born_ns == NULL || s->type == NULL || s->running == NULL || s->use == NULL ||
        s->is_freed == NULL || s->freed == NULL || s->queues == NULL || s->by_priority == NULL || s->left == NULL || s->r->waited_s == NULL)
        return false;
    for (uint32_t i = 0; i < s->w->n_shapes; i++) {
        s->by_priority[i] = i;
        s->queues[i].types = UINT64_MAX;
    }
    sorted_shapes = s->w->shapes;
    qsort(s->by_priority, s->w->n_shapes, sizeof *s->by_priority, compare_priority);
    return true;
}

int fv_sim_run(const struct fv_cluster *c, const struct fv_policy *policy, const struct fv_workload *w, fv_sim_note *note, void *arg,
               struct fv_sim_result *r) {
    struct sim s = {.c = c, .policy = policy, .w = w, .note = note, .arg = arg, .r = r, .seed = 1, .wake_ns = FV_SCALE_NEVER};
    memset(r, 0, sizeof *r);
    bool good = open_sim(&s) && go(&s);
    if (good) {
        for (uint32_t i = 0; i < s.n_nodes; i++)
            if (s.type[i] != FV_PLACE_NONE)
                r->node_ns[s.nodes[i].type] += s.now_ns - s.born_ns[i];
        for (uint32_t i = 0; i < w->n_shapes; i++)
            r->n_waiting += s.queues[i].n_tasks;
        qsort(r->waited_s, r->n_waited, sizeof *r->waited_s, compare_floats);
    }
    for (uint32_t i = 0; s.queues != NULL && i < w->n_shapes; i++)
        free(s.queues[i].items);
    free(s.nodes), free(s.free), free(s.born_ns), free(s.type), free(s.running), free(s.use), free(s.is_freed), free(s.freed);
    free(s.queues), free(s.by_priority), free(s.left), free(s.heap);
    if (!good)
        fv_sim_free(r);
    return good ? 0 : -1;
}

void fv_sim_free(struct fv_sim_result *r) {
    free(r->waited_s);
    free(r->samples);
    *r = (struct fv_sim_result){0};
}
