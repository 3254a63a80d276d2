/* tap.h: the Test Anything Protocol, for all test programs.
 *
 * Run by:          tests.  A child that a test forks should leave by _exit() and let its parent print.
 *
 *     int main(void)
 *     {
 *         TAP_OK(1 + 1 == 2, "one and one is %d", 2);
 *         TAP_IS(fever_init(NULL), 0, "fever_init");
 *         return tap_done();
 *     }
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_n, tap_failed, tap_planned = -1;

#define TAP_UNUSED __attribute__((unused))

/* at the start, or not at all: tap_done() prints the plan then */
TAP_UNUSED static void tap_plan(int n)
{
    tap_planned = n;
    printf("1..%d\n", n);
    fflush(stdout);
}

__attribute__((unused, format(printf, 1, 2))) static void tap_diag(const char *format, ...)
{
    va_list args;

    printf("# ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

__attribute__((unused, format(printf, 5, 6))) static bool tap_result(bool holds, const char *file, int line, const char *text,
                                                                     const char *format, ...)
{
    va_list args;

    printf("%sok %d - ", holds ? "" : "not ", ++tap_n);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    if (!holds) {
        tap_failed++;
        printf("#   failed at %s:%d: %s\n", file, line, text);
    }
    fflush(stdout);
    return holds;
}

__attribute__((unused, format(printf, 6, 7))) static bool tap_is(long long got, long long want, const char *file, int line,
                                                                 const char *text, const char *format, ...)
{
    char name[256];
    va_list args;
    bool holds;

    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    holds = tap_result(got == want, file, line, text, "%s", name);
    if (!holds)
        tap_diag("  got %lld, want %lld", got, want);
    return holds;
}

__attribute__((unused, format(printf, 6, 7))) static bool tap_text(const char *got, const char *want, const char *file, int line,
                                                                   const char *text, const char *format, ...)
{
    char name[256];
    va_list args;
    bool holds;

    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    holds = tap_result(got != NULL && strcmp(got, want) == 0, file, line, text, "%s", name);
    if (!holds)
        tap_diag("  got \"%s\", want \"%s\"", got != NULL ? got : "(null)", want);
    return holds;
}

/* Each gives true when the test passed. */
#define TAP_OK(cond, ...)        tap_result((cond), __FILE__, __LINE__, #cond, __VA_ARGS__)
#define TAP_IS(got, want, ...)   tap_is((long long)(got), (long long)(want), __FILE__, __LINE__, #got " is " #want, __VA_ARGS__)
#define TAP_TEXT(got, want, ...) tap_text((got), (want), __FILE__, __LINE__, #got, __VA_ARGS__)

__attribute__((unused, format(printf, 1, 2))) static void tap_skip(const char *format, ...)
{
    va_list args;

    printf("ok %d # SKIP ", ++tap_n);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

__attribute__((unused, noreturn, format(printf, 1, 2))) static void tap_bail(const char *format, ...)
{
    va_list args;

    printf("Bail out! ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    exit(99);
}

/* at the end: the status to exit with */
TAP_UNUSED static int tap_done(void)
{
    if (tap_planned < 0)
        printf("1..%d\n", tap_n);
    else if (tap_planned != tap_n)
        printf("# planned %d tests, ran %d\n", tap_planned, tap_n);
    if (tap_failed != 0)
        printf("# failed %d of %d\n", tap_failed, tap_n);
    fflush(stdout);
    return tap_failed != 0 || (tap_planned >= 0 && tap_planned != tap_n);
}

#endif
