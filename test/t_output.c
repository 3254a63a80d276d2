/* t_output.c: what tasks print reaches the driver's standard output and error: whole lines, all of them, whoever dies.
 *
 * Run by:          make check.  Each case is a child with a runtime of its own, whose streams this test looks at.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "rt.h"

#define N_LINES   10000
#define LONG_LINE 200000

struct page {
    atomic_int at, go, rc;
};
static struct page *page;
static int          out = -1, err = -1; /* what is the child's standard output and error, as the test sees it */

/* ------------------------------------------------------------------------------------------------ tasks */

FEVER_TASK(int, lines, (int, n))
{
    static int seq;
    for (int i = 0; i < n; i++)
        printf("line %d of %d, abcdefghijklmnopqrstuvwxyz\n", seq++, (int)getpid());
    return n;
}
enum { BY_KILL, BY_ABORT, BY_EXIT_NOW, BY_EXIT };
FEVER_TASK(int, last_words, (int, how), (int, i))
{
    printf("last words %d.%d\n", how, i);
    if (how == BY_KILL)
        raise(SIGKILL);
    if (how == BY_ABORT)
        abort();
    if (how == BY_EXIT_NOW)
        _exit(3);
    exit(4);
    return 0;
}
FEVER_TASK(int, partial, (int, how))
{
    fputs(how == 0 ? "begun and killed" : how == 1 ? "begun, with a child left" : "begun and returned", stdout);
    fflush(stdout);
    if (how == 2)
        return 0;
    if (how == 1 && fork() == 0)
        for (;;)
            pause();
    raise(SIGKILL);
    return 0;
}
FEVER_TASK(int, floods) /* its children do, without end */
{
    static char line[65536];

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 2; i++)
        if (fork() == 0)
            while (write(1, line, sizeof line) > 0)
                ;
    usleep(20000);
    raise(SIGKILL);
    return 0;
}
FEVER_TASK(int, unflushed) { fputs("never flushed", stdout); return 0; }
FEVER_TASK(int, zeros) { fwrite("a\0b\n\0\n", 1, 6, stdout); return 0; }
FEVER_TASK(int, both, (int, i))
{
    printf("to out %d\n", i);
    fprintf(stderr, "to err %d\n", i);
    return 0;
}
FEVER_TASK(int, long_line)
{
    for (int i = 0; i < LONG_LINE; i++)
        putchar('a' + i % 26);
    putchar('\n');
    puts("after it");
    return 0;
}
FEVER_TASK(int, say, (int, i)) { printf("say %d\n", i); return (int)getpid(); }
FEVER_TASK(int, say_err, (int, i)) { fprintf(stderr, "say %d\n", i); return 0; }
FEVER_TASK(int, block_of, (int, i)) /* 64 KiB */
{
    for (int k = 0; k < 1024; k++)
        printf("block %4d %4d ....................................................\n", i, k);
    return i;
}

/* ------------------------------------------------------------------------------------------------ tools */

