/* shm/options.h: the block in which a task's options lie, beyond its time limit and its number of retries.
 *
 * Few tasks have one.  It is a block of the task's slot, in the small chunks of its home, read by workers, supervisor and tools.
 */
#ifndef FV_SHM_OPTIONS_H
#define FV_SHM_OPTIONS_H

#include <stdint.h>

#include "base/base.h"

#define FV_CPU_UNITS 10000u /* of a CPU, and of any other resource: one */

struct fv_resource_want {
    char     name[32];
    uint64_t units;
};

/* A fixed part, then resources, codes and environment.  All of it is written by the home while the slot is FREE, before READY (ORDER
 * submit), and frozen.  If the home dies first it is a garbage block; afterwards it is freed with the slot (fv_task_options_free).
 *
 *   cpu_units   0: it takes no CPU
 *   types       bit t: nodes of that type will do; strategy (enum fv_place_strategy), node: on which (core/placement.h)
 *   retry       FEVER_RETRY_NONE, FEVER_RETRY_ALL, or FV_RETRY_CODES: one of n_codes
 *   env         n_env texts NAME=value, each with its end, one after the other
 */
#define FV_RETRY_CODES 2u
struct fv_task_options_block {
    char     name[48]; /* "": the definition's */
    uint64_t memory_bytes;
    uint64_t retry_delay_ns;
    uint32_t cpu_units;
    uint32_t max_calls;
    int16_t  priority;
    uint8_t  retry;
    uint8_t  strategy;
    uint16_t n_resources, n_codes;
    uint32_t n_env, env_bytes;
    uint32_t node, pad0;
    uint64_t types;
    struct fv_resource_want resource[];
};
_Static_assert(sizeof(struct fv_task_options_block) == 104, "whole words");

#endif
