/* log.c: lines on standard error.
 *
 * Run by:          every process.
 * Shared state:    none.
 * If it dies here: at most the line is lost.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

bool fv_quiet;

#define LINE_BYTES 1024

static void write_line(char *line, size_t n)
{
    size_t done = 0;

    line[n++] = '\n';
    while (done < n) {
        ssize_t w = write(STDERR_FILENO, line + done, n - done);

        if (w > 0)
            done += (size_t)w;
        else if (w == 0 || errno != EINTR)
            break;
    }
}

static void format_line(const char *prefix, const char *format, va_list args)
{
    char line[LINE_BYTES];
    const size_t room = sizeof line - 1; /* of the newline */
    int saved = errno;
    size_t n = strlen(prefix);
    int m;

    memcpy(line, prefix, n);
    m = vsnprintf(line + n, room - n, format, args);
    if (m < 0)
        m = 0;
    if ((size_t)m >= room - n) {
        n = room - 1;
        memcpy(line + n - 3, "...", 3);
    } else
        n += (size_t)m;
    write_line(line, n);
    errno = saved;
}

void fv_warn(const char *format, ...)
{
    va_list args;

    if (fv_quiet)
        return;
    va_start(args, format);
    format_line("fever: warning: ", format, args);
    va_end(args);
}

void fv_logf(const char *format, ...)
{
    va_list args;

    if (fv_quiet)
        return;
    va_start(args, format);
    format_line("fever: ", format, args);
    va_end(args);
}

void fv_log_raw(const char *text)
{
    char line[LINE_BYTES] = "fever: ";
    int saved = errno;
    size_t n = strlen(line);

    while (*text != '\0' && n < sizeof line - 1)
        line[n++] = *text++;
    write_line(line, n);
    errno = saved;
}
