/* core/options.c: the options of one task: checked, put into a block, freed.
 *
 * Run by drivers and workers that submit, and by whoever frees a slot.  Writes the block only, before the slot is READY.
 * Deliberately not here: what the options do: run/setting.c, run/memory.c, core/delay.c.
 */
#include "core/options.h"

#include <math.h>
#include <string.h>

#include "core/placement.h"

#define SECONDS_MOST 1e9
#define AMOUNT_MOST  1e9

static bool seconds_are_good(double s) { return s >= 0 && !isinf(s); }

/* 0 when it is no good */
static uint64_t units_of(double amount) {
    return amount > 0 && amount <= AMOUNT_MOST ? (uint64_t)llround(amount * FV_CPU_UNITS) : 0;
}

static bool resources_are_good(const struct fever_task_options *o) {
    if (o->n_resources > FV_RESOURCES_MOST || (o->n_resources != 0 && o->resources == NULL))
        return false;
    for (size_t i = 0; i < o->n_resources; i++) {
        const struct fever_resource *r = &o->resources[i];
        if (r->name == NULL || r->name[0] == '\0' || strnlen(r->name, 32) == 32 || units_of(r->amount) == 0)
            return false;
        for (size_t k = 0; k < i; k++)
            if (strcmp(o->resources[k].name, r->name) == 0)
                return false;
    }
    return true;
}

/* NAME=value, where NAME is not empty */
static bool env_is_good(const struct fever_task_options *o, uint32_t *n_out, uint32_t *bytes_out) {
    uint32_t n = 0, bytes = 0;
    for (; o->env != NULL && o->env[n] != NULL; n++) {
        size_t      length = strnlen(o->env[n], FV_ENV_BYTES_MOST) + 1;
        const char *equals = strchr(o->env[n], '=');
        if (bytes + length > FV_ENV_BYTES_MOST || equals == NULL || equals == o->env[n])
            return false;
        bytes += (uint32_t)length;
    }
    *n_out = n, *bytes_out = bytes;
    return true;
}

int fv_task_options_check(const struct fever_task_options *user, struct fever_task_options *wide_out, uint32_t *bytes_out) {
    struct fever_task_options o = {0};
    size_t   n = user->struct_bytes;
    uint32_t n_env, env_bytes;
    if (n < offsetof(struct fever_task_options, after) || n > 65536)
        return -FEVER_EINVAL;
    for (size_t i = sizeof o; i < n; i++)
        if (((const unsigned char *)user)[i] != 0)
            return -FEVER_EINVAL; /* an option that this library does not know */
    memcpy(&o, user, FV_MIN(n, sizeof o));
    o.struct_bytes = sizeof o;
    if (!seconds_are_good(o.timeout_s) || o.max_retries < FEVER_NO_RETRY || o.max_retries > 250 || (o.n_after != 0 && o.after == NULL))
        return -FEVER_EINVAL;
    if (o.name != NULL && strnlen(o.name, 48) == 48)
        return -FEVER_EINVAL;
    if (!(o.num_cpus == 0 || o.num_cpus == FEVER_NO_CPU || (units_of(o.num_cpus) != 0 && o.num_cpus <= 65536)))
        return -FEVER_EINVAL;
    if (!resources_are_good(&o) || o.memory_bytes > 1ull << 46 || o.priority < -FV_PRIORITY_MOST || o.priority > FV_PRIORITY_MOST)
        return -FEVER_EINVAL;
    if ((o.retry_on != FEVER_RETRY_NONE && o.retry_on != FEVER_RETRY_ALL) || o.n_retry_codes > FV_CODES_MOST ||
        (o.n_retry_codes != 0 && o.retry_codes == NULL) || !seconds_are_good(o.retry_delay_s))
        return -FEVER_EINVAL;
    if (o.stream_items > FV_STREAM_MOST)
        return -FEVER_EINVAL;
    if (o.spread < 0 || o.spread > 1 || o.node_soft < 0 || o.node_soft > 1 || (o.node_soft && o.node == NULL) || (o.spread && o.node != NULL))
        return -FEVER_EINVAL;
    if (o.max_calls < 0 || !env_is_good(&o, &n_env, &env_bytes))
        return -FEVER_EINVAL;
    o.timeout_s = FV_MIN(o.timeout_s, SECONDS_MOST);
    o.retry_delay_s = FV_MIN(o.retry_delay_s, SECONDS_MOST);
    bool own_name = o.name != NULL && o.name[0] != '\0', own_cpus = o.num_cpus != 0 && units_of(o.num_cpus) != FV_CPU_UNITS;
    bool none = !own_name && !own_cpus && o.n_resources == 0 && o.memory_bytes == 0 && o.priority == 0 &&
                o.retry_on == FEVER_RETRY_NONE && o.n_retry_codes == 0 && o.max_calls == 0 && n_env == 0 && !o.spread && o.node == NULL && o.labels == NULL;
    *bytes_out = none ? 0
                      : (uint32_t)(sizeof(struct fv_task_options_block) + o.n_resources * sizeof(struct fv_resource_want) +
                                   o.n_retry_codes * sizeof(int32_t) + env_bytes);
    *wide_out = o;
    return 0;
}

