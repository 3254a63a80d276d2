/* topo.c: the CPUs that this process may use, and in which order to pin workers to them.
 *
 * Run by:          the driver in fever_init(), once; fv_topo_pin_self() by each worker.
 * Shared state:    none.
 * Not here:        memory binding.  The only file that includes hwloc.
 *
 * Which CPUs: the affinity mask, which the kernel keeps within the cgroup's cpuset.  In which order: the masks of cores and
 * nodes in sysfs, by hwloc's reader of masks.  Not hwloc's discovery: in the driver it loads every plugin that is installed
 * (OpenCL, X11, libxml: 6 to 20 ms, and libraries that start threads), and it then reads 35 files a CPU; this reads one a core.
 */
#include "plat/topo.h"

#include <dirent.h>
#include <errno.h>
#include <hwloc.h>
#include <hwloc/linux.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "plat/limits.h"

/* the kernel's masks may be wider than FV_TOPO_CPUS: sched_getaffinity() fails on a buffer that is too small */
#define MASK_CPUS 16384

struct mask {
    unsigned long words[MASK_CPUS / (8 * sizeof(unsigned long))];
};

#define MASK_SET(m)      ((cpu_set_t *)(void *)(m)->words)
#define MASK_CSET(m)     ((const cpu_set_t *)(const void *)(m)->words)
#define MASK_HAS(m, cpu) (CPU_ISSET_S((size_t)(cpu), sizeof(struct mask), MASK_CSET(m)) != 0)
#define MASK_ADD(m, cpu) CPU_SET_S((size_t)(cpu), sizeof(struct mask), MASK_SET(m))
#define MASK_COUNT(m)    CPU_COUNT_S(sizeof(struct mask), MASK_CSET(m))

/* Present only where an OpenMP runtime is in the process. */
extern int  omp_get_num_procs(void) __attribute__((weak));
extern int  omp_get_num_places(void) __attribute__((weak));
extern int  omp_get_place_num_procs(int place) __attribute__((weak));
extern void omp_get_place_proc_ids(int place, int *ids) __attribute__((weak));

