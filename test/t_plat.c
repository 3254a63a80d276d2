/* t_plat.c: topology, limits, machine defaults, segment file, futex, processes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "deny.h"
#include "fever.h"
#include "plat/futex.h"
#include "plat/limits.h"
#include "plat/machine.h"
#include "plat/process.h"
#include "plat/shmfile.h"
#include "plat/topo.h"
#include "tap.h"

#define MIB (1ull << 20)

static char root[] = "/tmp/t_plat.XXXXXX";

/* writes a file below root, with its folders */
static void put_file(const char *path, const char *text)
{
    char name[1024];
    FILE *file;

    snprintf(name, sizeof name, "%s%s", root, path);
    for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(name, 0700);
        *slash = '/';
    }
    file = fopen(name, "w");
    if (file == NULL)
        tap_bail("%s: %s", name, strerror(errno));
    fputs(text, file);
    fclose(file);
}

static void new_root(void)
{
    strcpy(root + strlen(root) - 6, "XXXXXX");
    if (mkdtemp(root) == NULL)
        tap_bail("mkdtemp: %s", strerror(errno));
}

static void drop_root(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0)
        tap_diag("cannot remove %s", root);
}

/* Runs fn in a child; its exit status, or -signal. */
static int run_child(int (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn());
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void clear_openmp(void)
{
    static const char *const names[] = {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "OMPI_COMM_WORLD_SIZE",
                                        "PMI_SIZE",      "PMI_RANK",   "PMIX_RANK",         "SLURM_PROCID"};

    for (size_t i = 0; i < FV_COUNT_OF(names); i++)
        unsetenv(names[i]);
}

static int first_allowed(void)
{
    cpu_set_t set;

    sched_getaffinity(0, sizeof set, &set);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            return cpu;
    return -1;
}

static int read_pinned(void)
{
    struct fv_topo topo;
    int cpu = first_allowed();

    if (fv_topo_pin_self(cpu) != 0 || sched_getcpu() != cpu)
        return 1;
    return fv_topo_read(&topo) == 0 && topo.n_cpus == 1 && topo.cpus[0] == cpu && !topo.seen_through ? 0 : 2;
}

static int read_seen_through(void)
{
    struct fv_topo topo;
    cpu_set_t set;
    int cpu = first_allowed();

    fv_topo_pin_self(cpu);
    setenv("OMP_PROC_BIND", "true", 1);
    if (fv_topo_read(&topo) != 0 || !topo.seen_through || topo.n_cpus < 2 || strstr(topo.note, "OpenMP") == NULL)
        return 1;
    sched_getaffinity(0, sizeof set, &set);
    return CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set) ? 0 : 2; /* the mask is as it was */
}

static int read_launched(void)
{
    struct fv_topo topo;

    fv_topo_pin_self(first_allowed());
    setenv("OMP_PROC_BIND", "true", 1);
    setenv("PMIX_RANK", "0", 1);
    return fv_topo_read(&topo) == 0 && !topo.seen_through && topo.n_cpus == 1 ? 0 : 1;
}

static int read_unbound(void)
{
    struct fv_topo topo;

    fv_topo_pin_self(first_allowed());
    setenv("OMP_PROC_BIND", "FALSE", 1);
    return fv_topo_read(&topo) == 0 && !topo.seen_through && topo.n_cpus == 1 ? 0 : 1;
}

