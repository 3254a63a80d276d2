/* machine.c: the defaults that the machine decides.
 *
 * Run by:          the driver in fever_init().
 * Shared state:    none.
 */
#include "plat/machine.h"

#include <string.h>

#include "base/base.h"

#define MIB (1ull << 20)

/* Slots for the driver's threads and the runtime's own processes, beside workers and spares. */
#define OTHER_SLOTS 64
#define MOST_SLOTS  4096

static bool is_default(const struct fv_options *options, enum fv_option_index i)
{
    return options->origin[i] == FV_ORIGIN_DEFAULT;
}

/* Does the segment go to /dev/shm?  The same rule as in fv_shmfile_create(), asked before the size is known. */
static bool uses_shm(const struct fv_options *options, const struct fv_limits *limits)
{
    if (strcmp(options->segment, "memfd") == 0)
        return false;
    return strcmp(options->segment, "shm") == 0 || limits->shm_total > 64 * MIB;
}

static uint64_t default_store(const struct fv_options *options, const struct fv_topo *topo, const struct fv_limits *limits)
{
    double memory = (double)FV_MIN(limits->mem_available, limits->cgroup_headroom);
    double bytes = 0.30 * memory;
    double share = 1;
    uint64_t whole;

    if (uses_shm(options, limits))
        bytes = FV_MIN(bytes, 0.95 * (double)limits->shm_free);
    if (topo->n_machine_cpus > topo->n_cpus)
        share = (double)topo->n_cpus / topo->n_machine_cpus;
    bytes = FV_MIN(bytes * share, (double)(1ull << 46));
    whole = (uint64_t)bytes / (2 * MIB) * (2 * MIB);
    return FV_MAX(whole, MIB);
}

void fv_options_fill(struct fv_options *options, const struct fv_topo *topo, const struct fv_limits *limits)
{
    if (is_default(options, FV_OPTION_workers))
        options->workers = FV_MAX(topo->n_cpus, 1);
    if (is_default(options, FV_OPTION_store_bytes))
        options->store_bytes = default_store(options, topo, limits);
    if (is_default(options, FV_OPTION_store_warm))
        options->store_warm = FV_MIN(256 * MIB, options->store_bytes / 4);
    options->store_warm = FV_MIN(options->store_warm, options->store_bytes);
    if (is_default(options, FV_OPTION_process_slots)) {
        uint32_t needed = (uint32_t)options->workers + (uint32_t)options->max_spares + OTHER_SLOTS;

        options->process_slots = FV_MIN(FV_MAX(256u, needed), (uint32_t)MOST_SLOTS);
    }
}
