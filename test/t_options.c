/* t_options.c: the options of one task: each field with its edges, what is refused, and what they do.
 *
 * Not here: scheduling by num_cpus, resources and priority; memory: test/t_memory.c.
 */
#include "test/rt.h"

#include <math.h>

struct shared {
    atomic_int begun[64]; /* how often body number i has begun */
    atomic_int go;
    _Atomic double at[64][16]; /* when */
    atomic_int pid[64];
};
static struct shared *shared;

static int begin(int which)
{
    int n = atomic_fetch_add(&shared->begun[which], 1);

    atomic_store(&shared->at[which][n < 16 ? n : 15], rt_now());
    return n;
}

FEVER_TASK(int, plain, (int, x))
{
    return x + 1;
}

FEVER_TASK(int, pid_of_worker)
{
    return getpid();
}

/* fails with that code, so many times */
FEVER_TASK(int, flaky, (int, which), (int, times), (int, code))
{
    int n = begin(which);

    if (n < times)
        fever_fail(code, "run %d", n);
    return (int)fever_context()->attempt;
}

/* fails at first, and is killed the second time */
FEVER_TASK(int, doomed, (int, which))
{
    int n = begin(which);

    if (n == 0)
        fever_fail(7, "at first");
    else if (n == 1)
        raise(SIGKILL);
    return (int)fever_context()->attempt;
}

FEVER_TASK(int, waits_to_die, (int, which))
{
    begin(which);
    atomic_store(&shared->pid[which], getpid());
    while (!atomic_load(&shared->go))
        rt_nap();
    return 1;
}

FEVER_TASK(int, is_called, (int, how))
{
    const char *name = fever_context()->name;

    if (how == 1)
        fever_fail(1, "as it should");
    else if (how == 2)
        raise(SIGKILL);
    return strcmp(name, how == 3 ? "is_called" : "by another name") == 0;
}

#define UNSET 1000

FEVER_TASK(int, variable, (char, letter))
{
    char name[] = "FEVER_T_?";

    name[8] = letter;
    return getenv(name) == NULL ? UNSET : atoi(getenv(name));
}

FEVER_TASK(int, spoils_variable)
{
    setenv("FEVER_T_A", "77", 1);
    unsetenv("FEVER_T_B");
    return 0;
}

FEVER_TASK(int, dies_with_variable)
{
    raise(SIGKILL);
    return 0;
}

/* leaves a child behind that nobody waits for */
FEVER_TASK(int, parent, (int, which))
{
    fever_release(waits_to_die_with(FEVER_WITH(.max_calls = 1), which));
    return getpid();
}

FEVER_TASK(int, failing_pid, (int, which))
{
    atomic_store(&shared->pid[which + begin(which)], getpid());
    if (atomic_load(&shared->begun[which]) < 3)
        fever_fail(1, "not yet");
    return 0;
}

static int submit(const struct fever_task_options *options)
{
    struct fever_args_plain args = {1};
    fever_ref ref = FEVER_NULL_REF;
    int rc = fever_submit(&fever_def_plain, &args, sizeof args, options, &ref), value = 0;

    if (rc < 0)
        return ref.id == 0 ? rc : -1;
    return fever_take(ref, &value) == 0 && value == 2 ? 0 : -2;
}
#define GOOD(...) TAP_IS(submit(FEVER_WITH(__VA_ARGS__)), 0, "%s", "good: " #__VA_ARGS__)
#define BAD(...)  TAP_IS(submit(FEVER_WITH(__VA_ARGS__)), -FEVER_EINVAL, "%s", "refused: " #__VA_ARGS__)

#define TEXT_47 "1234567890123456789012345678901234567890abcdefg"

