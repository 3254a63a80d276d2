/* t_nth.c: the n-th system call (or allocation) of fever_init fails, for every n, in whichever process it is made.
 *
 * The linker sends the library's calls through the wrappers below, which count them, in shared memory, over driver,
 * supervisor and workers.  Each time: init either fails with a clear error or does without; then nothing may be left, and
 * without trouble init works and a task runs.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <liburing.h>

#include "test/rt.h"

static struct told {
    _Atomic long calls;  /* so far */
    _Atomic long fail;   /* this one fails; 0: none */
    char         what[32];
    _Atomic pid_t group;
    int          left; /* descriptors too many */
    int          rc, rc_again, rc_shutdown;
    long         value, value_again;
    double       took;
} *told;

static bool fails(const char *what) {
    if (told == NULL || told->fail == 0 || ++told->calls != told->fail)
        return false;
    snprintf(told->what, sizeof told->what, "%s", what);
    return true;
}

#define WRAP(type, name, bad, err, params, args) \
    type __real_##name params; \
    type __wrap_##name params; \
    type __wrap_##name params { \
        if (!fails(#name)) \
            return __real_##name args; \
        errno = err; \
        return bad; \
    }

WRAP(pid_t, fork, -1, EAGAIN, (void), ())
WRAP(void *, mmap, MAP_FAILED, ENOMEM, (void *a, size_t n, int p, int f, int d, off_t o), (a, n, p, f, d, o))
WRAP(int, mprotect, -1, ENOMEM, (void *a, size_t n, int p), (a, n, p))
WRAP(int, madvise, -1, EINVAL, (void *a, size_t n, int p), (a, n, p))
WRAP(int, ftruncate, -1, ENOSPC, (int d, off_t n), (d, n))
WRAP(int, fallocate, -1, ENOSPC, (int d, int m, off_t o, off_t n), (d, m, o, n))
WRAP(int, fchmod, -1, EPERM, (int d, mode_t m), (d, m))
WRAP(int, shm_open, -1, EMFILE, (const char *s, int f, mode_t m), (s, f, m))
WRAP(int, memfd_create, -1, EMFILE, (const char *s, unsigned f), (s, f))
WRAP(int, eventfd, -1, EMFILE, (unsigned n, int f), (n, f))
WRAP(int, signalfd, -1, EMFILE, (int d, const sigset_t *s, int f), (d, s, f))
WRAP(int, socket, -1, EMFILE, (int d, int t, int p), (d, t, p))
WRAP(int, pipe2, -1, EMFILE, (int *p, int f), (p, f))
WRAP(int, socketpair, -1, EMFILE, (int d, int t, int p, int *v), (d, t, p, v))
WRAP(int, bind, -1, EADDRINUSE, (int d, const struct sockaddr *a, socklen_t n), (d, a, n))
WRAP(int, listen, -1, EADDRINUSE, (int d, int n), (d, n))
WRAP(int, io_uring_queue_init, -EPERM, EPERM, (unsigned n, struct io_uring *r, unsigned f), (n, r, f))
WRAP(int, pthread_key_create, ENOMEM, ENOMEM, (pthread_key_t *k, void (*f)(void *)), (k, f))
WRAP(int, sigaltstack, -1, ENOMEM, (const stack_t *a, stack_t *b), (a, b))
WRAP(void *, calloc, NULL, ENOMEM, (size_t n, size_t m), (n, m))
WRAP(void *, malloc, NULL, ENOMEM, (size_t n), (n))
WRAP(void *, realloc, NULL, ENOMEM, (void *p, size_t n), (p, n))
WRAP(int, fv_pidfd_open, -EMFILE, EMFILE, (pid_t p), (p))

FEVER_TASK(long, twice, (long, x)) { return 2 * x; }

static int n_descriptors(void) {
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}
static int init(void) {
    int rc = fever_init(FEVER_OPTIONS(.workers = 2, .max_spares = 2, .store_bytes = 8 << 20, .task_slots = 1024, .process_slots = 16,
                                      .segment = "shm", .quiet = 1));
    if (rc == 0)
        told->group = fv_rt.supervisor_pid;
    return rc;
}

static void attempt(void) {
    int before = n_descriptors();
    alarm(25);
    double begin = rt_now();
    told->rc = init();
    told->took = rt_now() - begin;
    if (told->rc == 0) {
        int rc = fever_take(twice_remote(21), &told->value);
        if (rc < 0) /* a call can fail in there, too, if it is told */
            told->value = rc;
        told->fail = 0;
        told->rc_shutdown = fever_shutdown();
    }
    told->fail = 0;
    told->left = n_descriptors() - before;
    told->rc_again = init();
    if (told->rc_again == 0 && fever_take(twice_remote(4), &told->value_again) < 0)
        told->value_again = -1;
    fever_shutdown();
    _exit(0);
}

int main(void) {
    rt_begin(280);
    struct told *t = rt_shared(sizeof *t);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int wrong = 0, failed = 0, done_without = 0;
    long n;
    for (n = 1; wrong < 10; n++) {
        memset(t, 0, sizeof *t);
        t->fail = n;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            told = t;
            attempt();
        }
        int status = 0;
        waitpid(pid, &status, 0);
        if (t->what[0] == '\0')
            break; /* there is no n-th */
        double end = rt_now() + RT_LONG;
        int    left = 0;
        for (;;) { /* all of its processes have come to us, and must have ended */
            pid_t p = waitpid(-1, NULL, WNOHANG);
            left = p == 0;
            if (p < 0 || rt_now() > end)
                break;
            if (p == 0)
                rt_nap();
        }
        bool good_rc = t->rc == 0 ? t->rc_shutdown == 0 && (t->value == 42 || t->value < 0) : t->rc < 0 && t->took < 3;
        bool good = status == 0 && good_rc && t->left == 0 && t->rc_again == 0 && t->value_again == 8 && !left && rt_names(pid) == 0;
        failed += t->rc < 0;
        done_without += t->rc == 0;
        if (!good) {
            wrong++;
            tap_diag("call %ld, %s: status %#x; init %d (%s) after %.2f s, task %ld, shutdown %d; %d descriptors more; init again %d, "
                     "task %ld; %s; %d names", n, t->what, (unsigned)status, t->rc, fever_strerrorname(t->rc), t->took, t->value, t->rc_shutdown,
                     t->left, t->rc_again, t->value_again, left ? "processes are left" : "no process is left", rt_names(pid));
        }
    }
    TAP_OK(wrong == 0 && n > 20, "%ld calls failed, one at a time: init gave an error %d times and did without %d times", n - 1, failed, done_without);
    return tap_done();
}