static void test_order(void)
{
    static const int small[] = {0, 1, 2, 3, 4, 5, 6, 7}, some[] = {0, 4, 5};
    int cpus[FV_TOPO_CPUS], nodes[FV_TOPO_CPUS], big[512];
    char path[128], mask[160];
    uint64_t start;

    TAP_OK(!fv_topo_order_under("/nonexistent", small, 8, cpus, nodes) && cpus[0] == 7 && cpus[7] == 0 && nodes[3] == 0,
           "order without sysfs: last first");
    new_root();
    for (int cpu = 0; cpu < 8; cpu++) { /* four cores of two threads, two nodes */
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/%s", cpu, cpu < 4 ? "core_cpus" : "thread_siblings");
        snprintf(mask, sizeof mask, "00000000,%08x\n", 0x11u << (cpu % 4));
        put_file(path, mask);
    }
    put_file("/sys/devices/system/node/node0/cpumap", "33\n");
    put_file("/sys/devices/system/node/node2/cpumap", "cc\n");
    put_file("/sys/devices/system/node/possible", "0-3\n");
    TAP_OK(fv_topo_order_under(root, small, 8, cpus, nodes), "cores are known");
    TAP_OK(cpus[0] == 3 && cpus[1] == 2 && cpus[2] == 1 && cpus[3] == 0 && cpus[4] == 7 && cpus[5] == 6 && cpus[6] == 5 && cpus[7] == 4,
           "cores before hyperthreads, the last first: %d %d %d %d %d %d %d %d", cpus[0], cpus[1], cpus[2], cpus[3], cpus[4], cpus[5], cpus[6],
           cpus[7]);
    TAP_OK(nodes[0] == 2 && nodes[2] == 0 && nodes[5] == 2 && nodes[7] == 0, "nodes");
    TAP_OK(fv_topo_order_under(root, some, 3, cpus, nodes) && cpus[0] == 5 && cpus[1] == 0 && cpus[2] == 4,
           "a hyperthread whose sibling is not allowed is a core: %d %d %d", cpus[0], cpus[1], cpus[2]);
    drop_root();

    new_root();
    for (int cpu = 0; cpu < 512; cpu++) {
        char *at = mask;

        big[cpu] = cpu;
        for (int word = 15; word >= 0; word--) {
            int core = cpu % 256;
            unsigned bits = core / 32 == word % 8 ? 1u << (core % 32) : 0;

            at += sprintf(at, "%08x%c", bits, word != 0 ? ',' : '\n');
        }
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_cpus", cpu);
        put_file(path, mask);
    }
    start = fv_now_ns();
    TAP_OK(fv_topo_order_under(root, big, 512, cpus, nodes), "512 CPUs");
    tap_diag("order of 512 CPUs in 256 cores: %.2f ms", (double)(fv_now_ns() - start) / 1e6);
    TAP_OK(cpus[0] == 255 && cpus[255] == 0 && cpus[256] == 511 && cpus[511] == 256, "order of 512 CPUs");
    drop_root();
}

static void test_topo(void)
{
    struct fv_topo topo;
    uint64_t start = fv_now_ns();
    cpu_set_t set, seen;
    int n_same = 0;

    TAP_IS(fv_topo_read(&topo), 0, "topology");
    tap_diag("%d of %d CPUs, read in %.3f ms%s%s", topo.n_cpus, topo.n_machine_cpus, (double)(fv_now_ns() - start) / 1e6,
             topo.note[0] != '\0' ? ": " : "", topo.note);
    sched_getaffinity(0, sizeof set, &set);
    CPU_ZERO(&seen);
    for (int i = 0; i < topo.n_allowed; i++) {
        n_same += CPU_ISSET(topo.cpus[i], &set) && !CPU_ISSET(topo.cpus[i], &seen);
        CPU_SET(topo.cpus[i], &seen);
    }
    TAP_OK(topo.n_cpus >= 1 && topo.n_cpus <= topo.n_allowed && topo.n_allowed <= topo.n_machine_cpus, "numbers");
    TAP_OK(n_same == CPU_COUNT(&set) && n_same == topo.n_allowed, "the CPUs are those of the mask, once each");
    TAP_IS(run_child(read_pinned), 0, "a mask of one CPU");
    TAP_IS(fv_topo_pin_self(-1), -EINVAL, "pin to CPU -1");
    TAP_IS(fv_topo_pin_self(16383), -EINVAL, "pin to a CPU that is not there");
    TAP_IS(fv_topo_pin_self(1 << 20), -EINVAL, "pin to a CPU beyond all");
    TAP_IS(run_child(read_unbound), 0, "OMP_PROC_BIND=false does not count");
    if (CPU_COUNT(&set) > 1) {
        TAP_IS(run_child(read_seen_through), 0, "a one-CPU mask by OpenMP is seen through");
        TAP_IS(run_child(read_launched), 0, "but not where a launcher may have set it");
    } else
        tap_skip("one CPU only");
    test_order();
}

