/* t_event.c: both back ends of the event loop, by the same tests. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "deny.h"
#include "fever.h"
#include "plat/process.h"
#include "run/event.h"
#include "tap.h"

#define MANY 4200

static struct fv_loop *loop;
static const char *which;

struct note {
    int      n, fd;
    uint32_t events;
    int      other; /* what a callback acts upon */
};

static void take_note(void *arg, int fd, uint32_t events)
{
    struct note *note = arg;

    note->n++;
    note->fd = fd;
    note->events = events;
}

static void note_and_read(void *arg, int fd, uint32_t events)
{
    uint64_t value;

    take_note(arg, fd, events);
    if (read(fd, &value, sizeof value) < 0)
        tap_diag("read: %s", strerror(errno));
}

static int ready_fd(void)
{
    return eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
}

static uint64_t in_ms(int ms)
{
    return fv_now_ns() + (uint64_t)ms * 1000000u;
}

static void test_readiness(void)
{
    struct note a = {0}, t = {0};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t one = 1, start;

    TAP_IS(fv_loop_wait(loop), -EDEADLK, "%s: nothing to wait for", which);
    TAP_IS(fv_loop_add(loop, -1, POLLIN, take_note, &a), -EBADF, "%s: add -1", which);
    TAP_IS(fv_loop_add(loop, 19999, POLLIN, take_note, &a), -EBADF, "%s: add what is not open", which);
    TAP_IS(fv_loop_remove(loop, fd), -ENOENT, "%s: remove what is not watched", which);
    TAP_IS(fv_loop_remove(loop, -5), -ENOENT, "%s: remove -5", which);
    TAP_IS(fv_loop_add(loop, fd, POLLIN, take_note, &a), 0, "%s: add", which);
    TAP_IS(fv_loop_add(loop, fd, POLLIN, take_note, &a), -EEXIST, "%s: add twice", which);
    start = fv_now_ns();
    fv_loop_timer(loop, in_ms(20), take_note, &t);
    TAP_IS(fv_loop_wait(loop), 1, "%s: the timer ends the wait", which);
    TAP_OK(a.n == 0 && t.n == 1 && t.fd == -1 && fv_now_ns() - start >= 20000000, "%s: at its time, and nothing else", which);
    TAP_IS(write(fd, &one, sizeof one), 8, "%s: make it ready", which);
    TAP_IS(fv_loop_wait(loop), 1, "%s: ready", which);
    TAP_OK(a.n == 1 && a.fd == fd && a.events == POLLIN, "%s: descriptor and events", which);
    TAP_IS(fv_loop_wait(loop), 1, "%s: still ready: level-triggered", which);
    TAP_IS(fv_loop_remove(loop, fd), 0, "%s: remove", which);
    TAP_IS(fv_loop_add(loop, fd, POLLIN, note_and_read, &a), 0, "%s: add again", which);
    TAP_IS(fv_loop_wait(loop), 1, "%s: ready, and read", which);
    fv_loop_timer(loop, in_ms(5), take_note, &t);
    TAP_OK(fv_loop_wait(loop) == 1 && a.n == 3 && t.n == 2, "%s: not ready any more", which);
    TAP_IS(fv_loop_remove(loop, fd), 0, "%s: remove", which);
    TAP_IS(fv_loop_wait(loop), -EDEADLK, "%s: nothing to wait for again", which);
    close(fd);
}

static void set_timer_again(void *arg, int fd, uint32_t events)
{
    take_note(arg, fd, events);
    if (((struct note *)arg)->n < 3)
        fv_loop_timer(loop, in_ms(1), set_timer_again, arg);
}

