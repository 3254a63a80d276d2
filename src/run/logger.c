/* run/logger.c: the logger process: from the workers' pipes to the driver's standard output and error, line by line.
 *
 * Forked by the supervisor.  Shares nothing but descriptors.  Dies here: the supervisor has the pipes' read ends too, and forks a
 * successor; lost is what was read and not yet written, a piece of 4 KiB and the begun line of each stream.
 *
 * It reads from a pipe only while the driver's stream takes more, so that a reader who pauses slows down the tasks that write,
 * and nothing else.  A line is written by one write(2); short ones go several at a time.  The prefix says which process wrote the
 * line, and not which task: by the time that a line is read the worker may be at another.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/base.h"
#include "run/logger.h"
#include "run/output.h"

#define TURN_BYTES   65536u        /* read at once from the stream of a dead worker, which a child of it may go on filling */
#define PIECE_BYTES  4096u         /* read at once; what a pipe surely takes when it takes anything (PIPE_BUF) */
#define LINE_BYTES   65536u        /* a longer line is written in parts */
#define PREFIX_BYTES 64u
#define ORPHAN_US    50000

struct stream {
    uint32_t id, number;
    int32_t  pid;
    int      kind;      /* 0: stdout, 1: stderr */
    int      fd;
    bool     ended;     /* its worker has died: what is there is all there will be */
    bool     continues; /* the last part of this line was written before */
    char    *text;      /* read and not yet written */
    size_t   n, room;
};

static struct stream *stream;
static struct pollfd *polled;
static uint32_t       n_streams, room_streams;
static bool           with_prefix, is_stuck[2], has_warned[2];
static bool           is_last; /* the supervisor has no more to say: end with the last stream */
static int            control;

/* ------------------------------------------------------------------------------------------------ the supervisor's death */

static void on_orphaned(int sig) {
    (void)sig;
    struct itimerval soon = {.it_value = {0, ORPHAN_US}};
    setitimer(ITIMER_REAL, &soon, NULL);
}

void fv_logger_watch(pid_t supervisor) {
    struct sigaction sa = {.sa_handler = on_orphaned}, ign = {.sa_handler = SIG_IGN};
    sigset_t         none;
    sigemptyset(&none);
    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGTTOU, &ign, NULL); /* the terminal is the driver's; we are no job of it */
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    if (getppid() != supervisor)
        on_orphaned(0);
}

/* ------------------------------------------------------------------------------------------------ writing */

/* Will the driver's stream take a piece now?  Also true when it is broken: then nothing is waited for. */
static bool takes(int kind) {
    struct pollfd p = {.fd = 1 + kind, .events = POLLOUT};
    return poll(&p, 1, 0) != 0;
}

static void put(int kind, const char *text, size_t n) {
    for (size_t done = 0; done < n;) {
        ssize_t w = write(1 + kind, text + done, n - done);
        if (w >= 0) {
            done += (size_t)w;
        } else if (errno == EAGAIN) { /* the program has made it non-blocking */
            struct pollfd p = {.fd = 1 + kind, .events = POLLOUT};
            (void)poll(&p, 1, -1);
        } else if (errno != EINTR) {
            char why[160];
            int  m = snprintf(why, sizeof why, "fever: warning: standard %s of workers is lost: the driver's cannot be written: %s\n",
                              kind ? "error" : "output", strerror(errno));
            if (!has_warned[kind] && kind == 0 && takes(1) && write(2, why, (size_t)m) < 0)
                is_stuck[1] = false; /* nowhere to say it */
            has_warned[kind] = true;
            return;
        }
    }
}

static size_t make_prefix(const struct stream *s, char *at) {
    if (!with_prefix)
        return 0;
    return (size_t)snprintf(at, PREFIX_BYTES, "(w%u pid %d) %s", (unsigned)s->number, (int)s->pid, s->continues ? "... " : "");
}

/* Where the next line, or part of one, ends; 0: it is not whole yet.  all: it never will be. */
static size_t next_line(const struct stream *s, size_t from, bool all, bool *is_part) {
    const char *nl = s->n > from ? memchr(s->text + from, '\n', s->n - from) : NULL;
    *is_part = false;
    if (nl != NULL)
        return (size_t)(nl - s->text) + 1;
    if (s->n - from >= LINE_BYTES) {
        *is_part = true;
        return s->n;
    }
    return all ? s->n : 0;
}

/* Writes whole lines for as long as the driver's stream takes them.  False: it does not. */
static bool flush_lines(struct stream *s, bool all) {
    static char out[PREFIX_BYTES + LINE_BYTES + PIECE_BYTES + 1];
    size_t      from = 0;
    bool        good = true, is_part;
    while (from < s->n && next_line(s, from, all, &is_part) != 0) {
        if (!takes(s->kind)) {
            good = false;
            break;
        }
        size_t n = 0, end;
        while (from < s->n && (end = next_line(s, from, all, &is_part)) != 0) {
            if (n != 0 && n + PREFIX_BYTES + (end - from) + 1 > PIECE_BYTES)
                break;
            n += make_prefix(s, out + n);
            memcpy(out + n, s->text + from, end - from);
            n += end - from;
            if (s->text[end - 1] != '\n' && (with_prefix || !is_part))
                out[n++] = '\n';
            s->continues = is_part;
            from = end;
        }
        put(s->kind, out, n);
    }
    if (from != 0) {
        memmove(s->text, s->text + from, s->n - from);
        s->n -= from;
    }
    return good;
}

/* ------------------------------------------------------------------------------------------------ reading */

