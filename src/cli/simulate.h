/* cli/simulate.h: what the two files of fever simulate share. */
#ifndef FV_CLI_SIMULATE_H
#define FV_CLI_SIMULATE_H

#include "sim/sim.h"

/* Nodes by type, demand, and CPUs in use over time, a column of panels for each policy.  0, or -1 with errno. */
int cli_simulate_svg(const char *path, const struct fv_cluster *c, const struct fv_policy *const *policies, const struct fv_sim_result *results,
                     uint32_t n);

#endif