static void test_timer(void)
{
    struct note t = {0}, a = {0};
    int fd = ready_fd();

    fv_loop_timer(loop, 1, take_note, &t);
    TAP_OK(fv_loop_wait(loop) == 1 && t.n == 1, "%s: a time that has passed", which);
    t.n = 0;
    fv_loop_timer(loop, in_ms(1), set_timer_again, &t);
    for (int i = 0; i < 3; i++)
        fv_loop_wait(loop);
    TAP_OK(t.n == 3 && fv_loop_wait(loop) == -EDEADLK, "%s: set again by its callback", which);
    fv_loop_timer(loop, in_ms(60000), take_note, &t);
    fv_loop_timer(loop, in_ms(2), take_note, &t);
    TAP_OK(fv_loop_wait(loop) == 1 && t.n == 4, "%s: moved ahead", which);
    fv_loop_timer(loop, in_ms(1), take_note, &t);
    fv_loop_timer(loop, 0, NULL, NULL);
    TAP_IS(fv_loop_wait(loop), -EDEADLK, "%s: disarmed", which);
    fv_loop_add(loop, fd, POLLIN, take_note, &a);
    fv_loop_timer(loop, 1, take_note, &t);
    TAP_OK(fv_loop_wait(loop) == 2 && a.n == 1 && t.n == 5, "%s: descriptor and timer in one wait", which);
    fv_loop_remove(loop, fd);
    close(fd);
}

static void remove_self(void *arg, int fd, uint32_t events)
{
    take_note(arg, fd, events);
    fv_loop_remove(loop, fd);
}

static void remove_self_and_other(void *arg, int fd, uint32_t events)
{
    take_note(arg, fd, events);
    fv_loop_remove(loop, ((struct note *)arg)->other);
    fv_loop_remove(loop, fd);
}

static void add_other(void *arg, int fd, uint32_t events)
{
    struct note *note = arg;

    take_note(arg, fd, events);
    fv_loop_remove(loop, fd);
    fv_loop_add(loop, note->other, POLLIN, remove_self, note);
}

static void add_self_again(void *arg, int fd, uint32_t events)
{
    take_note(arg, fd, events);
    fv_loop_remove(loop, fd);
    fv_loop_add(loop, fd, POLLIN, remove_self, arg);
}

/* its number is taken over by another file, which is not ready */
static void replace_self(void *arg, int fd, uint32_t events)
{
    struct note *note = arg;

    take_note(arg, fd, events);
    fv_loop_remove(loop, fd);
    close(fd);
    note->other = eventfd(0, EFD_CLOEXEC);
    fv_loop_add(loop, note->other, POLLIN, take_note, arg);
}

static void test_changes(void)
{
    struct note a = {0}, b = {0}, t = {0};
    int x = ready_fd(), y = ready_fd(), far;

    fv_loop_add(loop, x, POLLIN, remove_self, &a);
    TAP_OK(fv_loop_wait(loop) == 1 && fv_loop_wait(loop) == -EDEADLK, "%s: a callback removes itself", which);

    a = (struct note){.other = y};
    b = (struct note){.other = x};
    fv_loop_add(loop, x, POLLIN, remove_self_and_other, &a);
    fv_loop_add(loop, y, POLLIN, remove_self_and_other, &b);
    TAP_OK(fv_loop_wait(loop) == 1 && a.n + b.n == 1, "%s: who is removed while pending is not called", which);
    TAP_IS(fv_loop_wait(loop), -EDEADLK, "%s: both are gone", which);

    a = (struct note){.other = y};
    fv_loop_add(loop, x, POLLIN, add_other, &a);
    while (fv_loop_wait(loop) > 0)
        ;
    TAP_OK(a.n == 2 && a.fd == y, "%s: a callback adds another", which);

    far = fcntl(x, F_DUPFD_CLOEXEC, 2500);
    if (far >= 0) {
        a = (struct note){.other = far};
        fv_loop_add(loop, x, POLLIN, add_other, &a);
        fv_loop_add(loop, y, POLLIN, remove_self, &b);
        while (fv_loop_wait(loop) > 0)
            ;
        TAP_OK(a.n == 2 && a.fd == far, "%s: a callback adds a descriptor of a high number", which);
        close(far);
    } else
        tap_skip("%s: no descriptor of a high number", which);

    a = (struct note){0};
    fv_loop_add(loop, x, POLLIN, add_self_again, &a);
    while (fv_loop_wait(loop) > 0)
        ;
    TAP_IS(a.n, 2, "%s: a callback adds itself again", which);

    a = (struct note){0};
    fv_loop_add(loop, x, POLLIN, replace_self, &a);
    TAP_IS(fv_loop_wait(loop), 1, "%s: a descriptor's number goes to another file", which);
    fv_loop_timer(loop, in_ms(5), take_note, &t);
    TAP_OK(fv_loop_wait(loop) == 1 && t.n == 1 && a.n == 1 && a.other == x, "%s: whose state counts", which);
    fv_loop_remove(loop, a.other);
    close(a.other);
    close(y);
}