/* All that stands in a memory file now; read anew by the next call, at the same place as long as it fits. */
static char *text_of(int fd, size_t *n_out)
{
    static char  *text[2];
    static size_t room[2];
    int           k = fd == err;
    off_t         n = 0;

    for (ssize_t got = 1; got > 0; n += got) {
        if (room[k] < (size_t)n + 65537)
            text[k] = realloc(text[k], room[k] = 2 * (size_t)n + 65537);
        got = pread(fd, text[k] + n, 65536, n);
        if (got < 0)
            got = 0;
        text[k][n + got] = '\0';
    }
    if (n_out != NULL)
        *n_out = (size_t)n;
    return text[k];
}
static bool has(int fd, const char *what)
{
    size_t n;
    char  *text = text_of(fd, &n);

    return memmem(text, n, what, strlen(what)) != NULL;
}
static bool comes(int fd, const char *what)
{
    for (double end = rt_now() + RT_LONG; !has(fd, what); rt_nap())
        if (rt_now() > end)
            return false;
    return true;
}
static int count(const char *text, size_t n, const char *what)
{
    int c = 0;

    for (const char *at = text; (at = memmem(at, n - (size_t)(at - text), what, strlen(what))) != NULL; at++)
        c++;
    return c;
}
/* A line of that text without its prefix, which must be right. */
static const char *after_prefix(const char *line, int *worker_out, int *pid_out)
{
    int n = 0;

    if (sscanf(line, "(w%d pid %d)%n", worker_out, pid_out, &n) != 2 || line[n] != ' ')
        return NULL;
    return line + n + 1;
}
static int get(fever_ref r)
{
    int v = -1, rc = fever_take_raw(r, &v, sizeof v, 7, 4 * RT_LONG);

    return rc < 0 ? rc : v;
}
static pid_t logger_of(pid_t supervisor)
{
    char path[64], list[4096] = "", name[32];
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)supervisor, (int)supervisor);
    if ((f = fopen(path, "r")) != NULL) {
        if (fgets(list, sizeof list, f) == NULL)
            list[0] = '\0';
        fclose(f);
    }
    for (char *s = list, *save = NULL, *word; (word = strtok_r(s, " ", &save)) != NULL; s = NULL) {
        snprintf(path, sizeof path, "/proc/%s/comm", word);
        name[0] = '\0';
        if ((f = fopen(path, "r")) != NULL) {
            if (fgets(name, sizeof name, f) == NULL)
                name[0] = '\0';
            fclose(f);
        }
        if (strcmp(name, "fever-logger\n") == 0)
            return (pid_t)atoi(word);
    }
    return 0;
}
/* Waits for one: it has its name a moment after its fork. */
static pid_t some_logger(void)
{
    pid_t pid;

    for (double end = rt_now() + RT_LONG; (pid = logger_of(fv_rt.supervisor_pid)) == 0 && rt_now() < end;)
        rt_nap();
    return pid;
}
static bool kill_it(pid_t pid) { return pid > 1 && kill(pid, SIGKILL) == 0; }

static long switches_of(pid_t pid)
{
    char path[64], line[256];
    long n, sum = -1;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1 || sscanf(line, "nonvoluntary_ctxt_switches: %ld", &n) == 1)
            sum = (sum < 0 ? 0 : sum) + n;
    if (f != NULL)
        fclose(f);
    return sum;
}

static pid_t start(void (*driver)(void), int out_fd, int err_fd)
{
    memset(page, 0, sizeof *page);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        if (out_fd >= 0)
            dup2(out_fd, 1);
        else
            close(1);
        if (err_fd >= 0)
            dup2(err_fd, 2);
        else
            close(2);
        driver();
        fflush(stdout);
        _exit(0);
    }
    return pid;
}
static void run(const char *what, void (*driver)(void))
{
    int status = -1;

    close(out);
    close(err);
    out = memfd_create("out", 0);
    err = memfd_create("err", 0);
    waitpid(start(driver, out, err), &status, 0);
    TAP_IS(status, 0, "%s: the driver ends well", what);
    TAP_IS(atomic_load(&page->rc), 0, "%s: init and shutdown are 0", what);
}
static void begin(int workers, const char *log)
{
    int rc = fever_init(FEVER_OPTIONS(.workers = workers, .max_spares = 2, .store_bytes = 16 << 20, .quiet = 1, .log_to_driver = log));

    if (rc != 0) {
        atomic_store(&page->rc, rc);
        _exit(1);
    }
}
static void end(void)
{
    int rc = fever_shutdown();

    if (atomic_load(&page->rc) == 0)
        atomic_store(&page->rc, rc);
}
static void note(bool good, int code)
{
    if (!good && atomic_load(&page->rc) == 0)
        atomic_store(&page->rc, code);
}

/* ------------------------------------------------------------------------------------------------ cases */

static void in_flood(void)
{
    begin(2, NULL);
    note(get(floods_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY))) == -FEVER_ECRASHED, 1);
    usleep(100000);
    note(get(say_err_remote(7)) == 0, 2);
    rt_until(&page->go, 1);
    end();
}
static void test_flood(void)
{
    int status = -1, null = open("/dev/null", O_WRONLY);

    close(err);
    err = memfd_create("err", 0);
    pid_t pid = start(in_flood, null, err);
    TAP_OK(comes(err, "say 7\n"), "the child of a dead worker writes without end: others are read, too");
    atomic_store(&page->go, 1);
    waitpid(pid, &status, 0);
    TAP_IS(status, 0, "the driver ends well");
    TAP_IS(atomic_load(&page->rc), 0, "init and shutdown are 0");
    close(null);
}

