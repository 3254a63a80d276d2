/* t_base.c: errors, log, promises, atomics, clock, options. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/options.h"
#include "tap.h"

/* Runs fn in a child; its standard error goes to buf.  Returns its wait status. */
static int run_captured(void (*fn)(void), char *buf, size_t bytes)
{
    int ends[2], status = -1;
    size_t n = 0;
    ssize_t r;
    pid_t pid;

    if (pipe(ends) != 0)
        tap_bail("pipe");
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        fn();
        _exit(0);
    }
    close(ends[1]);
    while (n < bytes - 1 && (r = read(ends[0], buf + n, bytes - 1 - n)) > 0)
        n += (size_t)r;
    buf[n] = '\0';
    close(ends[0]);
    waitpid(pid, &status, 0);
    return status;
}

static void test_errors(void)
{
    TAP_TEXT(fever_strerrorname(FEVER_EAPP), "FEVER_EAPP", "name of a code");
    TAP_TEXT(fever_strerrorname(-FEVER_EAPP), "FEVER_EAPP", "name of a negative code");
    TAP_TEXT(fever_strerrorname(-ENOMEM), "ENOMEM", "name of an errno value");
    TAP_TEXT(fever_strerrorname(0), "OK", "name of success");
    TAP_TEXT(fever_strerror(0), "success", "text of success");
    TAP_TEXT(fever_strerror(-FEVER_ESTOREFULL), "the object store is full", "text of a code");
    TAP_TEXT(fever_strerror(ENOENT), "No such file or directory", "text of an errno value");
    TAP_TEXT(fever_strerror(999), "unknown error", "errno value that does not exist");
    TAP_TEXT(fever_strerror(123456), "unknown error", "code that does not exist");
    TAP_TEXT(fever_strerrorname(INT_MIN), "unknown", "INT_MIN");
#define FV_X(name, number, kills, text) TAP_OK(strcmp(fever_strerrorname(number), #name) == 0 && strcmp(fever_strerror(-(number)), text) == 0, #name);
    FEVER_ERRORS(FV_X)
#undef FV_X
}

static void say_things(void)
{
    char big[3000];

    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    errno = EDOM;
    fv_warn("number %d", 7);
    fv_logf("plain");
    fv_logf("%s", big);
    fv_log_raw(big);
    if (errno == EDOM)
        fv_log_raw("errno kept");
    fv_quiet = true;
    fv_warn("unheard");
    fv_logf("unheard");
    fv_log_raw("raw is heard");
}

static void test_log(void)
{
    char text[8192], *line;
    int n = 0;

    run_captured(say_things, text, sizeof text);
    TAP_OK(strncmp(text, "fever: warning: number 7\nfever: plain\n", 38) == 0, "warning and line");
    TAP_OK(strstr(text, "xxx...\n") != NULL, "a long line is cut, and says so");
    TAP_OK(strstr(text, "errno kept") != NULL, "errno is kept");
    TAP_OK(strstr(text, "unheard") == NULL, "quiet is quiet");
    TAP_OK(strstr(text, "fever: raw is heard\n") != NULL, "raw is not quiet");
    for (line = text; (line = strchr(line, '\n')) != NULL; line++)
        n++;
    TAP_IS(n, 6, "six lines");
}

static int check_it(int x)
{
    FV_CHECK(x == 1, -FEVER_EBUG);
    return 0;
}

static void break_in_user(void)
{
    fv_in_user_process = true;
    for (int i = 0; i < 3; i++)
        FV_ASSERT(i < 0);
    if (check_it(2) != -FEVER_EBUG || check_it(1) != 0)
        _exit(1);
    _exit(42);
}

static void break_in_runtime(void)
{
    signal(SIGABRT, SIG_DFL);
    fv_in_user_process = false;
    fv_quiet = true;
    FV_ASSERT(1 == 1);
    FV_ASSERT(2 == 1);
}

