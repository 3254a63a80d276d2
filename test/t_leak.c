/* t_leak.c: what is said of refs that were not released, and of writes through read-only views.
 *
 * Run by:          make check.
 */
#include "plat/symbol.h"
#include "rt.h"

#include <setjmp.h>
#include <sys/resource.h>

FEVER_TASK(int, answers, (int, n)) { return n; }
enum { MAKES_LINE = __LINE__ + 5 };
FEVER_TASK(fever_ref, makes, (size_t, bytes))
{
    static char data[5000];
    fever_ref r = FEVER_NULL_REF;
    fever_put(data, bytes, &r);
    return r;
}
FEVER_TASK(int, writes, (fever_ref, r))
{
    const char *v;
    if (fever_view(r, &v, NULL) == 0)
        *(volatile char *)(uintptr_t)v = 1;
    return 0;
}
FEVER_TASK(int, writes_elsewhere, (int, n)) { raise(SIGSEGV); return n; }

static char said[8192];

/* Standard error, from here to hear_end(). */
static int  old_stderr, hear_fd;
static void hear_begin(void)
{
    hear_fd = memfd_create("said", 0);
    old_stderr = dup(2);
    dup2(hear_fd, 2);
}
static void hear_end(void)
{
    dup2(old_stderr, 2);
    close(old_stderr);
    ssize_t n = pread(hear_fd, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(hear_fd);
    for (char *p = said, *e; *p != '\0'; p = e + (*e != '\0')) {
        e = strchrnul(p, '\n');
        tap_diag("said: %.*s", (int)(e - p), p);
    }
}
static int lines(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}
/* "t_leak.c:NUMBER", where there is debug information to tell */
static bool says_place(int line)
{
    char place[40];
    snprintf(place, sizeof place, "t_leak.c:%d", line);
    return !fv_symbols_there_are() || strstr(said, place) != NULL;
}

static void test_leaks(void)
{
    static char data[100000];
    fever_ref r[3], p, q, held, outer;
    rt_init(.workers = 1, .store_bytes = 16 << 20, .leak_report = 1);
    int line = __LINE__;
    for (int i = 0; i < 3; i++)
        fever_put(data, sizeof data, &r[i]); /* line + 2 */
    fever_promise(&p);                       /* line + 3 */
    q = answers_remote(3);                   /* line + 4 */
    fever_wait_one(q, RT_LONG);
    outer = makes_remote(5000);
    TAP_IS(fever_get(outer, &held), 0, "a ref of another process");
    fever_retain(held);
    fever_release(outer);
    fever_release(r[1]);
    hear_begin();
    int rc = fever_shutdown();
    hear_end();
    TAP_IS(rc, 0, "fever_shutdown");
    TAP_IS(lines(said), 5, "a line, and one for each place");
    TAP_OK(strstr(said, "5 refs, 205004 bytes in all, were not released") != NULL, "how much in all");
    TAP_OK(strstr(said, "2 objects, 200000 bytes, made at ") != NULL, "two objects of the three");
    TAP_OK(strstr(said, "1 object, 5000 bytes, made at ") != NULL, "one that a worker had made");
    TAP_OK(strstr(said, "1 promise, 0 bytes, made at ") != NULL, "a promise");
    TAP_OK(strstr(said, "1 result of answers, 4 bytes, submitted at ") != NULL, "a result");
    TAP_OK(says_place(line + 2), "where the objects were put");
    TAP_OK(says_place(line + 3), "where the promise was made");
    TAP_OK(says_place(line + 4), "where the task was submitted");
    TAP_OK(says_place(MAKES_LINE), "where the worker put its object");

    rt_init(.workers = 1, .store_bytes = 16 << 20, .leak_report = 1);
    fever_put(data, sizeof data, &r[0]);
    fever_release(r[0]);
    int v = 0;
    fever_take(answers_remote(3), &v);
    fever_release(answers_remote(4)); /* not waited for: nobody holds it */
    hear_begin();
    rc = fever_shutdown();
    hear_end();
    TAP_IS(rc, 0, "fever_shutdown");
    TAP_TEXT(said, "", "nothing is said when nothing is held");

    rt_init(.workers = 1, .store_bytes = 16 << 20);
    fever_put(data, sizeof data, &r[0]);
    hear_begin();
    rc = fever_shutdown();
    hear_end();
    TAP_IS(rc, 0, "fever_shutdown");
    TAP_TEXT(said, "", "nothing is said when nobody asks");
}

static void test_workers(void)
{
    char name[40];
    fever_ref big, small, inner, q;
    static char data[70000];
    rt_init(.workers = 1, .store_bytes = 16 << 20);
    fever_object_put(FEVER_OBJECT(.name = "the grid"), data, sizeof data, &big);
    int line = __LINE__ - 1;
    fever_put(data, 8, &small);
    inner = answers_remote(8);
    fever_wait_one(inner, RT_LONG);
    struct { fever_ref ref; const char *words; } what[] = {{big, "(the grid, 70000 bytes)"}, {small, "(8 bytes)"}, {inner, "(result of answers, 4 bytes)"}};
    for (int i = 0; i < 3; i++) {
        q = writes_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), what[i].ref);
        int v;
        TAP_IS(fever_get_for(q, &v, RT_LONG), -FEVER_ECRASHED, "a write through a view");
        struct fever_error e = rt_error(q);
        snprintf(name, sizeof name, "object %016llx", (unsigned long long)what[i].ref.id);
        tap_diag("%s", e.text);
        TAP_OK(strstr(e.text, "wrote to the read-only view of ") != NULL && strstr(e.text, name) != NULL, "names the object");
        TAP_OK(strstr(e.text, what[i].words) != NULL, "and says what it is");
        TAP_IS(e.object.id, what[i].ref.id, "its ref");
        TAP_OK((e.object_site != 0) == (i < 2), "where it was made is known of objects");
        if (i == 0 && fv_symbols_there_are()) {
            TAP_IS(e.object_line, line, "the line");
            TAP_OK(strstr(e.object_file, "t_leak.c") != NULL, "the file");
        }
        if (i == 0) {
            char *text = NULL;
            size_t n = 0;
            FILE *f = open_memstream(&text, &n);
            fever_error_print(f, &e);
            fclose(f);
            TAP_OK(strstr(text, "\n  the object was made at ") != NULL, "printed, too");
            free(text);
        }
        fever_release(q);
    }
    q = writes_elsewhere_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 1);
    fever_wait_one(q, RT_LONG);
    struct fever_error e = rt_error(q);
    TAP_OK(strstr(e.text, "read-only view") == NULL && e.object.id == 0, "another fault is no such thing");
    fever_release(q);
    fever_release(big);
    fever_release(small);
    fever_release(inner);
    rt_balanced(0);
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ the driver */
static sigjmp_buf again;
static volatile int n_seen;
static void        *volatile seen_address;
static void own_handler(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    n_seen = n_seen + 1;
    seen_address = info->si_addr;
    siglongjmp(again, 1);
}