static void add_note(struct fv_topo *topo, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_note(struct fv_topo *topo, const char *format, ...)
{
    size_t n = strlen(topo->note);
    va_list args;

    if (n > 0 && n + 2 < sizeof topo->note) {
        memcpy(topo->note + n, "; ", 3);
        n += 2;
    }
    va_start(args, format);
    vsnprintf(topo->note + n, sizeof topo->note - n, format, args);
    va_end(args);
}

static int get_mask(struct mask *mask_out)
{
    memset(mask_out, 0, sizeof *mask_out);
    return sched_getaffinity(0, sizeof *mask_out, MASK_SET(mask_out)) == 0 ? 0 : -errno;
}

/* The cpuset is what is left of a mask of all CPUs: asking the kernel is exact for cgroup v1, v2 and namespaces. */
static int get_cpuset(const struct mask *now, struct mask *cpuset_out)
{
    struct mask all;
    int rc;

    memset(&all, 0xff, sizeof all);
    if (sched_setaffinity(0, sizeof all, MASK_SET(&all)) != 0)
        return -errno;
    rc = get_mask(cpuset_out);
    if (sched_setaffinity(0, sizeof *now, MASK_CSET(now)) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value != NULL && value[0] != '\0';
}

static bool openmp_binds(void)
{
    const char *bind = getenv("OMP_PROC_BIND");

    if (bind != NULL && strcasecmp(bind, "false") == 0)
        return false;
    return is_set("OMP_PROC_BIND") || is_set("OMP_PLACES") || is_set("GOMP_CPU_AFFINITY") || is_set("KMP_AFFINITY");
}

/* With no OpenMP runtime in this process, a rank's one CPU is more likely its launcher's choice. */
static bool has_launcher(void)
{
    return is_set("OMPI_COMM_WORLD_SIZE") || is_set("PMI_SIZE") || is_set("PMI_RANK") || is_set("PMIX_RANK") || is_set("SLURM_PROCID");
}

/* The places of the OpenMP runtime together are the mask that it found before it narrowed it. */
static bool get_places(int n_procs, const struct mask *cpuset, struct mask *places_out)
{
    int ids[FV_TOPO_CPUS];

    memset(places_out, 0, sizeof *places_out);
    if (omp_get_num_places == NULL || omp_get_place_num_procs == NULL || omp_get_place_proc_ids == NULL)
        return false;
    for (int place = 0; place < omp_get_num_places(); place++) {
        int n = omp_get_place_num_procs(place);

        if (n < 0 || n > FV_TOPO_CPUS)
            return false;
        omp_get_place_proc_ids(place, ids);
        for (int i = 0; i < n; i++)
            if (ids[i] >= 0 && ids[i] < MASK_CPUS && MASK_HAS(cpuset, ids[i]))
                MASK_ADD(places_out, ids[i]);
    }
    return MASK_COUNT(places_out) == n_procs;
}

/* A one-CPU mask that an OpenMP runtime set on the first thread says nothing about what the process may use.
 * Returns the most CPUs that may be used then, or 0 when the mask stands. */
static int see_through(struct mask *mask)
{
    struct mask cpuset, places;
    int n_procs = 0;

    if (MASK_COUNT(mask) != 1 || !openmp_binds() || get_cpuset(mask, &cpuset) != 0 || MASK_COUNT(&cpuset) == 1)
        return 0;
    if (omp_get_num_procs != NULL) { /* what the runtime found before it bound the thread */
        n_procs = omp_get_num_procs();
        if (n_procs <= 1)
            return 0;
    } else if (has_launcher())
        return 0;
    *mask = n_procs != 0 && get_places(n_procs, &cpuset, &places) ? places : cpuset;
    return n_procs != 0 ? FV_MIN(n_procs, MASK_COUNT(mask)) : MASK_COUNT(mask);
}

/* One CPU while it is being put in order. */
struct place {
    int cpu, node;
    int core; /* lowest CPU of its core, -1: not yet known */
    int rank; /* among the CPUs of its core that may be used: 0 first, hyperthreads after */
};

/* distinct cores before hyperthreads, and the last first: the driver usually runs on a low CPU */
static int compare_places(const void *x, const void *y)
{
    const struct place *a = x, *b = y;

    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->node != b->node)
        return a->node > b->node ? -1 : 1;
    if (a->core != b->core)
        return a->core > b->core ? -1 : 1;
    return a->cpu > b->cpu ? -1 : a->cpu < b->cpu;
}

/* cores and ranks; one file for each core.  False when sysfs does not tell. */
static bool find_cores(const char *root, struct place *places, int n, hwloc_bitmap_t set)
{
    char path[256];

    for (int i = 0; i < n; i++) {
        int rank = 0;

        if (places[i].core >= 0)
            continue;
        hwloc_bitmap_zero(set);
        snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/topology/core_cpus", root, places[i].cpu);
        if (hwloc_linux_read_path_as_cpumask(path, set) != 0) { /* before Linux 5.3 */
            snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings", root, places[i].cpu);
            if (hwloc_linux_read_path_as_cpumask(path, set) != 0)
                return false;
        }
        if (!hwloc_bitmap_isset(set, (unsigned)places[i].cpu))
            return false;
        for (int j = i; j < n; j++)
            if (hwloc_bitmap_isset(set, (unsigned)places[j].cpu)) {
                places[j].core = hwloc_bitmap_first(set);
                places[j].rank = rank++;
                if (rank == hwloc_bitmap_weight(set))
                    break;
            }
    }
    return true;
}

/* NUMA nodes; one file for each node.  Kernels without NUMA have none: all is node 0. */
static void find_nodes(const char *root, struct place *places, int n, hwloc_bitmap_t set)
{
    char path[256];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof path, "%s/sys/devices/system/node", root);
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        int node, end = 0;

        if (sscanf(entry->d_name, "node%d%n", &node, &end) != 1 || entry->d_name[end] != '\0')
            continue;
        snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d/cpumap", root, node);
        hwloc_bitmap_zero(set);
        if (hwloc_linux_read_path_as_cpumask(path, set) != 0)
            continue;
        for (int i = 0; i < n; i++)
            if (hwloc_bitmap_isset(set, (unsigned)places[i].cpu))
                places[i].node = node;
    }
    if (dir != NULL)
        closedir(dir);
}