static void test_values(void)
{
    static const struct fever_resource one[] = {{"gpu", 1}}, twice[] = {{"gpu", 1}, {"gpu", 2}}, nameless[] = {{NULL, 1}},
                                       empty[] = {{"", 1}}, nothing[] = {{"gpu", 0}}, tiny[] = {{"gpu", 0.00001}},
                                       negative[] = {{"gpu", -1}}, nan_[] = {{"gpu", NAN}}, huge[] = {{"gpu", 1e300}},
                                       long_[] = {{"12345678901234567890123456789012", 1}};
    static const int codes[64] = {7};
    static const char *const env[] = {"FEVER_T_A=1", "FEVER_T_B=", NULL}, *const no_value[] = {"FEVER_T_A", NULL},
                             *const no_name[] = {"=1", NULL}, *const none[] = {NULL};
    char *much[] = {malloc(20000), NULL};
    struct fever_resource many[17];
    char names[17][8];
    uint64_t before = rt_stats().tasks_submitted;

    for (int i = 0; i < 17; i++) {
        snprintf(names[i], sizeof names[i], "r%d", i);
        many[i] = (struct fever_resource){names[i], 1};
    }
    memset(much[0], 'x', 20000);
    memcpy(much[0], "A=", 2);
    much[0][19999] = '\0';
    BAD(.timeout_s = -1);
    BAD(.timeout_s = NAN);
    BAD(.timeout_s = INFINITY);
    BAD(.max_retries = -2);
    BAD(.max_retries = 251);
    BAD(.n_after = 1);
    BAD(.name = TEXT_47 "h");
    BAD(.num_cpus = -0.5);
    BAD(.num_cpus = NAN);
    BAD(.num_cpus = INFINITY);
    BAD(.num_cpus = 0.00001);
    BAD(.num_cpus = 1e9);
    BAD(.n_resources = 1);
    BAD(.resources = many, .n_resources = 17);
    BAD(.resources = twice, .n_resources = 2);
    BAD(.resources = nameless, .n_resources = 1);
    BAD(.resources = empty, .n_resources = 1);
    BAD(.resources = nothing, .n_resources = 1);
    BAD(.resources = tiny, .n_resources = 1);
    BAD(.resources = negative, .n_resources = 1);
    BAD(.resources = nan_, .n_resources = 1);
    BAD(.resources = huge, .n_resources = 1);
    BAD(.resources = long_, .n_resources = 1);
    BAD(.memory_bytes = UINT64_MAX);
    BAD(.priority = 101);
    BAD(.priority = -101);
    BAD(.retry_on = 2);
    BAD(.retry_on = -1);
    BAD(.n_retry_codes = 1);
    BAD(.retry_codes = codes, .n_retry_codes = 65);
    BAD(.retry_delay_s = -1);
    BAD(.retry_delay_s = NAN);
    BAD(.retry_delay_s = INFINITY);
    BAD(.max_calls = -1);
    BAD(.env = no_value);
    BAD(.env = no_name);
    BAD(.env = (const char *const *)much);
    TAP_IS(rt_stats().tasks_submitted, before, "nothing of all that was submitted");
    TAP_IS(rt_validate(), 0, "and nothing has leaked");

    GOOD(.timeout_s = 1e300);
    GOOD(.timeout_s = 100, .max_retries = FEVER_NO_RETRY);
    GOOD(.max_retries = 250);
    GOOD(.name = "");
    GOOD(.name = TEXT_47);
    GOOD(.num_cpus = 1);
    GOOD(.resources = one, .n_resources = 0);
    GOOD(.resources = one);
    GOOD(.memory_bytes = 1ull << 40);
    GOOD(.retry_on = FEVER_RETRY_ALL, .retry_codes = codes, .n_retry_codes = 64, .retry_delay_s = 1e300);
    GOOD(.retry_codes = codes);
    GOOD(.max_calls = INT32_MAX);
    GOOD(.env = none);
    GOOD(.env = env, .name = "all of it", .timeout_s = 50, .retry_on = FEVER_RETRY_ALL, .max_retries = 5);
    free(much[0]);
}

static void test_struct_sizes(void)
{
    struct {
        struct fever_task_options known;
        long later[4];
    } newer = {.known = {.struct_bytes = sizeof newer}};
    struct fever_task_options older = {.struct_bytes = offsetof(struct fever_task_options, name), .name = TEXT_47 "h", .priority = 1000};

    TAP_IS(submit(&newer.known), 0, "a struct of a newer header, nothing set there");
    newer.later[3] = 1;
    TAP_IS(submit(&newer.known), -FEVER_EINVAL, "an unknown option is set");
    TAP_IS(submit(&older), 0, "a struct of an older header: what lies behind it is not looked at");
    older.struct_bytes = offsetof(struct fever_task_options, after);
    older.n_after = 5;
    TAP_IS(submit(&older), 0, "the least there is");
    older.struct_bytes--;
    TAP_IS(submit(&older), -FEVER_EINVAL, "less is none");
    older.struct_bytes = 0;
    TAP_IS(submit(&older), -FEVER_EINVAL, "struct_bytes is not set");
    older.struct_bytes = SIZE_MAX;
    TAP_IS(submit(&older), -FEVER_EINVAL, "struct_bytes is nonsense");
}