static void in_lines(void)
{
    fever_ref r[100];

    begin(4, NULL);
    for (int i = 0; i < 100; i++)
        r[i] = lines_remote(N_LINES / 100);
    for (int i = 0; i < 100; i++)
        note(get(r[i]) == N_LINES / 100, 1);
    end();
}
static void test_lines(void)
{
    size_t n;
    int    next[8] = {0}, pid_of[8] = {0}, good = 0, bad = 0;

    run("10,000 lines of 4 workers", in_lines);
    char *text = text_of(out, &n), *save = NULL, *line;
    for (char *s = text; (line = strtok_r(s, "\n", &save)) != NULL; s = NULL) {
        int         worker = -1, pid = -1, said = -2, seq = -1, used = 0;
        const char *rest = after_prefix(line, &worker, &pid);
        bool is_good = rest != NULL && worker >= 0 && worker < 4 && (pid_of[worker] == 0 || pid_of[worker] == pid) &&
                       sscanf(rest, "line %d of %d, abcdefghijklmnopqrstuvwxyz%n", &seq, &said, &used) == 2 && used != 0 &&
                       rest[used] == '\0' && said == pid && seq == next[worker]++;
        if (is_good)
            pid_of[worker] = pid;
        good += is_good;
        if (!is_good && bad++ < 5)
            tap_diag("bad: %s", line);
    }
    TAP_IS(good, N_LINES, "each line is whole, prefixed with who wrote it, in order");
    TAP_IS(bad, 0, "no other line");
}

static void in_deaths(void)
{
    begin(2, NULL);
    for (int how = BY_KILL; how <= BY_EXIT; how++)
        for (int i = 0; i < 10; i++)
            note(get(last_words_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), how, i)) == -FEVER_ECRASHED, 1);
    end();
}
static void test_deaths(void)
{
    char what[64];
    int  there = 0;

    run("workers that print and die", in_deaths);
    for (int how = BY_KILL; how <= BY_EXIT; how++)
        for (int i = 0; i < 10; i++) {
            snprintf(what, sizeof what, ") last words %d.%d\n", how, i);
            there += has(out, what);
        }
    TAP_IS(there, 40, "the last words of each are there");
}

static void in_partial(void)
{
    begin(2, NULL);
    for (int how = 0; how < 3; how++)
        note(get(partial_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), how)) == (how == 2 ? 0 : -FEVER_ECRASHED), 1);
    note(comes(out, ") begun and killed\n"), 2);
    note(comes(out, ") begun, with a child left\n"), 3);
    note(!has(out, "begun and returned"), 4); /* may go on */
    note(get(unflushed_remote()) == 0, 5);
    end();
}
static void test_partial(void)
{
    size_t n;

    run("lines without an end", in_partial);
    TAP_OK(has(out, "begun and returned"), "what a worker had begun is there after its orderly end");
    TAP_OK(has(out, "never flushed"), "also what it had not flushed");
    char *text = text_of(out, &n);
    TAP_OK(n > 0 && text[n - 1] == '\n', "each is a line");
}