static void test_close(void)
{
    struct note a = {0}, t = {0};
    struct pollfd peer = {.events = POLLIN};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        tap_bail("socketpair");
    fv_loop_add(loop, ends[0], POLLIN, take_note, &a);
    fv_loop_timer(loop, in_ms(2), take_note, &t);
    fv_loop_wait(loop); /* so that the back end has told the kernel */
    fv_loop_remove(loop, ends[0]);
    close(ends[0]);
    peer.fd = ends[1];
    TAP_OK(poll(&peer, 1, 1000) == 1 && (peer.revents & POLLHUP) != 0, "%s: a socket that was removed closes for its peer", which);
    close(ends[1]);

    if (pipe2(ends, O_CLOEXEC) != 0)
        tap_bail("pipe");
    fv_loop_add(loop, ends[0], POLLIN, remove_self, &a);
    close(ends[1]);
    TAP_OK(fv_loop_wait(loop) == 1 && (a.events & POLLHUP) != 0, "%s: end of file is POLLHUP", which);
    close(ends[0]);
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

static void test_signal(void)
{
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    struct sigaction action = {.sa_handler = on_alarm};
    struct note a = {0};
    int fd = eventfd(0, EFD_CLOEXEC);

    sigaction(SIGALRM, &action, NULL);
    fv_loop_add(loop, fd, POLLIN, take_note, &a);
    setitimer(ITIMER_REAL, &soon, NULL);
    TAP_IS(fv_loop_wait(loop), 0, "%s: a signal ends the wait", which);
    fv_loop_remove(loop, fd);
    close(fd);
}

static void test_child(void)
{
    struct note a = {0};
    uint64_t killed_ns;
    int fd, status;
    pid_t pid = fork();

    if (pid == 0) {
        pause();
        _exit(0);
    }
    fd = fv_pidfd_open(pid);
    fv_loop_add(loop, fd, POLLIN, remove_self, &a);
    killed_ns = fv_now_ns();
    kill(pid, SIGKILL);
    TAP_IS(fv_loop_wait(loop), 1, "%s: the death of a child", which);
    tap_diag("%s: %.1f us after the kill", which, (double)(fv_now_ns() - killed_ns) / 1000);
    TAP_OK((a.events & POLLIN) != 0 && waitpid(pid, &status, WNOHANG) == pid, "%s: can be reaped then", which);
    close(fd);
}

static void test_many(void)
{
    static struct note notes[MANY];
    static int fds[MANY];
    struct rlimit limit;
    int n_before = 0, n_called = 0, n_wrong = 0, n_waits = 0, status;
    uint64_t start;
    pid_t pid;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < MANY + 100) {
        tap_skip("%s: only %llu descriptors", which, (unsigned long long)limit.rlim_cur);
        return;
    }
    pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    start = fv_now_ns();
    for (int i = 0; i < MANY; i++) {
        notes[i] = (struct note){0};
        fds[i] = fv_pidfd_open(pid);
        if (fds[i] < 0 || fv_loop_add(loop, fds[i], POLLIN, remove_self, &notes[i]) != 0)
            n_wrong++;
    }
    TAP_IS(n_wrong, 0, "%s: %d pidfds added", which, MANY);
    fv_loop_timer(loop, in_ms(1), take_note, &notes[0]);
    fv_loop_wait(loop);
    for (int i = 0; i < MANY; i++)
        n_before += notes[i].n;
    tap_diag("%s: %d added and one wait: %.2f ms", which, MANY, (double)(fv_now_ns() - start) / 1e6);
    TAP_IS(n_before, 1, "%s: quiet but for the timer", which);
    for (int i = 0; i < MANY; i += 7) {
        fv_loop_remove(loop, fds[i]);
        close(fds[i]);
        fds[i] = -1;
    }
    notes[0].n = 0;
    start = fv_now_ns();
    kill(pid, SIGKILL);
    for (int n; (n = fv_loop_wait(loop)) > 0; n_waits++)
        n_called += n;
    tap_diag("%s: all called after %d waits and %.2f ms", which, n_waits, (double)(fv_now_ns() - start) / 1e6);
    TAP_IS(n_called, MANY - MANY / 7, "%s: all that are left are called", which);
    for (int i = 0; i < MANY; i++) {
        n_wrong += notes[i].n != (fds[i] >= 0);
        if (fds[i] >= 0)
            close(fds[i]);
    }
    TAP_IS(n_wrong, 0, "%s: once each", which);
    waitpid(pid, &status, 0);
}