static int value_of(fever_ref ref)
{
    int value = 0, rc = fever_get_for(ref, &value, RT_LONG * 2);

    return rc < 0 ? rc : value;
}

static void test_retry(void)
{
    static const int listed[] = {5, -7};
    uint64_t retried = rt_stats().tasks_retried;
    fever_ref ref = flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL), 0, 2, 9);

    TAP_IS(value_of(ref), 3, "it fails twice and succeeds at the third attempt");
    TAP_IS(atomic_load(&shared->begun[0]), 3, "three runs");
    TAP_IS(rt_stats().tasks_retried, retried + 2, "two retries are counted");
    fever_release(ref);

    ref = flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL), 1, 100, 9);
    TAP_IS(value_of(ref), -FEVER_EAPP, "it always fails");
    TAP_IS(atomic_load(&shared->begun[1]), 4, "1 + 3 attempts");
    struct fever_error e = rt_error(ref);
    TAP_IS(e.attempt, 4, "the error tells the last one");
    TAP_IS(e.app_code, 9, "its code");
    TAP_TEXT(e.text, "run 3", "its text");
    fever_release(ref);

    ref = flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .max_retries = FEVER_NO_RETRY), 2, 100, 9);
    TAP_IS(value_of(ref), -FEVER_EAPP, "no retries at all");
    TAP_IS(atomic_load(&shared->begun[2]), 1, "one run");
    fever_release(ref);

    ref = flaky_with(FEVER_WITH(.max_retries = 9), 3, 100, 9);
    TAP_IS(value_of(ref), -FEVER_EAPP, "without retry_on");
    TAP_IS(atomic_load(&shared->begun[3]), 1, "one run");
    fever_release(ref);

    ref = flaky_with(FEVER_WITH(.retry_codes = listed, .n_retry_codes = 2, .max_retries = 9), 4, 100, 7);
    TAP_IS(value_of(ref), -FEVER_EAPP, "a code that is not listed");
    TAP_IS(atomic_load(&shared->begun[4]), 1, "one run");
    fever_release(ref);

    ref = flaky_with(FEVER_WITH(.retry_codes = listed, .n_retry_codes = 2, .max_retries = 9), 5, 6, -7);
    TAP_IS(value_of(ref), 7, "a code that is");
    TAP_IS(atomic_load(&shared->begun[5]), 7, "seven runs");
    fever_release(ref);

    ref = doomed_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .max_retries = 2), 6);
    TAP_IS(value_of(ref), 3, "an error and a crash: both are charged");
    fever_release(ref);
    ref = doomed_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .max_retries = 1), 7);
    TAP_IS(value_of(ref), -FEVER_ECRASHED, "an error and a crash: together too many");
    TAP_IS(atomic_load(&shared->begun[7]), 2, "two runs");
    fever_release(ref);
}

static void test_back_off(void)
{
    enum { N = 20 };
    fever_ref ref = flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .retry_delay_s = 0.05), 10, 3, 9), many[N];
    double begin, last;

    TAP_IS(value_of(ref), 4, "with back-off");
    fever_release(ref);
    for (int i = 1; i < 4; i++) {
        double gap = atomic_load(&shared->at[10][i]) - atomic_load(&shared->at[10][i - 1]), least = 0.05 * (1 << (i - 1));

        TAP_OK(gap >= least, "pause %d is at least %.2f s: %.3f s", i, least, gap);
    }

    begin = rt_now();
    ref = flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .retry_delay_s = 0.5), 11, 1, 9);
    TAP_OK(rt_until(&shared->begun[11], 1), "it has begun");
    for (int i = 0; i < 2000; i++) {
        fever_ref other = plain_remote(i);
        int value;

        if (fever_take(other, &value) != 0 || value != i + 1)
            break;
    }
    last = rt_now() - begin;
    TAP_OK(last > 0.5 || atomic_load(&shared->begun[11]) == 1, "others use the workers while it waits, and nobody runs it early");
    TAP_IS(value_of(ref), 2, "its time comes");
    TAP_OK(rt_now() - begin >= 0.5, "not before");
    fever_release(ref);

    for (int i = 0; i < N; i++)
        many[i] = flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .retry_delay_s = 0.001 * (i % 7)), 20 + i, 2, 1);
    for (int i = 0; i < N; i++) {
        if (value_of(many[i]) != 3)
            TAP_OK(false, "number %d of many", i);
        fever_release(many[i]);
    }
    TAP_OK(true, "many at once");
}

