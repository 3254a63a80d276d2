/* series.c: runs each repetition in a child process, guarded by a time limit, and collects figures.
 *
 * Run by fever-bench's parent.  The child is a process group of its own, so that a limit that passes
 * ends its fork pool, too; it dies with the parent.  A child that hangs, crashes or says "error" marks
 * its implementation as failed, by name, and the others go on.
 */
#include "series.h"

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The programs ---- */

/* Finds a peer's program beside this one, or one up when libtool keeps this one in .libs; for a null
 * name, this one. */
static bool find_program(const char *name, char path_out[PATH_MAX]) {
    char    self[PATH_MAX], path[2 * PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return false;
    self[n] = '\0';
    if (name == NULL) {
        memcpy(path_out, self, (size_t)n + 1);
        return true;
    }
    char *dir = dirname(self);
    if (strcmp(strrchr(dir, '/') != NULL ? strrchr(dir, '/') : "", "/.libs") == 0)
        dir = dirname(dir);
    int length = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (length <= 0 || length >= PATH_MAX || access(path, X_OK) != 0)
        return false;
    memcpy(path_out, path, (size_t)length + 1);
    return true;
}

/* ---- One child ---- */

struct child {
    pid_t  pid;
    int    fd; /* its standard output */
    char   text[4096];
    size_t bytes;
};

static int start_child(const char *path, const struct bench_row *bench, const struct contender *c, int workers, bool quick,
                       struct child *child_out) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", workers);
        setpgid(0, 0);
        bench_die_with_parent();
        dup2(fds[1], STDOUT_FILENO);
        execl(path, path, "--one", bench->name, c->impl->name, number, quick ? "quick" : "full", (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return -errno;
    }
    setpgid(pid, pid);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    *child_out = (struct child){.pid = pid, .fd = fds[0]};
    return 0;
}

static void drain(struct child *child) {
    for (;;) {
        ssize_t n = read(child->fd, child->text + child->bytes, sizeof child->text - 1 - child->bytes);
        if (n <= 0)
            break;
        child->bytes += (size_t)n;
    }
    child->text[child->bytes] = '\0';
}

/* Waits for the child's end, not for the end of its output: something it left could hold that open.
 * Returns its wait status, or -1 when the time limit passed and it was killed. */
static int wait_child(struct child *child, double timeout_s) {
    uint64_t limit = bench_now_ns() + (uint64_t)(timeout_s * 1e9);
    int      status = -1, pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    bool     timed_out = false;
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        uint64_t  now = bench_now_ns();
        timed_out = now >= limit;
        if (timed_out || (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child->pid))
            break;
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        uint64_t      left_ms = (limit - now) / 1000000u + 1;
        poll(&p, pidfd >= 0, pidfd < 0 ? 10 : left_ms > 60000 ? 60000 : (int)left_ms);
    }
    kill(-child->pid, SIGKILL); /* with all that it left in its group, before its number is free again */
    waitpid(child->pid, &status, 0);
    drain(child);
    close(child->fd);
    if (pidfd >= 0)
        close(pidfd);
    return timed_out ? -1 : status;
}

/* ---- Its figures ---- */

static void set_reason(struct contender *c, enum outcome outcome, const char *text) {
    c->outcome = outcome;
    snprintf(c->reason, sizeof c->reason, "%s", text);
}

static void add_value(struct contender *c, const char *name, double value) {
    const struct figure_row *figure = figure_row(name);
    /* flood_2 is run by the code of flood: a figure of another row counts for this one's. */
    struct series *s = NULL;
    for (int i = 0; i < c->n_figures; i++)
        if (c->figures[i].figure == figure)
            s = &c->figures[i];
    if (s == NULL && figure != NULL && c->n_figures < SERIES_MAX_FIGS) {
        s = &c->figures[c->n_figures++];
        s->figure = figure;
    }
    if (s != NULL && s->n < SERIES_MAX_REPS)
        s->values[s->n++] = value;
}

