/* machine.c: the defaults that the machine decides.
 *
 * Run by:          the driver in fever_init().
 * Shared state:    none.
 */
#include "plat/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

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

/* Memory is what spilling is to save: not there. */
static bool is_on_disk(const char *dir)
{
    enum { TMPFS = 0x01021994, RAMFS = 0x858458f6 };
    struct statfs s;

    return dir != NULL && dir[0] == '/' && access(dir, W_OK | X_OK) == 0 && statfs(dir, &s) == 0 && (unsigned long)s.f_type != TMPFS &&
           (unsigned long)s.f_type != RAMFS;
}

static void default_spill_dirs(char *dirs_out, size_t bytes)
{
    const char *const dir[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};

    snprintf(dirs_out, bytes, "none");
    for (size_t i = 0; i < FV_COUNT_OF(dir); i++)
        if (is_on_disk(dir[i]) && strlen(dir[i]) < bytes && strchr(dir[i], ':') == NULL) {
            snprintf(dirs_out, bytes, "%s", dir[i]);
            return;
        }
}

/* 90 % of what is free in them; on one file system twice is counted twice: a limit, and free space is looked at all the same. */
static uint64_t default_spill_limit(const char *dirs)
{
    char copy[sizeof((struct fv_options *)0)->spill_dirs], *save;
    uint64_t bytes = 0;
    struct statvfs s;

    snprintf(copy, sizeof copy, "%s", dirs);
    for (char *dir = strtok_r(copy, ":", &save); dir != NULL; dir = strtok_r(NULL, ":", &save))
        if (statvfs(dir, &s) == 0)
            bytes += (uint64_t)s.f_bavail * s.f_frsize / 10 * 9;
    return bytes;
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
    if (is_default(options, FV_OPTION_store_keep))
        options->store_keep = options->store_bytes / 4;
    options->store_keep = FV_MAX(options->store_keep, options->store_warm);
    if (is_default(options, FV_OPTION_spill_dirs))
        default_spill_dirs(options->spill_dirs, sizeof options->spill_dirs);
    if (is_default(options, FV_OPTION_spill_limit))
        options->spill_limit = default_spill_limit(options->spill_dirs);
    if (is_default(options, FV_OPTION_fallback_bytes))
        options->fallback_bytes = FV_MIN(2 * options->store_bytes, options->spill_limit);
    if (strcmp(options->spill_dirs, "none") == 0)
        options->fallback_bytes = 0;
    if (is_default(options, FV_OPTION_max_actors) && !is_default(options, FV_OPTION_process_slots)) { /* threads need some, too */
        int left = (int)options->process_slots - options->workers - options->max_spares;

        options->max_actors = FV_MIN(64, FV_MAX(left, 0) / 8);
    } else if (is_default(options, FV_OPTION_max_actors)) {
        options->max_actors = 64;
    }
    if (is_default(options, FV_OPTION_process_slots)) {
        uint32_t needed = (uint32_t)options->workers + (uint32_t)options->max_spares + (uint32_t)options->max_actors + OTHER_SLOTS;

        options->process_slots = FV_MIN(FV_MAX(256u, needed), (uint32_t)MOST_SLOTS);
    }
}