static void test_let_go(void)
{
    fever_ref ref = flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .retry_delay_s = 0.1), 40, 1, 9);
    struct fever_group *group;

    TAP_OK(rt_until(&shared->begun[40], 1), "it has begun");
    fever_release(ref);
    TAP_OK(rt_until(&shared->begun[40], 2), "a task that nobody waits for is repeated all the same");

    fever_group_open(&group);
    flaky_group_with(group, FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .retry_delay_s = 0.02), 41, 2, 9);
    flaky_group_with(group, FEVER_WITH(.retry_on = FEVER_RETRY_ALL), 42, 100, 9);
    TAP_IS(fever_group_wait(group, RT_LONG), 1, "in a group: one comes right, one fails");
    TAP_IS(atomic_load(&shared->begun[41]), 3, "three runs");
    TAP_IS(atomic_load(&shared->begun[42]), 4, "four runs");
    fever_group_close(group);
}

static void test_name(void)
{
    fever_ref ref = is_called_with(FEVER_WITH(.name = "by another name"), 0), other;
    struct fever_error e;

    TAP_IS(value_of(ref), 1, "fever_context knows the task's name");
    fever_release(ref);
    ref = is_called_with(FEVER_WITH(.timeout_s = 100), 3);
    TAP_IS(value_of(ref), 1, "without one, the definition's");
    fever_release(ref);
    ref = is_called_with(FEVER_WITH(.name = "by another name"), 1);
    TAP_IS(value_of(ref), -FEVER_EAPP, "it fails");
    e = rt_error(ref);
    TAP_TEXT(e.task, "by another name", "the error has the task's name");
    fever_release(ref);
    ref = is_called_with(FEVER_WITH(.name = "by another name", .max_retries = FEVER_NO_RETRY), 2);
    TAP_IS(value_of(ref), -FEVER_ECRASHED, "it dies");
    e = rt_error(ref);
    TAP_TEXT(e.task, "by another name", "that error, too");
    other = plain_with(FEVER_WITH(.after = &ref, .n_after = 1, .name = "dependent"), 1);
    TAP_IS(value_of(other), -FEVER_ECRASHED, "what depends on it fails");
    e = rt_error(other);
    TAP_TEXT(e.task, "by another name", "with the name of where it began");
    fever_release(other);
    fever_release(ref);
}

static void test_env(void)
{
    static const char *const a[] = {"FEVER_T_A=1", "FEVER_T_B=2", NULL}, *const twice[] = {"FEVER_T_C=1", "FEVER_T_C=2", NULL},
                             *const equals[] = {"FEVER_T_D=5=6", NULL}, *const empty[] = {"FEVER_T_E=", NULL};
    struct {
        char letter;
        const char *const *env;
        int with, without;
    } t[] = {{'A', a, 1, UNSET}, {'B', a, 2, 9}, {'C', twice, 2, UNSET}, {'D', equals, 5, UNSET}, {'E', empty, 0, 8}, {'F', empty, UNSET, UNSET}};
    fever_ref ref;

    for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++)
        for (int round = 0; round < 3; round++) {
            ref = variable_with(round == 1 ? FEVER_WITH(.env = t[i].env) : NULL, t[i].letter);
            TAP_IS(value_of(ref), round == 1 ? t[i].with : t[i].without, "FEVER_T_%c %s", t[i].letter,
                   round == 1 ? "is set" : round == 0 ? "before" : "is as it was");
            fever_release(ref);
        }
    ref = spoils_variable_with(FEVER_WITH(.env = a));
    TAP_IS(value_of(ref), 0, "a body changes its variables");
    fever_release(ref);
    ref = variable_remote('A');
    TAP_IS(value_of(ref), UNSET, "they are put back all the same: one that was not there");
    fever_release(ref);
    ref = variable_remote('B');
    TAP_IS(value_of(ref), 9, "and one that was");
    fever_release(ref);
    ref = dies_with_variable_with(FEVER_WITH(.env = a, .max_retries = FEVER_NO_RETRY));
    TAP_IS(value_of(ref), -FEVER_ECRASHED, "a body dies with its variables");
    fever_release(ref);
    ref = variable_remote('A');
    TAP_IS(value_of(ref), UNSET, "the new process has none of them");
    fever_release(ref);
}