static void read_lines(struct contender *c, const struct bench_row *bench, struct child *child, int *n_figures_out) {
    char *rest = NULL;
    for (char *line = strtok_r(child->text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char   name[64];
        double value;
        if (sscanf(line, "figure %63s %lf", name, &value) == 2) {
            const struct figure_row *figure = figure_row(name);
            bool                     ours = figure != NULL && strcmp(figure->bench, bench->name) == 0;
            add_value(c, ours ? name : bench->name, value);
            ++*n_figures_out;
        } else if (strncmp(line, "note ", 5) == 0) {
            snprintf(c->note, sizeof c->note, "%s", line + 5);
        } else if (strncmp(line, "skip ", 5) == 0) {
            set_reason(c, OUTCOME_SKIPPED, line + 5);
        } else if (strncmp(line, "error ", 6) == 0) {
            set_reason(c, OUTCOME_FAILED, line + 6);
        }
    }
}

static void run_once(struct contender *c, const struct bench_row *bench, int workers, const struct series_options *options) {
    char         path[PATH_MAX], text[400];
    struct child child;
    if (!find_program(c->impl->program, path)) {
        snprintf(text, sizeof text, "not installed: %s was not built (it needs %s)", c->impl->program, c->impl->cure);
        set_reason(c, OUTCOME_SKIPPED, text);
        return;
    }
    int rc = start_child(path, bench, c, workers, options->quick, &child);
    if (rc < 0) {
        set_reason(c, OUTCOME_FAILED, strerror(-rc));
        return;
    }
    int n_figures = 0;
    int status = wait_child(&child, options->timeout_s);
    read_lines(c, bench, &child, &n_figures);
    if (c->outcome != OUTCOME_OK)
        return;
    if (status == -1)
        snprintf(text, sizeof text, "no result after %g s", options->timeout_s);
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "died of signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(status));
    else if (n_figures == 0)
        snprintf(text, sizeof text, "printed no figure");
    else
        return;
    set_reason(c, OUTCOME_FAILED, text);
}

/* ---- The whole ---- */

static void summarize(struct series *s) {
    s->median = bench_median(s->values, (size_t)s->n);
    s->min = s->values[0];
    s->max = s->values[s->n - 1];
}

static void add_contender(struct measurement *m, const char *name) {
    const struct impl_row *impl = impl_row(name);
    if (impl != NULL && m->n_contenders < SERIES_MAX_IMPLS)
        m->contenders[m->n_contenders++].impl = impl;
}

bool measurement_run(const struct bench_row *bench, const struct series_options *options, struct measurement *m_out) {
    struct measurement m = {.bench = bench, .workers = options->workers > 0 ? options->workers : bench->workers};
    m.contenders = calloc(SERIES_MAX_IMPLS, sizeof *m.contenders);
    if (m.contenders == NULL) {
        perror("fever-bench");
        exit(1);
    }
    add_contender(&m, "fever");
    if (options->peers) {
        char names[400], *rest = NULL;
        snprintf(names, sizeof names, "%s", bench->peers);
        for (char *name = strtok_r(names, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest))
            add_contender(&m, name);
    }
    for (int rep = 0; rep < options->reps; rep++)
        for (int i = 0; i < m.n_contenders; i++)
            if (m.contenders[i].outcome == OUTCOME_OK)
                run_once(&m.contenders[i], bench, m.workers, options);
    for (int i = 0; i < m.n_contenders; i++)
        for (int k = 0; k < m.contenders[i].n_figures; k++)
            summarize(&m.contenders[i].figures[k]);
    *m_out = m;
    return m.contenders[0].outcome == OUTCOME_OK;
}

void measurement_free(struct measurement *m) {
    free(m->contenders);
    m->contenders = NULL;
}

const struct series *contender_series(const struct contender *c, const struct figure_row *figure) {
    for (int i = 0; i < c->n_figures; i++)
        if (c->figures[i].figure == figure)
            return &c->figures[i];
    return NULL;
}