static void in_zeros(void)
{
    begin(1, NULL);
    note(get(zeros_remote()) == 0, 1);
    end();
}
static void in_apart(void)
{
    begin(2, NULL);
    for (int i = 0; i < 100; i++)
        note(get(both_remote(i)) == 0, 1);
    end();
}
static void in_long(void)
{
    begin(1, NULL);
    note(get(long_line_remote()) == 0, 1);
    end();
}
static void in_long_plain(void)
{
    begin(1, "plain");
    note(get(long_line_remote()) == 0, 1);
    end();
}
static void in_plain(void)
{
    begin(2, "plain");
    for (int i = 0; i < 10; i++)
        note(get(say_remote(i)) > 0, 1);
    note(some_logger() != 0, 2);
    end();
}
static void in_direct(void)
{
    begin(2, "direct");
    for (int i = 0; i < 10; i++)
        note(get(say_remote(i)) > 0, 1);
    note(logger_of(fv_rt.supervisor_pid) == 0, 2);
    end();
}
static void test_forms(void)
{
    size_t n;
    char  *text, *line, *save = NULL;
    int    worker, pid, payload = 0, parts = 0, wrong = 0;

    run("binary zeros", in_zeros);
    text = text_of(out, &n);
    const char *rest = after_prefix(text, &worker, &pid);
    TAP_OK(rest != NULL && memcmp(rest, "a\0b\n", 4) == 0, "a line with a zero is written as it is");
    TAP_OK(rest != NULL && (rest = after_prefix(rest + 4, &worker, &pid)) != NULL && memcmp(rest, "\0\n", 2) == 0 &&
           rest + 2 == text + n, "so is one that is a zero");

    run("stdout and stderr", in_apart);
    text = text_of(out, &n);
    TAP_OK(count(text, n, "to out") == 100 && count(text, n, "to err") == 0, "100 lines to stdout alone");
    text = text_of(err, &n);
    TAP_OK(count(text, n, "to err") == 100 && count(text, n, "to out") == 0, "100 lines to stderr alone");
    TAP_IS(count(text, n, ") to err"), 100, "prefixed, too");

    run("a very long line", in_long);
    text = text_of(out, &n);
    TAP_OK(has(out, ") after it\n"), "the line after it");
    for (char *s = text; (line = strtok_r(s, "\n", &save)) != NULL && strstr(line, "after it") == NULL; s = NULL, parts++) {
        rest = after_prefix(line, &worker, &pid);
        if (rest == NULL || (parts > 0) != (strncmp(rest, "... ", 4) == 0)) {
            wrong++;
            continue;
        }
        for (rest += parts > 0 ? 4 : 0; *rest != '\0'; rest++)
            wrong += *rest != 'a' + payload++ % 26;
    }
    TAP_OK(payload == LONG_LINE && wrong == 0, "%d bytes of it, each in its place", payload);
    TAP_OK(parts >= 3 && parts <= 4, "in %d marked parts", parts);

    run("a very long line, plain", in_long_plain);
    text = text_of(out, &n);
    wrong = 0;
    for (int i = 0; i < LONG_LINE && i < (int)n; i++)
        wrong += text[i] != 'a' + i % 26;
    TAP_OK(n == LONG_LINE + 10 && wrong == 0 && memcmp(text + LONG_LINE, "\nafter it\n", 10) == 0, "it is as it was written");

    run("plain", in_plain);
    text = text_of(out, &n);
    TAP_OK(count(text, n, "say ") == 10 && count(text, n, "(w") == 0, "no prefix");
    run("direct", in_direct);
    text = text_of(out, &n);
    TAP_OK(count(text, n, "say ") == 10 && count(text, n, "(w") == 0, "no prefix, no logger");
}

