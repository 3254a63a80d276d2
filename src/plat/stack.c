/* plat/stack.c: see stack.h.
 *
 * Run by:          the tools.
 */
#include "plat/stack.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "base/base.h"
#include "base/clock.h"

#define PIECE_BYTES 4096u

static int take_registers(pid_t tid, struct fv_stack *s) {
    struct user_regs_struct r;
    struct iovec            to = {&r, sizeof r};
    if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &to) < 0)
        return -errno;
#if defined(__x86_64__)
    const uint64_t by_number[] = {r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip};
    memcpy(s->reg, by_number, sizeof by_number);
    s->n_reg = FV_COUNT_OF(by_number);
    s->pc = r.rip, s->sp = r.rsp;
    return 0;
#elif defined(__aarch64__)
    memcpy(s->reg, r.regs, 31 * sizeof r.regs[0]);
    s->reg[31] = r.sp;
    s->n_reg = 32;
    s->pc = r.pc, s->sp = r.sp;
    return 0;
#else
    (void)s;
    return -ENOSYS;
#endif
}

/* From the stack pointer upwards, as far as there is something. */
static void take_stack(pid_t tid, struct fv_stack *s) {
    struct iovec to = {s->data, sizeof s->data}, from = {(void *)(uintptr_t)s->sp, sizeof s->data};
    ssize_t      n = process_vm_readv(tid, &to, 1, &from, 1, 0); /* stops at the first page that is not there */
    s->bytes = n > 0 ? (size_t)n : 0;
    while (n <= 0 && s->bytes < sizeof s->data) { /* a kernel that gives all or nothing */
        size_t piece = PIECE_BYTES - (s->sp + s->bytes) % PIECE_BYTES;
        to = (struct iovec){s->data + s->bytes, FV_MIN(piece, sizeof s->data - s->bytes)};
        from = (struct iovec){(void *)(uintptr_t)(s->sp + s->bytes), to.iov_len};
        if (process_vm_readv(tid, &to, 1, &from, 1, 0) != (ssize_t)to.iov_len)
            return;
        s->bytes += to.iov_len;
    }
}

/* 0: it has stopped, and waits for us. */
static int await_stop(pid_t tid, int timeout_ms) {
    uint64_t end = fv_now_ns() + (uint64_t)timeout_ms * 1000000;
    for (;;) {
        int   status;
        pid_t got = waitpid(tid, &status, __WALL | WNOHANG);
        if (got == tid)
            return WIFSTOPPED(status) ? 0 : -ESRCH;
        if (got < 0 && errno != EINTR)
            return -ESRCH;
        if (fv_now_ns() > end)
            return -ETIMEDOUT;
        nanosleep(&(struct timespec){0, 20000}, NULL);
    }
}

int fv_stack_copy(pid_t tid, int timeout_ms, struct fv_stack *s) {
    s->bytes = 0;
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0)
        return errno == EPERM ? -EPERM : -errno;
    int rc = ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 ? -errno : await_stop(tid, timeout_ms);
    if (rc < 0)
        return rc; /* one that has not stopped is let go when this tool ends */
    rc = take_registers(tid, s);
    if (rc == 0)
        take_stack(tid, s);
    ptrace(PTRACE_DETACH, tid, NULL, NULL);
    return rc;
}