static void test_driver_handler(void)
{
    static char data[70000];
    fever_ref r;
    const char *v;
    struct sigaction old, now, mine = {.sa_sigaction = own_handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &mine, &old);
    rt_init(.workers = 1, .store_bytes = 16 << 20, .fault_report = 1);
    fever_object_put(FEVER_OBJECT(.name = "frozen"), data, sizeof data, &r);
    fever_view(r, &v, NULL);
    hear_begin();
    if (sigsetjmp(again, 1) == 0)
        *(volatile char *)(uintptr_t)(v + 5) = 1;
    hear_end();
    TAP_IS(n_seen, 1, "the program's own handler runs");
    TAP_OK(seen_address == (const void *)(v + 5), "with what it would have got");
    TAP_OK(strstr(said, "wrote to the read-only view of object ") != NULL && strstr(said, "(frozen, 70000 bytes), made at ") != NULL,
           "after the object was named");
    TAP_IS(lines(said), 1, "in one line");
    hear_begin();
    char *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sigsetjmp(again, 1) == 0)
        *(volatile char *)nowhere = 1;
    hear_end();
    TAP_IS(n_seen, 2, "another fault gets there too");
    TAP_TEXT(said, "", "and nothing is said of it");
    fever_release(r);
    rt_shutdown();
    sigaction(SIGSEGV, NULL, &now);
    TAP_OK(now.sa_flags & SA_SIGINFO && now.sa_sigaction == own_handler, "the program's handler is back after fever_shutdown");
    sigaction(SIGSEGV, &old, NULL);
}

/* A child that is a driver of its own and writes through a view: it dies of that, and says of what. */
static void test_driver_dies(bool asked)
{
    static char data[100];
    int status = 0;
    hear_begin();
    pid_t child = fork();
    if (child == 0) {
        fever_ref r;
        const char *v;
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL); /* a sanitizer's */
        if (fever_init(FEVER_OPTIONS(.workers = 1, .store_bytes = 16 << 20, .fault_report = asked ? 1 : -1, .quiet = 1)) != 0)
            _exit(1);
        fever_put(data, sizeof data, &r);
        fever_view(r, &v, NULL);
        *(volatile char *)(uintptr_t)v = 1;
        _exit(2);
    }
    waitpid(child, &status, 0);
    hear_end();
    TAP_OK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "a driver that writes through a view dies of it");
    TAP_OK((strstr(said, "wrote to the read-only view of object ") != NULL) == asked, asked ? "and the object is named" : "in silence when it has not asked");
}

int main(void)
{
    rt_begin(60);
    test_leaks();
    test_workers();
    test_driver_handler();
    test_driver_dies(true);
    test_driver_dies(false);
    return tap_done();
}