static void test_limits(void)
{
    struct fv_limits l;
    uint64_t start = fv_now_ns();

    fv_limits_read(&l);
    tap_diag("limits read in %.3f ms", (double)(fv_now_ns() - start) / 1e6);
    TAP_OK(l.mem_available > 0 && l.cgroup_headroom > 0 && l.nproc_limit > 0 && l.nofile_limit > 0, "limits of this machine");

    new_root();
    TAP_OK(fv_limits_quota_under(root) == 0 && fv_limits_headroom_under(root) == FV_UNLIMITED, "no cgroups at all");
    put_file("/proc/self/cgroup", "0::/a/b\n");
    put_file("/proc/self/mountinfo", "30 20 0:26 / /cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
    put_file("/cg/a/b/cpu.max", "max 100000\n");
    put_file("/cg/a/cpu.max", "150000 100000\n");
    put_file("/cg/a/b/memory.max", "max\n");
    put_file("/cg/a/memory.max", "1000000\n");
    put_file("/cg/a/memory.current", "700000\n");
    put_file("/cg/a/memory.stat", "anon 5\ninactive_file 200000\nactive_file 7\n");
    TAP_OK(fv_limits_quota_under(root) == 1.5, "v2: an ancestor's CPU quota");
    TAP_IS(fv_limits_headroom_under(root), 500000, "v2: an ancestor's memory, less what is used, plus what can be dropped");
    put_file("/cg/a/b/cpu.max", "50000 100000\n");
    put_file("/cg/a/b/memory.high", "900\n");
    put_file("/cg/a/b/memory.current", "1000\n");
    TAP_OK(fv_limits_quota_under(root) == 0.5, "v2: the least of all quotas");
    TAP_IS(fv_limits_headroom_under(root), 0, "v2: over the limit: nothing is left");
    put_file("/proc/self/cgroup", "0::/not/there\n");
    put_file("/cg/cpu.max", "200000 100000\n");
    TAP_OK(fv_limits_quota_under(root) == 2, "v2: a path that is not visible: the mount's top");
    put_file("/proc/self/cgroup", "0::/pod/c1/in\n");
    put_file("/proc/self/mountinfo", "30 20 0:26 /pod/c1 /cg rw - cgroup2 cgroup rw\n");
    put_file("/cg/in/cpu.max", "100000 100000\n");
    TAP_OK(fv_limits_quota_under(root) == 1, "v2: a mount of a part");
    drop_root();

    new_root();
    TAP_IS(fv_limits_oom_kills_under(root), 0, "no count of processes that the kernel ended");
    put_file("/proc/vmstat", "oom_kill_x 4\noom_kill 7\nlast 1\n");
    TAP_IS(fv_limits_oom_kills_under(root), 7, "that of the machine");
    put_file("/proc/self/cgroup", "0::/a\n");
    put_file("/proc/self/mountinfo", "30 20 0:26 / /cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
    put_file("/cg/a/memory.events", "low 0\nhigh 1\nmax 2\noom 3\noom_kill 5\noom_group_kill 9\n");
    TAP_IS(fv_limits_oom_kills_under(root), 5, "that of the cgroup, v2");
    put_file("/proc/self/cgroup", "7:memory:/m\n0::/\n");
    put_file("/proc/self/mountinfo", "31 20 0:27 / /v1/memory rw - cgroup cgroup rw,memory\n");
    put_file("/v1/memory/m/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 6\n");
    TAP_IS(fv_limits_oom_kills_under(root), 6, "v1");
    drop_root();

    new_root();
    TAP_OK(fv_limits_used_under(root) == 0, "nothing can be read: nothing is used");
    put_file("/proc/meminfo", "MemTotal:     1000 kB\nMemFree:       10 kB\nMemAvailable:   250 kB\n");
    TAP_OK(fv_limits_used_under(root) == 0.75, "the machine's memory in use");
    put_file("/proc/self/cgroup", "0::/a/b\n");
    put_file("/proc/self/mountinfo", "30 20 0:26 / /cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
    put_file("/cg/a/memory.max", "1000000\n");
    put_file("/cg/a/memory.current", "900000\n");
    put_file("/cg/a/memory.stat", "anon 1\ninactive_file 100000\n");
    put_file("/cg/a/b/memory.max", "max\n");
    put_file("/cg/a/b/memory.current", "800000\n");
    TAP_OK(fv_limits_used_under(root) == 0.8, "a cgroup that is nearer to its limit, less what it can drop");
    put_file("/cg/a/b/memory.max", "500000\n");
    TAP_OK(fv_limits_used_under(root) == 1, "one that is over its limit");
    drop_root();

    new_root();
    put_file("/proc/self/cgroup", "7:memory:/m\n4:cpu,cpuacct:/c\n0::/\n");
    put_file("/proc/self/mountinfo", "30 20 0:26 / /v1/cpu rw - cgroup cgroup rw,cpu,cpuacct\n31 20 0:27 / /v1/memory rw - cgroup cgroup rw,memory\n");
    put_file("/v1/cpu/cpu.cfs_quota_us", "-1\n");
    put_file("/v1/cpu/c/cpu.cfs_quota_us", "250000\n");
    put_file("/v1/cpu/c/cpu.cfs_period_us", "100000\n");
    put_file("/v1/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put_file("/v1/memory/m/memory.limit_in_bytes", "4096000\n");
    put_file("/v1/memory/m/memory.usage_in_bytes", "96000\n");
    put_file("/v1/memory/m/memory.stat", "inactive_file 1\ntotal_inactive_file 0\n");
    TAP_OK(fv_limits_quota_under(root) == 2.5, "v1: CPU quota");
    TAP_IS(fv_limits_headroom_under(root), 4000000, "v1: memory");
    put_file("/v1/cpu/c/cpu.cfs_period_us", "0\n");
    TAP_OK(fv_limits_quota_under(root) == 0, "v1: a period of 0 is no quota");
    put_file("/v1/memory/m/memory.limit_in_bytes", "garbage\n");
    TAP_OK(fv_limits_headroom_under(root) == FV_UNLIMITED, "v1: what cannot be read is no limit");
    drop_root();
}

static void fill(struct fv_options *o, const struct fever_options *user, const struct fv_topo *topo, const struct fv_limits *limits)
{
    char why[256] = "";

    if (fv_options_resolve(user, o, why, sizeof why) != 0)
        tap_bail("%s", why);
    fv_options_fill(o, topo, limits);
}

static void test_machine(void)
{
    static struct fv_topo topo = {.n_cpus = 8, .n_allowed = 8, .n_machine_cpus = 8};
    struct fv_limits l = {.mem_available = 10000 * MIB, .cgroup_headroom = FV_UNLIMITED, .shm_free = 20000 * MIB, .shm_total = 20000 * MIB};
    struct fv_options o;

    for (int i = 0; i < FV_OPTION_COUNT; i++)
        unsetenv(fv_option_env(i));
    fill(&o, NULL, &topo, &l);
    TAP_OK(o.workers == 8 && o.store_bytes == 3000 * MIB && o.store_warm == 256 * MIB && o.process_slots == 256, "a whole machine");
    topo.n_machine_cpus = 32;
    fill(&o, NULL, &topo, &l);
    TAP_IS(o.store_bytes / MIB, 750, "a quarter of its CPUs: a quarter of the store");
    TAP_IS(o.store_warm / MIB, 187, "and not all of it warm (in whole MiB)");
    topo.n_machine_cpus = 8;
    l.shm_free = 100 * MIB;
    fill(&o, NULL, &topo, &l);
    TAP_IS(o.store_bytes / MIB, 94, "little is free in /dev/shm");
    fill(&o, FEVER_OPTIONS(.segment = "memfd"), &topo, &l);
    TAP_IS(o.store_bytes / MIB, 3000, "which does not matter to a memfd");
    l.shm_total = 64 * MIB;
    fill(&o, NULL, &topo, &l);
    TAP_IS(o.store_bytes / MIB, 3000, "nor where /dev/shm is tiny");
    l.cgroup_headroom = 1000 * MIB;
    fill(&o, NULL, &topo, &l);
    TAP_IS(o.store_bytes / MIB, 300, "a memory cgroup");
    l.cgroup_headroom = 0;
    fill(&o, NULL, &topo, &l);
    TAP_OK(o.store_bytes == MIB && o.store_warm == MIB / 4, "never below 1 MiB");
    fill(&o, FEVER_OPTIONS(.store_bytes = 5 * MIB, .workers = 300), &topo, &l);
    TAP_OK(o.store_bytes == 5 * MIB && o.store_warm == 5 * MIB / 4 && o.workers == 300, "what the program gave stands");
    TAP_IS(o.process_slots, 300 + 64 + 64 + 64, "process slots for many workers");
    fill(&o, FEVER_OPTIONS(.store_bytes = 5 * MIB, .store_warm = 50 * MIB, .process_slots = 100), &topo, &l);
    TAP_OK(o.store_warm == 5 * MIB && o.process_slots == 100, "no more is warm than there is");
    setenv("FEVER_STORE_WARM", "0", 1);
    fill(&o, NULL, &topo, &l);
    TAP_IS(o.store_warm, 0, "nothing warm, by the environment");
    unsetenv("FEVER_STORE_WARM");
}

static bool is_listed(const char *prefix)
{
    char command[128];

    snprintf(command, sizeof command, "ls /dev/shm 2>/dev/null | grep -q '^%s'", prefix);
    return system(command) == 0;
}

static void test_one_file(const char *mode, bool want_memfd)
{
    char why[256] = "", name[64];
    bool is_memfd = !want_memfd;
    struct stat st = {0};
    char *bytes;
    int fd = -1, rc = fv_shmfile_create(mode, 64 * MIB + 4096, &fd, &is_memfd, why, sizeof why);

    if (!TAP_IS(rc, 0, "%s: created %s", mode, why))
        return;
    fstat(fd, &st);
    TAP_IS(is_memfd, want_memfd, "%s: kind", mode);
    TAP_OK(st.st_size == (off_t)(64 * MIB + 4096) && (st.st_mode & 0777) == 0600 && st.st_blocks == 0, "%s: size, mode, sparse", mode);
    TAP_OK(st.st_nlink == 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0, "%s: unnamed, close-on-exec", mode);
    snprintf(name, sizeof name, "fever-%d-", (int)getpid());
    TAP_OK(!is_listed(name), "%s: no name in /dev/shm", mode);
    TAP_IS(fv_shmfile_alloc(fd, 4096, MIB), 0, "%s: allocate", mode);
    TAP_IS(fv_shmfile_alloc(fd, 4096, MIB), 0, "%s: allocate again", mode);
    fstat(fd, &st);
    TAP_IS(st.st_blocks * 512ull, MIB, "%s: so much is allocated", mode);
    bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    TAP_OK(bytes != MAP_FAILED && (bytes[4096] = 7) == 7, "%s: can be mapped and written", mode);
    if (bytes != MAP_FAILED)
        munmap(bytes, 8192);
    TAP_IS(fv_shmfile_alloc(fd, 0, 0), -EINVAL, "%s: allocate nothing", mode);
    close(fd);
    TAP_IS(fv_shmfile_alloc(fd, 0, 4096), -EBADF, "%s: allocate in what is closed", mode);
}

static int create_over_rlimit(void)
{
    char why[256] = "";
    bool is_memfd;
    int fd = -1;

    setrlimit(RLIMIT_FSIZE, &(struct rlimit){MIB, MIB});
    return fv_shmfile_create("auto", 2 * MIB, &fd, &is_memfd, why, sizeof why) == -FEVER_ENOROOM && fd == -1 && strstr(why, "1048576") != NULL
               ? 0
               : 1;
}

static int create_without_fds(void)
{
    char why[256] = "";
    bool is_memfd;
    int fd = -1;

    setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 3});
    return fv_shmfile_create("auto", MIB, &fd, &is_memfd, why, sizeof why) == -EMFILE && fd == -1 && why[0] != '\0' ? 0 : 1;
}

static int create_without_memfd(void)
{
    char why[256] = "";
    bool is_memfd;
    int fd = -1;

    if (!deny_syscall(SYS_memfd_create, ENOSYS))
        return 77;
    return fv_shmfile_create("memfd", MIB, &fd, &is_memfd, why, sizeof why) == -ENOSYS && strstr(why, "memfd_create") != NULL ? 0 : 1;
}

static void test_sweep(void)
{
    char dead[96], mine[96], reused[96], other[96], path[128];
    pid_t pid = fork();
    int fd;

    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    snprintf(dead, sizeof dead, "/fever-%d-%llu", (int)pid, 12345ull);
    snprintf(reused, sizeof reused, "/fever-%d-1-3", (int)getpid());
    snprintf(mine, sizeof mine, "/fever-%d-%llu", (int)getpid(), (unsigned long long)fv_process_starttime(getpid()));
    snprintf(other, sizeof other, "/fever-%d-12345x", (int)pid);
    const char *const all[] = {dead, reused, mine, other};
    for (size_t i = 0; i < FV_COUNT_OF(all); i++) {
        fd = shm_open(all[i], O_RDWR | O_CREAT, 0600);
        if (fd < 0)
            tap_bail("shm_open: %s", strerror(errno));
        close(fd);
    }
    TAP_OK(fv_shmfile_sweep() >= 2, "sweep");
#define STAYS(name) (snprintf(path, sizeof path, "/dev/shm%s", name), access(path, F_OK) == 0)
    TAP_OK(!STAYS(dead) && !STAYS(reused), "names of the dead are gone, also where the pid lives again");
    TAP_OK(STAYS(mine) && STAYS(other), "the living's and others' stay");
    {
        char why[256];
        bool is_memfd = true;
        int rc = fv_shmfile_create("shm", MIB, &fd, &is_memfd, why, sizeof why);

        TAP_OK(rc == 0 && !is_memfd && STAYS(mine), "a name that is taken: the next one");
        if (rc == 0)
            close(fd);
    }
    shm_unlink(mine);
    shm_unlink(other);
}

static void test_shmfile(void)
{
    struct fv_limits l;
    char why[256] = "";
    bool is_memfd;
    int fd = -1, rc;

    fv_limits_read(&l);
    TAP_OK(fv_shmfile_create("disk", MIB, &fd, &is_memfd, why, sizeof why) == -FEVER_EOPTION && fd == -1 && strstr(why, "disk") != NULL,
           "unknown kind: %s", why);
    test_one_file("memfd", true);
    TAP_IS(run_child(create_over_rlimit), 0, "over the limit of file sizes");
    TAP_IS(run_child(create_without_fds), 0, "no descriptor is left");
    rc = run_child(create_without_memfd);
    if (rc == 77)
        tap_skip("no filters here");
    else
        TAP_IS(rc, 0, "memfd_create is forbidden");
    if (l.shm_total == 0) {
        tap_skip("no /dev/shm");
        return;
    }
    test_one_file("shm", false);
    test_one_file("auto", l.shm_total <= 64 * MIB);
    test_sweep();
    if (l.shm_total < 1ull << 50 && fv_shmfile_create("shm", l.shm_total + 64 * MIB, &fd, &is_memfd, why, sizeof why) == 0) {
        TAP_IS(fv_shmfile_alloc(fd, 0, l.shm_total + 32 * MIB), -ENOSPC, "more than there is: ENOSPC, not a signal");
        close(fd);
    } else
        tap_skip("/dev/shm has no limit");
}

static void test_futex(void)
{
    uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t start = fv_now_ns();
    int status = -1, n = 0;
    pid_t pid;

    *word = 5;
    TAP_IS(fv_futex_wait(word, 4, -1), -EAGAIN, "futex: the word differs");
    TAP_IS(fv_futex_wait(word, 5, 3000000), -ETIMEDOUT, "futex: time limit");
    TAP_OK(fv_now_ns() - start >= 3000000, "futex: not before it");
    TAP_IS(fv_futex_wait(word, 5, 0), -ETIMEDOUT, "futex: no time at all");
    TAP_IS(fv_futex_wake(word, 1), 0, "futex: nobody sleeps");
    pid = fork();
    if (pid == 0)
        _exit(fv_futex_wait(word, 5, 10000000000) == 0 ? 0 : 1);
    while (n == 0 && fv_now_ns() - start < 10000000000) {
        n = fv_futex_wake(word, 1);
        usleep(1000);
    }
    waitpid(pid, &status, 0);
    TAP_OK(n == 1 && status == 0, "futex: wakes a sleeper in another process");
    munmap(word, 4096);
}

static int close_most(void)
{
    int keep[3], fds[6];

    for (int i = 0; i < 6; i++)
        fds[i] = open("/dev/null", O_RDONLY);
    dup2(fds[5], 300);
    keep[0] = fds[4]; /* in no order, with one that is not open */
    keep[1] = 900;
    keep[2] = fds[1];
    fv_process_close_from(keep, 3);
    for (int fd = 0; fd < 1024; fd++)
        if ((fcntl(fd, F_GETFD) >= 0) != (fd < 3 || fd == fds[4] || fd == fds[1]))
            return 1;
    fv_process_close_from(NULL, 0);
    for (int fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return 2;
    return 0;
}

static int close_most_by_list(void)
{
    if (!deny_syscall(SYS_close_range, ENOSYS))
        return 77;
    for (int i = 0; i < 200; i++) /* more than one buffer of the list */
        if (open("/dev/null", O_RDONLY) < 0)
            return 3;
    return close_most();
}

static int barrier_denied(void)
{
    if (!deny_syscall(SYS_membarrier, ENOSYS))
        return 77;
    return !fv_membarrier_register() && !fv_membarrier() ? 0 : 1;
}

static void *wait_for_lock(void *arg)
{
    pthread_mutex_lock(arg);
    pthread_mutex_unlock(arg);
    return NULL;
}

static void test_process(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct pollfd death = {.events = POLLIN};
    pthread_t thread;
    uint64_t start, rss;
    char *bytes;
    pid_t pid;
    int rc;

    pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    start = fv_process_starttime(pid);
    death.fd = fv_pidfd_open(pid);
    TAP_OK(death.fd >= 0 && (fcntl(death.fd, F_GETFD) & FD_CLOEXEC) != 0, "pidfd");
    TAP_OK(start != 0 && start >= fv_process_starttime(getpid()), "start time");
    TAP_OK(fv_process_alive(pid, start) && fv_process_alive(pid, 0) && !fv_process_alive(pid, start + 1), "alive, and not another of its pid");
    TAP_IS(poll(&death, 1, 0), 0, "pidfd: quiet while it lives");
    kill(pid, SIGKILL);
    TAP_IS(poll(&death, 1, 5000), 1, "pidfd: tells its death");
    TAP_OK(!fv_process_alive(pid, start) && !fv_process_alive(pid, 0), "a zombie is not alive");
    waitpid(pid, NULL, 0);
    TAP_OK(!fv_process_alive(pid, start) && fv_process_starttime(pid) == 0, "nor who was reaped");
    TAP_IS(fv_pidfd_open(pid), -ESRCH, "pidfd of nobody");
    TAP_IS(fv_pidfd_open(-1), -EINVAL, "pidfd of -1");
    TAP_OK(!fv_process_alive(0, 0) && !fv_process_alive(-1, 0) && fv_process_starttime(-1) == 0, "no process has pid 0 or -1");
    TAP_OK(fv_process_alive(1, 0), "process 1 is alive");
    close(death.fd);

    TAP_IS(fv_process_thread_count(), 1, "one thread");
    pthread_mutex_lock(&lock);
    pthread_create(&thread, NULL, wait_for_lock, &lock);
    TAP_IS(fv_process_thread_count(), 2, "two threads");
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);

    rss = fv_process_private_rss();
    bytes = mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(bytes, 1, 32 * MIB);
    TAP_OK(rss > 0 && fv_process_private_rss() >= rss + 30 * MIB, "private memory counts");
    munmap(bytes, 32 * MIB);
    rss = fv_process_private_rss();
    bytes = mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(bytes, 1, 32 * MIB);
    TAP_OK(fv_process_private_rss() < rss + 16 * MIB, "shared memory does not");
    munmap(bytes, 32 * MIB);

    TAP_IS(run_child(close_most), 0, "descriptors: all are closed but those to keep");
    rc = run_child(close_most_by_list);
    if (rc == 77)
        tap_skip("no filters here");
    else
        TAP_IS(rc, 0, "descriptors: the same without close_range");

    TAP_IS(fv_membarrier_register(), fv_membarrier(), "membarrier: both or none");
    rc = run_child(barrier_denied);
    if (rc == 77)
        tap_skip("no filters here");
    else
        TAP_IS(rc, 0, "membarrier: false where it is forbidden");
}

int main(void)
{
    alarm(120);
    clear_openmp();
    test_topo();
    test_limits();
    test_machine();
    test_shmfile();
    test_futex();
    test_process();
    return tap_done();
}