bool fv_task_options_fill(struct fv_task_options_block *b, const struct fever_task_options *o, uint32_t bytes) {
    uint32_t at = (uint32_t)(sizeof *b + o->n_resources * sizeof b->resource[0] + o->n_retry_codes * sizeof(int32_t));
    memset(b, 0, sizeof *b);
    if (o->name != NULL)
        memcpy(b->name, o->name, strnlen(o->name, sizeof b->name - 1));
    b->memory_bytes = o->memory_bytes;
    b->retry_delay_ns = (uint64_t)(o->retry_delay_s * 1e9);
    b->cpu_units = o->num_cpus == 0 ? FV_CPU_UNITS : (uint32_t)units_of(o->num_cpus);
    b->max_calls = (uint32_t)o->max_calls;
    b->priority = (int16_t)o->priority;
    b->retry = (uint8_t)(o->retry_on == FEVER_RETRY_ALL ? FEVER_RETRY_ALL : o->n_retry_codes != 0 ? FV_RETRY_CODES : FEVER_RETRY_NONE);
    struct fv_placement where;
    char                why[128];
    if (fv_placement(o, &where, why, sizeof why) < 0)
        return false;
    b->types = where.types, b->strategy = (uint8_t)where.strategy, b->node = where.node;
    b->n_resources = (uint16_t)o->n_resources;
    b->n_codes = (uint16_t)o->n_retry_codes;
    for (size_t i = 0; i < o->n_resources; i++) {
        struct fv_resource_want *w = &b->resource[i];
        memset(w, 0, sizeof *w);
        memcpy(w->name, o->resources[i].name, strnlen(o->resources[i].name, sizeof w->name - 1));
        w->units = units_of(o->resources[i].amount);
    }
    if (o->n_retry_codes != 0)
        memcpy(&b->resource[b->n_resources], o->retry_codes, o->n_retry_codes * sizeof(int32_t));
    for (; o->env != NULL && o->env[b->n_env] != NULL; b->n_env++) {
        size_t length = strlen(o->env[b->n_env]) + 1;
        if (length > bytes - at) /* another thread has changed it since it was checked */
            return false;
        memcpy((char *)b + at, o->env[b->n_env], length);
        at += (uint32_t)length;
        b->env_bytes += (uint32_t)length;
    }
    return true;
}

const char *fv_task_own_name(uint32_t index) {
    const struct fv_task_options_block *b = fv_task(index)->kind == FV_KIND_TASK ? fv_task_options_of(index) : NULL;
    return b != NULL && b->name[0] != '\0' ? b->name : NULL;
}

void fv_task_options_name(uint32_t index, struct fever_error *e) {
    const char *name = fv_task_own_name(index);
    if (name != NULL)
        memcpy(e->task, name, sizeof e->task);
}

void fv_task_options_free(struct fv_self *self, uint32_t index, uint32_t gen) {
    const struct fv_task_cold *c = fv_cold(index);
    if (fv_task(index)->x & FV_X_OPTIONS && c->options != 0)
        fv_arena_free(&self->heap, c->options, c->options_bytes, index, gen);
}