static void test_max_calls(void)
{
    enum { N = 12 };
    int pid[N], same = 0, runs = 1;
    uint64_t deaths = rt_stats().worker_deaths;
    fever_ref ref;

    for (int i = 0; i < N; i++) {
        ref = pid_of_worker_with(FEVER_WITH(.max_calls = 1));
        pid[i] = value_of(ref);
        fever_release(ref);
        for (int k = 0; k < i; k++)
            same += pid[k] == pid[i];
    }
    TAP_IS(same, 0, "max_calls 1: a new process for each");
    for (int i = 0; i < N; i++) {
        ref = pid_of_worker_with(FEVER_WITH(.max_calls = 3));
        pid[i] = value_of(ref);
        fever_release(ref);
    }
    for (int i = 0; i < N; i++) {
        int n = 0;
        for (int k = 0; k < N; k++)
            n += pid[k] == pid[i];
        if (n > runs)
            runs = n;
    }
    TAP_OK(runs <= 3, "max_calls 3: no process runs more than three, here %d", runs);

    fever_ref many[200];
    for (int i = 0; i < 200; i++)
        many[i] = i % 10 == 0 ? pid_of_worker_with(FEVER_WITH(.max_calls = 1)) : plain_remote(i);
    for (int i = 0; i < 200; i++) {
        if (value_of(many[i]) < 0)
            TAP_OK(false, "number %d of a mixture", i);
        fever_release(many[i]);
    }
    TAP_OK(true, "among others: what was in the batch of one that left is run");

    atomic_store(&shared->go, 0);
    ref = parent_with(FEVER_WITH(.max_calls = 1), 50);
    int who = value_of(ref);
    TAP_OK(who > 0, "a worker leaves behind a task that nobody waits for");
    TAP_OK(rt_until(&shared->pid[50], 1), "it is run");
    TAP_OK(who != atomic_load(&shared->pid[50]), "elsewhere");
    atomic_store(&shared->go, 1);
    fever_release(ref);

    ref = failing_pid_with(FEVER_WITH(.max_calls = 1, .retry_on = FEVER_RETRY_ALL), 52);
    TAP_IS(value_of(ref), 0, "with retries");
    TAP_OK(atomic_load(&shared->pid[52]) != atomic_load(&shared->pid[53]) && atomic_load(&shared->pid[53]) != atomic_load(&shared->pid[54]) &&
           atomic_load(&shared->pid[52]) != atomic_load(&shared->pid[54]), "each attempt has a new process");
    fever_release(ref);
    TAP_IS(rt_stats().worker_deaths, deaths, "none of these counts as a death");
}

/* Its worker dies while it waits for its time, and other workers die. */
static void test_death_in_back_off(void)
{
    fever_ref ref = flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .retry_delay_s = 0.3), 43, 1, 9), killed[4];
    double begin;

    TAP_OK(rt_until(&shared->begun[43], 1), "it has begun");
    begin = atomic_load(&shared->at[43][0]);
    for (int i = 0; i < 4; i++) {
        killed[i] = waits_to_die_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 44 + i);
        if (rt_until(&shared->begun[44 + i], 1))
            while (atomic_load(&shared->pid[44 + i]) == 0)
                rt_nap();
        kill(atomic_load(&shared->pid[44 + i]), SIGKILL);
        TAP_IS(value_of(killed[i]), -FEVER_ECRASHED, "a worker dies meanwhile");
        fever_release(killed[i]);
    }
    TAP_IS(value_of(ref), 2, "it is found again, and only its own attempts are charged");
    TAP_OK(rt_now() - begin >= 0.3, "not before its time");
    fever_release(ref);
}

int main(void)
{
    rt_begin(120);
    shared = rt_shared(sizeof *shared);
    setenv("FEVER_T_B", "9", 1);
    setenv("FEVER_T_E", "8", 1);
    rt_init(.workers = 2);
    test_values();
    test_struct_sizes();
    test_retry();
    test_back_off();
    test_let_go();
    test_death_in_back_off();
    test_name();
    test_env();
    test_max_calls();
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();

    memset(shared, 0, sizeof *shared);
    rt_init(.inline_tasks = 1);
    fever_ref ref = flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .retry_delay_s = 0.05), 0, 2, 9);
    TAP_IS(value_of(ref), 3, "inline: repeated");
    TAP_OK(atomic_load(&shared->at[0][2]) - atomic_load(&shared->at[0][0]) >= 0.15, "inline: with back-off");
    fever_release(ref);
    rt_shutdown();
    return tap_done();
}