bool fv_topo_order_under(const char *root, const int *cpus, int n, int *cpus_out, int *nodes_out)
{
    struct place places[FV_TOPO_CPUS];
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    bool known = false;

    n = FV_MIN(n, FV_TOPO_CPUS);
    for (int i = 0; i < n; i++)
        places[i] = (struct place){.cpu = cpus[i], .core = -1};
    if (set != NULL) {
        known = find_cores(root, places, n, set);
        find_nodes(root, places, n, set);
        hwloc_bitmap_free(set);
    }
    for (int i = 0; i < n && !known; i++) {
        places[i].core = places[i].cpu;
        places[i].rank = 0;
    }
    qsort(places, (size_t)n, sizeof places[0], compare_places);
    for (int i = 0; i < n; i++) {
        cpus_out[i] = places[i].cpu;
        nodes_out[i] = places[i].node;
    }
    return known;
}

/* sysconf() follows the affinity mask in some versions of libc */
static int count_online(void)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    FILE *file = fopen("/sys/devices/system/cpu/online", "re");
    char text[4096];
    int n = -1;

    if (set != NULL && file != NULL && fgets(text, sizeof text, file) != NULL) {
        text[strcspn(text, "\n")] = '\0';
        if (hwloc_bitmap_list_sscanf(set, text) == 0)
            n = hwloc_bitmap_weight(set);
    }
    if (file != NULL)
        fclose(file);
    hwloc_bitmap_free(set);
    return n > 0 ? n : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int fv_topo_read(struct fv_topo *topo_out)
{
    struct fv_topo topo;
    struct mask mask;
    int cpus[FV_TOPO_CPUS];
    double quota = fv_limits_cpu_quota();
    int most, n = 0, rc = get_mask(&mask);

    if (rc != 0)
        return rc;
    memset(&topo, 0, sizeof topo);
    most = see_through(&mask);
    topo.seen_through = most != 0;
    if (topo.seen_through)
        add_note(&topo, "OpenMP bound this thread to one CPU; using %d", most);
    for (int cpu = 0; cpu < MASK_CPUS && n < FV_TOPO_CPUS; cpu++)
        if (MASK_HAS(&mask, cpu))
            cpus[n++] = cpu;
    if (!fv_topo_order_under("", cpus, n, topo.cpus, topo.node) && n > 1)
        add_note(&topo, "cores and hyperthreads are not known");
    topo.n_allowed = n;
    topo.n_cpus = most != 0 ? FV_MIN(n, most) : n;
    topo.n_machine_cpus = FV_MAX(count_online(), n);
    if (quota > 0 && ceil(quota) < topo.n_cpus) {
        topo.n_cpus = FV_MAX(1, (int)ceil(quota));
        add_note(&topo, "CPU quota of %.4g", quota);
    }
    *topo_out = topo;
    return 0;
}

int fv_topo_pin_self(int os_cpu)
{
    struct mask mask;

    if (os_cpu < 0 || os_cpu >= MASK_CPUS)
        return -EINVAL;
    memset(&mask, 0, sizeof mask);
    MASK_ADD(&mask, os_cpu);
    return sched_setaffinity(0, sizeof mask, MASK_CSET(&mask)) == 0 ? 0 : -errno;
}

int fv_topo_pin_threads(const int *os_cpus, int n)
{
    struct mask mask;
    struct dirent *e;
    DIR *d = opendir("/proc/self/task");
    int rc = 0;

    memset(&mask, 0, sizeof mask);
    for (int i = 0; i < n; i++)
        if (os_cpus[i] >= 0 && os_cpus[i] < MASK_CPUS)
            MASK_ADD(&mask, os_cpus[i]);
    if (sched_setaffinity(0, sizeof mask, MASK_CSET(&mask)) < 0)
        rc = -errno;
    while (d != NULL && (e = readdir(d)) != NULL) /* a thread may end meanwhile */
        if (e->d_name[0] != '.')
            (void)sched_setaffinity((pid_t)atoi(e->d_name), sizeof mask, MASK_CSET(&mask));
    if (d != NULL)
        closedir(d);
    return rc;
}