static void in_flooded_pipe(void)
{
    fever_ref r[32];

    begin(2, NULL);
    for (int i = 0; i < 32; i++)
        r[i] = block_of_remote(i);
    atomic_store(&page->at, 1);
    for (int i = 0; i < 32; i++)
        note(get(r[i]) == i, 1);
    note(get(say_err_remote(1)) == 0, 2);
    end();
}
/* Nobody reads for a while: tasks that print wait once the pipes are full, the rest goes on, and all arrives. */
static void test_full_pipe(void)
{
    int    p[2], status = -1;
    size_t n = 0;
    char  *text = malloc(4 << 20);

    if (pipe(p) < 0 || text == NULL)
        tap_bail("no pipe");
    close(err);
    err = memfd_create("err", 0);
    pid_t pid = start(in_flooded_pipe, p[1], err);
    close(p[1]);
    rt_until(&page->at, 1);
    struct pollfd ready = {.fd = p[0], .events = POLLIN};
    int           there = 0, before = -1;
    TAP_IS(poll(&ready, 1, (int)(RT_LONG * 1000)), 1, "a pipe that nobody reads: something comes");
    for (double last = rt_now(); rt_now() < last + 0.2;) { /* until nothing moves any more */
        ioctl(p[0], FIONREAD, &there);
        if (there != before)
            last = rt_now();
        before = there;
        rt_nap();
    }
    TAP_OK(there > 16384, "it fills (%d bytes)", there);
    for (ssize_t got; (got = read(p[0], text + n, 65536)) != 0;)
        if (got > 0 && (n += (size_t)got) > (3 << 20))
            break;
    close(p[0]);
    waitpid(pid, &status, 0);
    TAP_IS(status, 0, "the driver ends well");
    TAP_IS(page->rc, 0, "all tasks, and the shutdown");
    text[n] = '\0';
    TAP_IS(count(text, n, "block "), 32 * 1024, "all lines came");
    int   whole = 0, worker, blocks, line_no;
    char *save = NULL, *line;
    for (char *s = text; (line = strtok_r(s, "\n", &save)) != NULL; s = NULL) {
        const char *rest = after_prefix(line, &worker, &blocks);
        whole += rest != NULL && sscanf(rest, "block %d %d ...", &blocks, &line_no) == 2 && strlen(rest) == 68;
    }
    TAP_IS(whole, 32 * 1024, "whole");
    free(text);
    TAP_OK(has(err, "say 1\n"), "stderr, too");
}

static void in_err_meanwhile(void)
{
    fever_ref r[4];

    begin(6, NULL);
    for (int i = 0; i < 4; i++)
        r[i] = block_of_remote(i);
    note(get(say_err_remote(7)) == 0, 1); /* two workers are free for it */
    note(comes(err, ") say 7\n"), 2);
    atomic_store(&page->at, 1);
    for (int i = 0; i < 4; i++)
        note(get(r[i]) == i, 3);
    end();
}

static void in_unread(void)
{
    begin(2, NULL);
    for (int i = 0; i < 8; i++)
        block_of_remote(i);
    struct pollfd full = {.fd = 1, .events = POLLOUT};
    while (poll(&full, 1, 0) > 0)
        rt_nap();
    double before = rt_now();
    int    rc = fever_shutdown();
    atomic_store(&page->rc, rc);
    atomic_store(&page->go, (int)((rt_now() - before) * 1000));
    atomic_store(&page->at, 2);
}
/* Nobody ever reads. */
static void test_unread(void)
{
    int p[2], status = -1;

    if (pipe(p) < 0)
        tap_bail("no pipe");
    pid_t pid = start(in_unread, p[1], p[1]);
    close(p[1]);
    waitpid(pid, &status, 0);
    TAP_OK(status == 0 && page->at == 2, "nobody ever reads: the shutdown returns");
    TAP_IS(page->rc, -FEVER_ETIMEDOUT, "and says that output was lost");
    TAP_OK(page->go >= 1900 && page->go < 12000, "after 2 s (%d ms)", page->go);
    close(p[0]);
}

static void in_nowhere(void)
{
    begin(2, NULL);
    for (int i = 0; i < 50; i++) {
        note(get(both_remote(i)) == 0, 1);
        note(get(last_words_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), i % 4, i)) == -FEVER_ECRASHED, 2);
    }
    end();
}
static void test_nowhere(void)
{
    int status, full = open("/dev/full", O_WRONLY), p[2];

    waitpid(start(in_nowhere, -1, -1), &status, 0);
    TAP_OK(status == 0 && page->rc == 0, "the driver has closed its streams: nothing hangs or dies (%d)", page->rc);
    waitpid(start(in_nowhere, full, full), &status, 0);
    TAP_OK(status == 0 && page->rc == 0, "/dev/full: nothing hangs or dies (%d)", page->rc);
    if (pipe(p) < 0)
        tap_bail("no pipe");
    close(p[0]);
    waitpid(start(in_nowhere, p[1], p[1]), &status, 0);
    TAP_OK(status == 0 && page->rc == 0, "a pipe whose reader has gone: nothing hangs or dies (%d)", page->rc);
    close(p[1]);
    close(full);
}