static int count_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_fork(void)
{
    struct note a = {0};
    int fd = eventfd(0, EFD_CLOEXEC), n = count_fds(), status = -1;
    uint64_t one = 1;
    pid_t pid;

    fv_loop_add(loop, fd, POLLIN, take_note, &a);
    fv_loop_timer(loop, in_ms(1), take_note, &a);
    fv_loop_wait(loop);
    pid = fork();
    if (pid == 0) {
        fv_loop_forget_in_child(loop);
        _exit(count_fds() == n - (strcmp(which, "uring") == 0) ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    TAP_IS(status, 0, "%s: a child forgets the loop, and its descriptor", which);
    TAP_IS(write(fd, &one, sizeof one), 8, "%s: make it ready", which);
    TAP_OK(fv_loop_wait(loop) == 1 && a.n == 2, "%s: the parent's loop goes on", which);
    fv_loop_remove(loop, fd);
    close(fd);
}

static void test_backend(const char *name)
{
    int n = count_fds(), rc;

    which = name;
    rc = fv_loop_open(name, &loop);
    if (rc != 0) {
        tap_skip("%s: cannot be had here: %s", name, fever_strerror(rc));
        return;
    }
    TAP_TEXT(fv_loop_name(loop), name, "%s: its name", name);
    test_readiness();
    test_timer();
    test_changes();
    test_close();
    test_signal();
    test_child();
    test_many();
    test_fork();
    fv_loop_close(loop);
    TAP_IS(count_fds(), n, "%s: no descriptor is left", name);
}

/* In a child: what is opened when `number` fails with `error` (number below 0: when there is no descriptor left).
 * 0: all as it should be. */
static int open_denied(int number, int error)
{
    struct fv_loop *l = NULL;
    struct note a = {0};
    int fd = ready_fd(), rc;

    if (number >= 0 ? !deny_syscall(number, error) : setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)fd + 1, (rlim_t)fd + 1}) != 0)
        return 77;
    rc = fv_loop_open("uring", &l);
    if (rc != -error || l != NULL)
        return 1;
    if (fv_loop_open("auto", &l) != 0 || strcmp(fv_loop_name(l), "poll") != 0)
        return 2;
    if (fv_loop_add(l, fd, POLLIN, take_note, &a) != 0 || fv_loop_wait(l) != 1)
        return 3;
    fv_loop_close(l);
    return 0;
}

static void test_fallback(void)
{
    static const struct {
        const char *what;
        int         number, error;
    } cases[] = {
        {"io_uring is forbidden", SYS_io_uring_setup, EPERM},
        {"io_uring is unknown", SYS_io_uring_setup, ENOSYS},
        {"no memory may be locked", SYS_io_uring_setup, ENOMEM},
        {"io_uring may be set up and not used", SYS_io_uring_enter, EPERM},
        {"no descriptor is left", -1, EMFILE},
    };
    int status;

    for (size_t i = 0; i < FV_COUNT_OF(cases); i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(open_denied(cases[i].number, cases[i].error));
        waitpid(pid, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            tap_skip("%s: no filters here", cases[i].what);
        else
            TAP_IS(status, 0, "%s: auto falls back to poll", cases[i].what);
    }
}

int main(void)
{
    struct fv_loop *none = NULL;

    alarm(120); /* a hang is a failure */
    TAP_OK(fv_loop_open("epoll", &none) == -FEVER_EOPTION && none == NULL, "unknown back end");
    TAP_IS(fv_loop_open("auto", &loop), 0, "auto");
    tap_diag("auto is %s", fv_loop_name(loop));
    fv_loop_close(loop);
    test_backend("poll");
    alarm(120);
    test_backend("uring");
    test_fallback();
    return tap_done();
}
