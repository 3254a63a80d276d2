/* sim/sim.h: a cluster and its workload in virtual time.
 *
 * Nothing of the runtime: the policies are those of policy/, nodes and tasks are numbers, and what happens is a queue of events.  The same
 * input gives the same output.
 */
#ifndef FV_SIM_SIM_H
#define FV_SIM_SIM_H

#include "sim/workload.h"

/* How things stand from that time on. */
struct fv_sim_sample {
    uint64_t at_ns;
    uint32_t up[FV_SCALE_TYPES];
    uint64_t waiting_cpus, used_cpus, all_cpus; /* in units; the first of tasks that wait */
};

struct fv_sim_result {
    uint64_t              end_ns;      /* of the last task */
    uint64_t              n_done, n_waiting;
    float                *waited_s;    /* of each task that started, sorted */
    uint64_t              n_waited;
    uint64_t              used_cpu_ns, all_cpu_ns; /* in units of CPUs times microseconds */
    uint64_t              node_ns[FV_SCALE_TYPES]; /* from launch to end */
    uint32_t              most_up;
    uint32_t              n_launched, n_drained, n_failed, n_decisions;
    struct fv_sim_sample *samples;
    uint32_t              n_samples;
};

/* One thing decided, in words. */
typedef void fv_sim_note(void *arg, uint64_t at_ns, const char *text);

/* 0, or -1 when memory is short.  note may be NULL. */
int  fv_sim_run(const struct fv_cluster *c, const struct fv_policy *policy, const struct fv_workload *w, fv_sim_note *note, void *arg,
                struct fv_sim_result *result_out);
void fv_sim_free(struct fv_sim_result *r);

#endif