static void in_logger_dies(void)
{
    begin(2, NULL);
    note(get(say_remote(1)) > 0, 1);
    note(comes(out, ") say 1\n"), 2);
    for (int k = 0; k < 5; k++) {
        char  what[32];
        pid_t old = some_logger();
        note(kill_it(old), 3);
        note(get(say_remote(100 + k)) > 0, 4);
        snprintf(what, sizeof what, ") say %d\n", 100 + k);
        note(comes(out, what), 5);
        for (double until = rt_now() + RT_LONG; logger_of(fv_rt.supervisor_pid) == old && rt_now() < until;)
            rt_nap();
        note(logger_of(fv_rt.supervisor_pid) != old, 6);
        kill_it(get(say_remote(200))); /* a worker that only the successor knows */
        note(get(say_remote(300 + k)) > 0, 7);
        snprintf(what, sizeof what, ") say %d\n", 300 + k);
        note(comes(out, what), 8);
    }
    fever_ref r[20];
    for (int i = 0; i < 20; i++)
        r[i] = lines_remote(50);
    note(kill_it(some_logger()), 9);
    for (int i = 0; i < 20; i++)
        note(get(r[i]) == 50, 10);
    pid_t last = some_logger();
    note(get(say_remote(400)) > 0, 11);
    kill_it(last); /* at the very end */
    end();
}
static void test_logger_dies(void)
{
    size_t n;

    run("the logger is killed, again and again", in_logger_dies);
    char *text = text_of(out, &n);
    TAP_OK(count(text, n, ") line ") >= 1000 - 2 * 4096 / 50, "lost is at most what it held (%d of 1000 lines came)",
           count(text, n, ") line "));
}

static void in_idle(void)
{
    begin(2, NULL);
    note(get(say_remote(1)) > 0, 1);
    note(comes(out, "say 1"), 2);
    pid_t logger = some_logger();
    long  before = -1;
    for (int i = 0; i < 50 && switches_of(logger) != before; i++) { /* it comes to rest */
        before = switches_of(logger);
        usleep(20000);
    }
    usleep(300000);
    note(before > 0 && switches_of(logger) == before, 3);
    end();
}
static void in_killed_driver(void)
{
    begin(2, NULL);
    note(get(lines_remote(20)) == 20, 1);
    raise(SIGKILL);
}
static void in_killed_supervisor(void)
{
    begin(2, NULL);
    note(get(lines_remote(20)) == 20, 1);
    kill(fv_rt.supervisor_pid, SIGKILL);
    note(fever_shutdown() == -FEVER_ERUNTIME, 2);
}
static void test_ends(void)
{
    size_t n;
    int    status;

    run("nobody prints", in_idle);
    close(out);
    out = memfd_create("out", 0);
    waitpid(start(in_killed_driver, out, err), &status, 0);
    TAP_OK(WIFSIGNALED(status), "the driver is killed");
    TAP_OK(comes(out, "line 19 of"), "what its tasks had printed is there");
    char *text = text_of(out, &n);
    TAP_IS(count(text, n, ") line "), 20, "all of it");
    run("the supervisor is killed", in_killed_supervisor);
    TAP_OK(comes(out, "line 19 of"), "what its tasks had printed is there");
}

/* Standard output is stuck: standard error is not held up by that. */
static void test_err_meanwhile(void)
{
    int  p[2], status = -1;
    char text[65536];

    if (pipe(p) < 0)
        tap_bail("no pipe");
    close(err);
    err = memfd_create("err", 0);
    pid_t pid = start(in_err_meanwhile, p[1], err);
    close(p[1]);
    TAP_OK(rt_until(&page->at, 1), "while nobody reads stdout, stderr comes");
    while (read(p[0], text, sizeof text) > 0)
        ;
    waitpid(pid, &status, 0);
    TAP_OK(status == 0 && page->rc == 0, "and all tasks end when it is read (%d)", page->rc);
    close(p[0]);
}

int main(void)
{
    rt_begin(200);
    page = rt_shared(sizeof *page);
    test_flood();
    test_lines();
    test_deaths();
    test_partial();
    test_forms();
    test_full_pipe();
    test_unread();
    test_nowhere();
    test_logger_dies();
    test_err_meanwhile();
    test_ends();
    return tap_done();
}
