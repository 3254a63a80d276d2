/* error.c: the text and the name of an error code.
 *
 * Run by:          every process, any thread, signal handlers too where libc has the _np functions.
 * Shared state:    none.
 * Source:          the table FEVER_ERRORS in fever.h; the operating system's own codes come from libc.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "fever.h"

#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 32)
#define HAVE_ERROR_TABLES 1
#endif
#endif

static const char *system_text(int error)
{
#ifdef HAVE_ERROR_TABLES
    return strerrordesc_np(error);
#else
    static _Thread_local char text[96];

    snprintf(text, sizeof text, "system error %d", error);
    return text;
#endif
}

static const char *system_name(int error)
{
#ifdef HAVE_ERROR_TABLES
    return strerrorname_np(error);
#else
    static _Thread_local char name[24];

    snprintf(name, sizeof name, "errno %d", error);
    return name;
#endif
}

/* codes are given with either sign */
static int magnitude(int error)
{
    return error == INT_MIN ? INT_MAX : error < 0 ? -error : error;
}

const char *fever_strerror(int error)
{
    const char *text = NULL;

    error = magnitude(error);
    switch (error) {
    case 0:
        return "success";
#define FV_X(name, number, kills, text_) \
    case number: \
        return text_;
        FEVER_ERRORS(FV_X)
#undef FV_X
    default:
        if (error < 1000)
            text = system_text(error);
    }
    return text != NULL ? text : "unknown error";
}

const char *fever_strerrorname(int error)
{
    const char *name = NULL;

    error = magnitude(error);
    switch (error) {
    case 0:
        return "OK";
#define FV_X(name_, number, kills, text) \
    case number: \
        return #name_;
        FEVER_ERRORS(FV_X)
#undef FV_X
    default:
        if (error < 1000)
            name = system_name(error);
    }
    return name != NULL ? name : "unknown";
}
