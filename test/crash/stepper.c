/* stepper.c: see stepper.h. */
#include "test/crash/stepper.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static bool armed; /* in a victim */

#if defined(__x86_64__)

extern const char stepper_end[];

__attribute__((noinline)) void stepper_stepped(void (*op)(void)) {
    if (!armed) {
        op();
        return;
    }
    armed = false;
    __asm__ volatile("int3" ::: "memory");
    op();
    __asm__ volatile(".globl stepper_end\nstepper_end:\n\tint3" ::: "memory");
}

static uint64_t ip_of(pid_t pid) { return (uint64_t)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), 0); }
static bool     at_end(pid_t pid) { return ip_of(pid) == (uintptr_t)stepper_end; }

bool stepper_start(struct stepper *s, void (*victim)(void *), void *arg) {
    pid_t parent = getpid();
    *s = (struct stepper){.pid = fork()};
    if (s->pid < 0)
        return false;
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
            _exit(97);
        armed = true;
        raise(SIGSTOP);
        victim(arg);
        _exit(0);
    }
    if (waitpid(s->pid, &s->status, 0) < 0 || !WIFSTOPPED(s->status))
        return false;
    ptrace(PTRACE_SETOPTIONS, s->pid, 0, PTRACE_O_EXITKILL);
    ptrace(PTRACE_CONT, s->pid, 0, 0);
    if (waitpid(s->pid, &s->status, 0) < 0)
        return false;
    return WIFSTOPPED(s->status) && WSTOPSIG(s->status) == SIGTRAP;
}

bool stepper_step(struct stepper *s, long n) {
    for (; n > 0; n--) {
        if (ptrace(PTRACE_SINGLESTEP, s->pid, 0, 0) < 0 || waitpid(s->pid, &s->status, 0) < 0 || !WIFSTOPPED(s->status) ||
            WSTOPSIG(s->status) != SIGTRAP) {
            s->ended = true;
            return false;
        }
        if (at_end(s->pid)) {
            s->ended = true;
            return false;
        }
        s->steps++;
    }
    return true;
}

void stepper_record(struct stepper *s, struct stepper_trace *trace) {
    long room = 1024;
    trace->n = 0;
    trace->at = malloc((size_t)room * sizeof *trace->at);
    do {
        if (trace->n == room)
            trace->at = realloc(trace->at, (size_t)(room *= 2) * sizeof *trace->at);
        trace->at[trace->n++] = ip_of(s->pid);
    } while (stepper_step(s, 1));
}

/* Continues to the breakpoint, hits times. */
static bool run_to(struct stepper *s, uint64_t address, long hits) {
    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, s->pid, address, 0);
    if (errno != 0)
        return false;
    while (hits-- > 0) {
        if (ip_of(s->pid) == address && (ptrace(PTRACE_SINGLESTEP, s->pid, 0, 0) < 0 || waitpid(s->pid, &s->status, 0) < 0))
            return false;
        if (ptrace(PTRACE_POKETEXT, s->pid, address, (word & ~0xFFl) | 0xCC) < 0)
            return false;
        if (ptrace(PTRACE_CONT, s->pid, 0, 0) < 0 || waitpid(s->pid, &s->status, 0) < 0 || !WIFSTOPPED(s->status))
            return false;
        ptrace(PTRACE_POKETEXT, s->pid, address, word); /* also where it went another way: it is to go on, past this place */
        if (WSTOPSIG(s->status) != SIGTRAP || ip_of(s->pid) != address + 1)
            return false;
        ptrace(PTRACE_POKEUSER, s->pid, offsetof(struct user, regs.rip), address);
    }
    return true;
}

bool stepper_goto(struct stepper *s, const struct stepper_trace *trace, long k) {
    long best = 0, best_hits = 0, best_cost = k;
    if (k >= trace->n)
        return false;
    for (long j = k; j > 0 && k - j < best_cost; j--) {
        if (trace->at[j] == trace->at[j - 1]) /* a repeated string instruction: met once only */
            continue;
        long hits = 0;
        for (long i = 1; i <= j; i++)
            hits += trace->at[i] == trace->at[j] && trace->at[i - 1] != trace->at[j];
        if (trace->at[0] == trace->at[j])
            continue;
        if (k - j + 2 * hits < best_cost)
            best = j, best_hits = hits, best_cost = k - j + 2 * hits;
    }
    if (best != 0 && !run_to(s, trace->at[best], best_hits))
        return false;
    s->steps = best;
    return stepper_step(s, k - best) && ip_of(s->pid) == trace->at[k];
}

bool stepper_kill(struct stepper *s) {
    kill(s->pid, SIGKILL);
    while (waitpid(s->pid, &s->status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(s->status) && WTERMSIG(s->status) == SIGKILL;
}

int stepper_finish(struct stepper *s) {
    int signal = 0;
    for (;;) {
        if (ptrace(PTRACE_CONT, s->pid, 0, signal) < 0 || waitpid(s->pid, &s->status, 0) < 0)
            return -1;
        if (!WIFSTOPPED(s->status))
            return s->status;
        signal = WSTOPSIG(s->status) == SIGTRAP ? 0 : WSTOPSIG(s->status); /* the end marker, or its own trouble */
    }
}

static void nothing(void) {}
static void trial(void *arg) {
    (void)arg;
    stepper_stepped(nothing);
}

bool stepper_works(void) {
    struct stepper s;
    if (!stepper_start(&s, trial, NULL)) {
        if (s.pid > 0)
            stepper_kill(&s);
        return false;
    }
    bool works = stepper_step(&s, 1);
    stepper_kill(&s);
    return works;
}

#else

void stepper_stepped(void (*op)(void)) { op(); }
bool stepper_works(void) { return false; }
bool stepper_start(struct stepper *s, void (*victim)(void *), void *arg) { (void)s, (void)victim, (void)arg; return false; }
bool stepper_step(struct stepper *s, long n) { (void)s, (void)n; return false; }
void stepper_record(struct stepper *s, struct stepper_trace *trace) { (void)s, (void)trace; }
bool stepper_goto(struct stepper *s, const struct stepper_trace *trace, long k) { (void)s, (void)trace, (void)k; return false; }
bool stepper_kill(struct stepper *s) { (void)s; return false; }
int  stepper_finish(struct stepper *s) { (void)s; return -1; }

#endif
