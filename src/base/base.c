/* base.c: what happens when a promise is broken.
 *
 * Run by:          every process, signal handlers included: no stdio, no allocation.
 * Shared state:    none; the two statics are the process's own.
 * If it dies here: it means to.
 */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/log.h"

bool fv_in_user_process = true;

static uint32_t last_broken_line;

static char *append_text(char *at, const char *end, const char *text)
{
    while (*text != '\0' && at < end)
        *at++ = *text++;
    return at;
}

static char *append_number(char *at, const char *end, unsigned number)
{
    char digits[12];
    size_t n = sizeof digits;

    digits[--n] = '\0';
    do
        digits[--n] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    return append_text(at, end, digits + n);
}

bool fv_promise_broken(const char *file, int line, const char *condition)
{
    char text[512];
    char *at = text;
    const char *end = text + sizeof text - 1;

    if (fv_in_user_process && fv_fas_32(&last_broken_line, (uint32_t)line) == (uint32_t)line)
        return false;
    at = append_text(at, end, "bug: ");
    at = append_text(at, end, file);
    at = append_text(at, end, ":");
    at = append_number(at, end, (unsigned)line);
    at = append_text(at, end, ": ");
    at = append_text(at, end, condition);
    *at = '\0';
    fv_log_raw(text);
    if (!fv_in_user_process)
        abort();
    return false;
}