static void make_room(struct stream *s) {
    if (s->n + PIECE_BYTES <= s->room)
        return;
    size_t room = s->room == 0 ? 2 * PIECE_BYTES : FV_MIN(2 * s->room, (size_t)LINE_BYTES + PIECE_BYTES);
    char  *p = realloc(s->text, room);
    if (p == NULL)
        _exit(1); /* out of memory: a successor tries again */
    s->text = p, s->room = room;
}

/* Writes what is whole; what is not, too, when there will be no more.  False: not now, the driver's stream takes no more. */
static bool pass_on(struct stream *s, bool all) {
    is_stuck[s->kind] = !flush_lines(s, all);
    return !is_stuck[s->kind];
}

/* Reads a piece, or more of a worker that has died: all that it can have left in the pipe.  True: the stream has ended, and all is written. */
static bool drain(struct stream *s) {
    size_t got = 0;
    while (pass_on(s, false)) {
        make_room(s);
        ssize_t n = read(s->fd, s->text + s->n, PIECE_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0) {
            s->n += (size_t)n;
            if (s->ended && (got += (size_t)n) < TURN_BYTES)
                continue;
            pass_on(s, false);
            break; /* it is the others' turn */
        }
        bool is_over = n == 0 || errno != EAGAIN;
        if ((is_over || s->ended) && !pass_on(s, true))
            break;
        if (s->n == 0) { /* an idle stream costs no memory */
            free(s->text);
            s->text = NULL;
            s->room = 0;
        }
        return is_over;
    }
    return false;
}

static void add(uint32_t id, uint32_t number, int32_t pid, const int fd[2], bool ended) {
    for (int k = 0; k < 2; k++) {
        if (n_streams == room_streams) {
            uint32_t       room = room_streams ? 2 * room_streams : 64;
            struct stream *s = realloc(stream, room * sizeof *s);
            struct pollfd *p = realloc(polled, (room + 3) * sizeof *p);
            if (s != NULL)
                stream = s;
            if (p != NULL)
                polled = p;
            if (s == NULL || p == NULL)
                _exit(1); /* the supervisor tries again */
            room_streams = room;
        }
        fcntl(fd[k], F_SETFL, O_NONBLOCK); /* of the read end alone */
        stream[n_streams++] = (struct stream){.id = id, .number = number, .pid = pid, .kind = k, .fd = fd[k], .ended = ended};
    }
}

static void remove_stream(uint32_t i) {
    uint32_t id = stream[i].id;
    close(stream[i].fd);
    stream[i] = stream[--n_streams];
    for (uint32_t k = 0; k < n_streams; k++)
        if (stream[k].id == id)
            return;
    struct fv_output_note note = {.what = FV_OUTPUT_DRAINED, .id = id};
    send(control, &note, sizeof note, MSG_NOSIGNAL | (is_last ? MSG_DONTWAIT : 0)); /* at the end nobody listens */
}

/* False: nothing more will come. */
static bool take_note(void) {
    struct fv_output_note note;
    struct iovec          iov = {&note, sizeof note};
    union {
        struct cmsghdr head;
        char           space[CMSG_SPACE(2 * sizeof(int))];
    } rights;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights.space, .msg_controllen = sizeof rights.space};
    ssize_t       n = recvmsg(control, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return false;
    if (n != (ssize_t)sizeof note)
        return true;
    if (note.what == FV_OUTPUT_NEW) {
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        int             fd[2];
        if (c == NULL || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof fd))
            _exit(1); /* out of descriptors: a successor inherits them */
        memcpy(fd, CMSG_DATA(c), sizeof fd);
        add(note.id, note.number, note.pid, fd, false);
    }
    for (uint32_t i = n_streams; note.what == FV_OUTPUT_ENDED && i-- > 0;)
        if (stream[i].id == note.id) {
            stream[i].ended = true;
            if (!is_stuck[stream[i].kind] && drain(&stream[i]))
                remove_stream(i);
        }
    return true;
}

/* ------------------------------------------------------------------------------------------------ main */

void fv_logger_main(int control_fd, const struct fv_output_source *sources, uint32_t n, bool prefix) {
    control = control_fd;
    with_prefix = prefix;
    polled = malloc(3 * sizeof *polled);
    if (polled == NULL)
        _exit(1);
    for (uint32_t i = 0; i < n; i++)
        add(sources[i].id, sources[i].number, sources[i].pid, sources[i].fd, sources[i].ended);
    for (bool first = true; !is_last || n_streams != 0; first = false) {
        for (uint32_t i = 0; i < n_streams; i++)
            polled[i] = (struct pollfd){.fd = is_stuck[stream[i].kind] ? -1 : stream[i].fd, .events = POLLIN};
        uint32_t before = n_streams;
        polled[before] = (struct pollfd){.fd = is_last ? -1 : control, .events = POLLIN};
        for (int k = 0; k < 2; k++)
            polled[before + 1 + (uint32_t)k] = (struct pollfd){.fd = is_stuck[k] ? 1 + k : -1, .events = POLLOUT};
        if (poll(polled, before + 3, first ? 0 : -1) < 0)
            continue;
        bool said = polled[before].revents != 0, freed[2] = {polled[before + 1].revents != 0, polled[before + 2].revents != 0};
        for (uint32_t i = before; i-- > 0;) /* from the end: what is removed is replaced by one that had its turn */
            if ((polled[i].revents != 0 || first || freed[stream[i].kind]) && drain(&stream[i]))
                remove_stream(i);
        if (said)
            is_last = !take_note();
    }
    _exit(0);
}
