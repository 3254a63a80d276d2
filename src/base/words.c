/* base/words.c: see words.h. */
#include "base/words.h"

#include <stdio.h>
#include <string.h>

const char *fv_signal_name(int number, char *buf, size_t bytes) {
    const char *name = NULL;
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 32)
    name = sigabbrev_np(number);
#endif
#endif
    if (name != NULL)
        snprintf(buf, bytes, "SIG%s", name);
    else
        snprintf(buf, bytes, "signal %d", number);
    return buf;
}

#define CALLER_HEAD "fever_run_"
#define BODY_HEAD   "fever_body_" /* of a stream */
#define BODY_TAIL   "_local"

const char *fv_function_text(const char *function, char *buf, size_t bytes) {
    size_t n = strlen(function), tail = strlen(BODY_TAIL), head = strlen(BODY_HEAD);
    if (strncmp(function, BODY_HEAD, head) == 0)
        snprintf(buf, bytes, "%s", function + head);
    else if (n > tail && strcmp(function + n - tail, BODY_TAIL) == 0)
        snprintf(buf, bytes, "%.*s", (int)(n - tail), function);
    else
        snprintf(buf, bytes, "%s", n != 0 ? function : "?");
    return buf;
}

bool fv_function_is_caller(const char *function) { return strncmp(function, CALLER_HEAD, strlen(CALLER_HEAD)) == 0; }

const char *fv_seconds_text(double s, char *buf, size_t bytes) {
    if (s < 1e-3)
        snprintf(buf, bytes, "%.0f us", s * 1e6);
    else if (s < 1)
        snprintf(buf, bytes, "%.1f ms", s * 1e3);
    else
        snprintf(buf, bytes, "%.1f s", s);
    return buf;
}

const char *fv_attempt_text(const struct fever_attempt *a, char *buf, size_t bytes) {
    char what[96], word[32], where[40] = "";
    if (a->code == FEVER_ETASKTIMEOUT)
        snprintf(what, sizeof what, "was killed, as its time was up");
    else if (a->code == FEVER_ECANCELED)
        snprintf(what, sizeof what, "was stopped, as it was cancelled");
    else if (a->code == FEVER_EAPP)
        snprintf(what, sizeof what, "reported error %d", a->detail);
    else if (a->code != FEVER_ECRASHED)
        snprintf(what, sizeof what, "ended it: %s", fever_strerrorname(a->code));
    else if (a->signal != 0)
        snprintf(what, sizeof what, "died of %s", fv_signal_name(a->signal, word, sizeof word));
    else
        snprintf(what, sizeof what, "exited with status %d", a->detail);
    if (a->fault_address != 0)
        snprintf(where, sizeof where, " at address %#llx", (unsigned long long)a->fault_address);
    if (a->worker >= 0)
        snprintf(buf, bytes, "worker %d (pid %d) %s%s%s", a->worker, a->worker_pid, what, where, a->charged || a->code == FEVER_ECANCELED ? "" : ", in another task: not charged");
    else
        snprintf(buf, bytes, "the driver (pid %d) %s", a->worker_pid, what);
    return buf;
}
