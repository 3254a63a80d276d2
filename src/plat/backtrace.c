/* plat/backtrace.c: walks the stack with libunwind.
 *
 * Run by:          workers.
 * Shared state:    none of its own.
 *
 * In a handler: libunwind's local unwinder reads unwind tables that are mapped with the code, keeps its state in the cursor on our
 * stack, and with its cache off it takes no lock and no memory of its own.  It walks the list of loaded files under the
 * dynamic linker's lock: if the fault was in dlopen(3) of another thread it may wait there, so the handler sets a timer.
 */
#include "plat/backtrace.h"

#include <stddef.h>
#include <ucontext.h>

#include "base/base.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

/* the instruction at which a context was interrupted */
static uint64_t instruction_of(const ucontext_t *c) {
#if defined(__x86_64__)
    return (uint64_t)c->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return c->uc_mcontext.pc;
#else
    (void)c;
    return 0;
#endif
}

#if defined(HAVE_LIBUNWIND) && !defined(FV_STEPPED) /* stepped through: a walk is 100,000 instructions that write nothing shared */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#define NULL_PAGE 65536u

/* The first walk of all, in a handler too, takes memory for libunwind's tables from mmap(2). */
static void make_ready(void) {
    static bool is_ready;
    if (!is_ready)
        unw_set_caching_policy(unw_local_addr_space, UNW_CACHE_NONE);
    is_ready = true;
}

bool fv_backtrace_prepare(void) {
    uint64_t frame[4];
    make_ready();
    return fv_backtrace_here(frame, FV_COUNT_OF(frame)) != 0; /* its tables are built at the first use */
}

/* The callers of what the cursor is at; an address is one less than where the call returns to, so that it lies in the call. */
static void walk(unw_cursor_t *cursor, uint64_t *frame_out, uint32_t *n_out, uint32_t room) {
    while (*n_out < room && unw_step(cursor) > 0) {
        unw_word_t ip = 0;
        if (unw_get_reg(cursor, UNW_REG_IP, &ip) < 0 || ip == 0)
            return;
        frame_out[*n_out] = ip - 1;
        ++*n_out;
    }
}

__attribute__((noinline)) uint32_t fv_backtrace_here(uint64_t *frame_out, uint32_t room) {
    unw_context_t context;
    unw_cursor_t  cursor;
    uint32_t      n = 0;
    make_ready();
    if (unw_getcontext(&context) != 0 || unw_init_local(&cursor, &context) < 0 || unw_step(&cursor) <= 0)
        return 0;
    walk(&cursor, frame_out, &n, room);
    return n;
}

void fv_backtrace_interrupted(void *context, uint64_t *frame_out, uint32_t *n_out, uint32_t room) {
    unw_cursor_t cursor;
    *n_out = 0;
    if (room == 0)
        return;
    frame_out[0] = instruction_of(context);
    *n_out = 1;
    make_ready();
#if defined(__x86_64__)
    if (frame_out[0] < NULL_PAGE && room > 1) { /* a call through a null pointer: go on from where it would return to */
        ucontext_t caller = *(const ucontext_t *)context;
        uint64_t   sp = (uint64_t)caller.uc_mcontext.gregs[REG_RSP], back = *(const uint64_t *)(uintptr_t)sp;
        caller.uc_mcontext.gregs[REG_RIP] = (greg_t)back;
        caller.uc_mcontext.gregs[REG_RSP] = (greg_t)(sp + 8);
        frame_out[1] = back - 1;
        *n_out = 2;
        if (unw_init_local2(&cursor, &caller, 0) == 0)
            walk(&cursor, frame_out, n_out, room);
        return;
    }
#endif
    if (unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME) == 0)
        walk(&cursor, frame_out, n_out, room);
}
#else
bool fv_backtrace_prepare(void) { return false; }

__attribute__((noinline)) uint32_t fv_backtrace_here(uint64_t *frame_out, uint32_t room) {
    (void)frame_out, (void)room;
    return 0;
}

void fv_backtrace_interrupted(void *context, uint64_t *frame_out, uint32_t *n_out, uint32_t room) {
    *n_out = 0;
    if (room == 0 || (frame_out[0] = instruction_of(context)) == 0)
        return;
    *n_out = 1;
}
#endif
