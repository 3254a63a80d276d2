/* api/fault.c: a write through a read-only view, in the driver: names the object, then lets the signal take its course.
 *
 * Run by the driver, when it asked for that (option fault_report): a handler of SIGSEGV, in any of its threads.  It only reads
 * the segment.  Workers tell in their own way: run/worker.c, core/sweep.c.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "api/api.h"
#include "base/log.h"
#include "core/object.h"
#include "plat/module.h"

static struct sigaction before;    /* what was there */
static bool             installed; /* the handler is, or somebody whose handler calls it */

static void describe(uint64_t address) {
    struct fv_object_at at;
    char                words[112], place[80] = "", module[40], line[320];
    uint64_t            base;
    if (!fv_object_find(address, &at))
        return;
    if (at.site != 0 && fv_module_find(at.site, &base, module, sizeof module))
        snprintf(place, sizeof place, ", made at %s+%#llx", module, (unsigned long long)(at.site - base));
    snprintf(line, sizeof line, "process %d wrote to the read-only view of %s%s, at address %#llx", (int)getpid(),
             fv_object_text(&at, words, sizeof words), place, (unsigned long long)address);
    fv_log_raw(line);
}

static void on_fault(int sig, siginfo_t *info, void *context) {
    if (info->si_code > 0) /* the kernel's, not somebody's kill() */
        describe((uint64_t)(uintptr_t)info->si_addr);
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(sig, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(sig);
    } else if (before.sa_handler == SIG_DFL || info->si_code > 0) { /* a fault cannot be ignored */
        struct sigaction none = {.sa_handler = SIG_DFL};
        sigaction(sig, &none, NULL);
        if (info->si_code <= 0) /* else the access is repeated */
            raise(sig);
    }
}

void fv_fault_watch(void) {
    struct sigaction now, ours = {.sa_sigaction = on_fault};
    if (sigaction(SIGSEGV, NULL, &now) < 0 || (installed && now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_fault))
        return;
    before = now;
    ours.sa_mask = now.sa_mask;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (now.sa_flags & (SA_NODEFER | SA_RESTART));
    installed = sigaction(SIGSEGV, &ours, NULL) == 0;
}

void fv_fault_unwatch(void) {
    struct sigaction now;
    if (!installed || sigaction(SIGSEGV, NULL, &now) < 0 || !(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_fault)
        return; /* another has been put on top, and may call ours: it finds no segment, and goes on to the one before */
    sigaction(SIGSEGV, &before, NULL);
    installed = false;
}