static void test_promises(void)
{
    char text[2048];
    int status = run_captured(break_in_user, text, sizeof text);

    TAP_OK(WIFEXITED(status) && WEXITSTATUS(status) == 42, "a broken promise returns in the user's process");
    TAP_OK(strstr(text, "fever: bug: ") == text && strstr(text, "t_base.c:") != NULL && strstr(text, ": i < 0\n") != NULL, "and says where");
    TAP_OK(strstr(strstr(text, "i < 0") + 1, "i < 0") == NULL, "and says it once");
    status = run_captured(break_in_runtime, text, sizeof text);
    TAP_OK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "it aborts a runtime process");
    TAP_OK(strstr(text, ": 2 == 1\n") != NULL && strstr(text, "1 == 1 ") == NULL, "and says where, quiet or not");
}

static struct {
    uint64_t sum64, flag64;
    uint32_t sum32, turn;
} shared;

static void *add_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        uint64_t seen = fv_load_relaxed_64(&shared.flag64);

        fv_faa_64(&shared.sum64, 1);
        while (!fv_cas_value_64(&shared.flag64, seen, seen + 2, &seen))
            fv_pause();
        fv_faa_32(&shared.sum32, 1);
    }
    return NULL;
}

static void test_atomics(void)
{
    pthread_t threads[2];
    uint64_t x = 5, seen = 0;
    uint32_t y = 5, seen32 = 0;
    uint16_t h = 0;
    uint8_t b = 0;

    TAP_OK(fv_cas_64(&x, 5, 6) && x == 6, "cas_64 succeeds");
    TAP_OK(!fv_cas_64(&x, 5, 7) && x == 6, "cas_64 fails");
    TAP_OK(!fv_cas_value_64(&x, 5, 7, &seen) && seen == 6, "cas_value_64 says what it saw");
    TAP_OK(fv_cas_value_64(&x, 6, 7, &seen) && seen == 6 && x == 7, "cas_value_64 succeeds");
    TAP_OK(fv_fas_64(&x, 1) == 7 && x == 1, "fas_64");
    TAP_OK(fv_faa_64(&x, (uint64_t)-2) == 1 && x == UINT64_MAX, "faa_64 wraps");
    fv_and_64(&x, 0xff00000000000000u);
    fv_or_64(&x, 3);
    TAP_OK(x == 0xff00000000000003u, "and_64, or_64");
    TAP_OK(fv_cas_32(&y, 5, 6) && !fv_cas_value_32(&y, 5, 7, &seen32) && seen32 == 6, "cas_32");
    TAP_OK(fv_fas_32(&y, 1) == 6 && fv_faa_32(&y, 4) == 1 && y == 5, "fas_32, faa_32");
    fv_or_32(&y, 0x80000000u);
    fv_and_32(&y, 0x80000001u);
    TAP_OK(y == 0x80000001u, "or_32, and_32");
    fv_store_relaxed_64(&x, 11);
    fv_store_release_32(&y, 12);
    fv_store_release_16(&h, 0xfffe);
    fv_store_relaxed_8(&b, 0xfd);
    fv_fence_full();
    fv_fence_load();
    fv_fence_store();
    fv_fence_load_store();
    fv_fence_store_load();
    fv_prefetch_write(&x);
    TAP_OK(fv_load_acquire_64(&x) == 11 && fv_load_relaxed_32(&y) == 12 && fv_load_acquire_16(&h) == 0xfffe && fv_load_relaxed_8(&b) == 0xfd,
           "loads and stores of each width");
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, add_many, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    TAP_OK(shared.sum64 == 40000 && shared.flag64 == 80000 && shared.sum32 == 40000, "two threads lose no addition");
}

static void test_clock(void)
{
    uint64_t a = fv_now_ns(), t = fv_tsc(), b;

    usleep(2000);
    b = fv_now_ns();
    TAP_OK(b - a >= 2000000 && b - a < 5000000000u, "the clock runs in nanoseconds");
    TAP_OK(fv_tsc() > t, "the counter runs");
}

static void clear_environment(void)
{
    for (int i = 0; i < FV_OPTION_COUNT; i++)
        unsetenv(fv_option_env(i));
}

