/* topo.h: the CPUs that this process may use, and in which order to pin workers to them.
 *
 * Run by:          the driver in fever_init(), once; fv_topo_pin_self() by each worker.
 * Shared state:    none.
 * Not here:        hwloc's types: topo.c is the only file that includes hwloc.
 */
#ifndef FV_TOPO_H
#define FV_TOPO_H

#include <stdbool.h>

#define FV_TOPO_CPUS 1024

struct fv_topo {
    int  n_cpus;             /* workers that make sense: CPUs in cpus[], less where a CPU quota is smaller */
    int  n_allowed;          /* how many of cpus[] are set; n_cpus <= n_allowed */
    int  cpus[FV_TOPO_CPUS]; /* OS index of the CPUs, in the order in which workers should be pinned */
    int  node[FV_TOPO_CPUS]; /* NUMA node (OS index) of each, 0 where unknown */
    int  n_machine_cpus;     /* CPUs that are online */
    bool seen_through;       /* a one-CPU mask that an OpenMP runtime set was ignored */
    char note[128];          /* in words, what is unusual about the above; empty if nothing */
};

/* Returns 0, or a negative errno value. */
int fv_topo_read(struct fv_topo *topo_out);

/* The order alone, of n CPUs in ascending order, by the sysfs below root; for tests.  False: the cores are not known, and the
 * order is by node and number. */
bool fv_topo_order_under(const char *root, const int *cpus, int n, int *cpus_out, int *nodes_out);

/* Binds the calling thread to one CPU.  Returns 0, or a negative errno value. */
int fv_topo_pin_self(int os_cpu);

/* Binds every thread of this process to n CPUs.  Returns 0, or a negative errno value. */
int fv_topo_pin_threads(const int *os_cpus, int n);

#endif
