/* plat/stack.h: registers and stack of a thread of another process, copied while it is stopped for some 100 us.
 *
 * Run by:          the tools.
 * Shared state:    none.
 * If it dies here: the kernel lets the thread go on.
 *
 * The thread is stopped by ptrace(2), PTRACE_SEIZE: no signal is sent, its parent is not told, and system calls that wait go on
 * waiting.
 */
#ifndef FV_PLAT_STACK_H
#define FV_PLAT_STACK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FV_STACK_REGISTERS 32u       /* by the numbers of DWARF */
#define FV_STACK_BYTES     (1u << 18) /* what is copied of the stack, at most */

struct fv_stack {
    uint64_t reg[FV_STACK_REGISTERS], pc, sp;
    uint32_t n_reg;
    size_t   bytes; /* of data: [sp, sp + bytes) of that process */
    unsigned char data[FV_STACK_BYTES] __attribute__((aligned(16)));
};

/* 0; -ESRCH (no such thread), -EPERM (the kernel does not let us: see ptrace(2), kernel.yama.ptrace_scope), -EBUSY (another
 * debugger has it), -ETIMEDOUT (it did not stop within timeout_ms: it is inside the kernel), -ENOSYS (not on this processor). */
int fv_stack_copy(pid_t tid, int timeout_ms, struct fv_stack *stack_out);

#endif