static void test_env_error(const char *variable, const char *value)
{
    struct fv_options o = {.workers = -7};
    char why[512] = "";
    int rc;

    setenv(variable, value, 1);
    rc = fv_options_resolve(NULL, &o, why, sizeof why);
    TAP_OK(rc == -FEVER_EOPTION && strstr(why, variable) != NULL && strstr(why, value) != NULL && o.workers == -7, "%s=%s is an error: %s",
           variable, value, why);
    unsetenv(variable);
}

static void test_user_error(const char *field, const struct fever_options *user)
{
    struct fv_options o;
    char why[512] = "";

    TAP_OK(fv_options_resolve(user, &o, why, sizeof why) == -FEVER_EOPTION && strstr(why, field) != NULL, "error of the program: %s", why);
}

static uint64_t store_of(const char *value)
{
    struct fv_options o = {0};
    char why[512];

    setenv("FEVER_STORE_BYTES", value, 1);
    if (fv_options_resolve(NULL, &o, why, sizeof why) != 0)
        tap_diag("%s", why);
    unsetenv("FEVER_STORE_BYTES");
    return o.store_bytes;
}

static void test_options(void)
{
    struct fv_options o;
    char why[512] = "", text[64], *printed = NULL;
    size_t n_printed;
    FILE *stream;

    clear_environment();
    TAP_IS(fv_options_resolve(NULL, &o, why, sizeof why), 0, "defaults resolve");
    TAP_OK(o.max_spares == 64 && o.task_slots == 65536 && o.spin_us == 50 && o.pin == 1 && o.inline_tasks == 0 && o.quiet == 0, "fixed defaults");
    TAP_OK(o.workers == 0 && o.store_bytes == 0, "what the machine decides is open");
    TAP_TEXT(o.event, "auto", "default of a choice");
    TAP_TEXT(o.name, program_invocation_short_name, "name is the program's");
    TAP_TEXT(fv_origin_name(o.origin[FV_OPTION_pin]), "default", "origin: default");

    setenv("FEVER_WORKERS", "3", 1);
    setenv("FEVER_PIN", "0", 1);
    setenv("FEVER_EVENT", "poll", 1);
    setenv("FEVER_SPIN_US", "0", 1);
    setenv("FEVER_MAX_SPARES", "0", 1);
    setenv("FEVER_STORE_BYTES", "", 1);
    TAP_IS(fv_options_resolve(FEVER_OPTIONS(.event = "uring", .quiet = 1), &o, why, sizeof why), 0, "environment and program");
    TAP_OK(o.workers == 3 && o.pin == 0 && o.spin_us == 0 && o.max_spares == 0, "the environment's values, 0 included");
    TAP_OK(strcmp(o.event, "uring") == 0 && o.quiet == 1, "the program goes before the environment");
    TAP_TEXT(fv_origin_name(o.origin[FV_OPTION_workers]), "environment", "origin: environment");
    TAP_TEXT(fv_origin_name(o.origin[FV_OPTION_event]), "program", "origin: program");
    TAP_IS(o.origin[FV_OPTION_store_bytes], FV_ORIGIN_DEFAULT, "an empty variable is not given");
    setenv("FEVER_PIN", "1", 1);
    setenv("FEVER_SPIN_US", "12.5", 1);
    TAP_IS(fv_options_resolve(FEVER_OPTIONS(.pin = -1, .max_spares = -1, .spin_us = -1, .workers = 2), &o, why, sizeof why), 0, "below 0");
    TAP_OK(o.pin == 0 && o.max_spares == 0 && o.spin_us == 0 && o.workers == 2, "a number below 0 turns off");
    clear_environment();
    setenv("FEVER_SPIN_US", "12.5", 1);
    setenv("FEVER_QUIET", "Yes", 1);
    setenv("FEVER_NAME", "my run", 1);
    TAP_IS(fv_options_resolve(NULL, &o, why, sizeof why), 0, "fractions and words");
    TAP_OK(o.spin_us == 12.5 && o.quiet == 1 && strcmp(o.name, "my run") == 0, "fractions and words: values");
    clear_environment();

    TAP_OK(store_of("4194304") == 4194304, "size without suffix");
    TAP_OK(store_of("2048K") == 2097152, "K");
    TAP_OK(store_of("3m") == 3145728, "m");
    TAP_OK(store_of("5G") == 5368709120, "G");
    TAP_OK(store_of("2T") == 2199023255552, "T");

    test_env_error("FEVER_WORKERS", "two");
    test_env_error("FEVER_WORKERS", "0");
    test_env_error("FEVER_WORKERS", "-1");
    test_env_error("FEVER_WORKERS", "4x");
    test_env_error("FEVER_WORKERS", "4K");
    test_env_error("FEVER_WORKERS", "99999999999999999999999");
    test_env_error("FEVER_STORE_BYTES", "1Q");
    test_env_error("FEVER_STORE_BYTES", "1GB");
    test_env_error("FEVER_STORE_BYTES", "1K");
    test_env_error("FEVER_STORE_BYTES", " 5G");
    test_env_error("FEVER_SPIN_US", "1e3");
    test_env_error("FEVER_SPIN_US", "nan");
    test_env_error("FEVER_SPIN_US", "1.2.3");
    test_env_error("FEVER_EVENT", "epoll");
    test_env_error("FEVER_EVENT", "uring poll");
    test_env_error("FEVER_EVENT", "oll");
    test_env_error("FEVER_SEGMENT", "file");
    test_env_error("FEVER_PIN", "2");
    test_env_error("FEVER_PROCESS_SLOTS", "4097");
    test_env_error("FEVER_NAME", "0123456789012345678901234567890123456789012345678901234567890");

    test_user_error("workers", FEVER_OPTIONS(.workers = -2));
    test_user_error("workers", FEVER_OPTIONS(.workers = 100000));
    test_user_error("event", FEVER_OPTIONS(.event = "kqueue"));
    test_user_error("event", FEVER_OPTIONS(.event = ""));
    test_user_error("pin", FEVER_OPTIONS(.pin = 5));
    test_user_error("spin_us", FEVER_OPTIONS(.spin_us = __builtin_nan("")));
    test_user_error("store_bytes", FEVER_OPTIONS(.store_bytes = 5));
    test_user_error("struct_bytes", &(struct fever_options){.workers = 1});

    {
        struct {
            struct fever_options known;
            uint64_t later;
        } newer = {.known = {.struct_bytes = sizeof newer, .workers = 2}, .later = 0};

        TAP_OK(fv_options_resolve(&newer.known, &o, why, sizeof why) == 0 && o.workers == 2, "a newer program that sets nothing new");
        newer.later = 1;
        test_user_error("struct_bytes", &newer.known);
        newer.later = 0;
        newer.known.struct_bytes = offsetof(struct fever_options, max_spares);
        newer.known.max_spares = 1000000;
        TAP_OK(fv_options_resolve(&newer.known, &o, why, sizeof why) == 0 && o.workers == 2 && o.max_spares == 64, "an older program's shorter struct");
    }

    fv_options_resolve(FEVER_OPTIONS(.store_bytes = 3u << 20), &o, why, sizeof why);
    TAP_TEXT(fv_option_text(&o, FV_OPTION_store_bytes, text, sizeof text), "3M", "text of a size");
    TAP_TEXT(fv_option_text(&o, FV_OPTION_spin_us, text, sizeof text), "50", "text of a time");
    stream = open_memstream(&printed, &n_printed);
    fv_options_print(stream, &o);
    fclose(stream);
    TAP_OK(strstr(printed, "FEVER_STORE_BYTES") != NULL && strstr(printed, "program") != NULL && strstr(printed, "FEVER_QUIET") != NULL, "the list of options");
    free(printed);
}

int main(void)
{
    test_errors();
    test_log();
    test_promises();
    test_atomics();
    test_clock();
    test_options();
    return tap_done();
}
