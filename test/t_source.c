/* t_source.c: objects that are dropped and read again from the file that they were loaded from; what happens when it has changed. */
#include "spill.h"

#define STORE (8 * MIB)
#define BIG   (3 * MIB + 1234)

static unsigned char *room;
static char           folder[] = "/tmp/fever-source-XXXXXX";

/* A file that is old enough, or is not. */
static void write_file(const char *name, size_t bytes, uint64_t seed, bool old)
{
    struct timespec times[2] = {{1000000000, 0}, {1000000000 + (time_t)seed, 5}};
    int             fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    spill_fill(room, bytes, seed);
    if (!old)
        times[0].tv_sec = times[1].tv_sec = time(NULL) + 3600; /* however long it takes until it is loaded */
    if (fd < 0 || write(fd, room, bytes) != (ssize_t)bytes || futimens(fd, times) != 0)
        tap_bail("cannot write %s", name);
    close(fd);
}

static fever_ref load(const char *name, uint64_t offset, uint64_t bytes)
{
    fever_ref ref = FEVER_NULL_REF;

    if (fever_load(name, FEVER_LOAD(.offset = offset, .bytes = bytes, .source_stays = 1), &ref) != 0 || fever_wait_one(ref, 60) != 0)
        tap_diag("%s is not loaded", name);
    return ref;
}

static unsigned where(fever_ref ref) { return fv_residence(fv_load_acquire_64(&fv_task(fv_ref_index(ref.id))->result[0])); }

/* Nothing else has room beside this. */
static void push_out(fever_ref ref)
{
    fever_ref all = FEVER_NULL_REF;
    int       rc = spill_put(STORE - MIB / 4, 1, &all);

    if (rc != 0 || where(ref) != FV_AWAY)
        tap_diag("it does not go: %s, %u", rc != 0 ? fever_strerror(rc) : "", where(ref));
    fever_release(all);
}

static void start(const char *dirs)
{
    rt_init(.workers = 1, .store_bytes = STORE, .spill_dirs = dirs, .spill_at = 100);
}

/* Nothing can be written to disk: that they come and go is all by their files. */
static void test_drop(void)
{
    enum { N = 6 };
    fever_ref ref[N], part, other;
    char      name[16];
    int       wrong = 0;

    start("none");
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        write_file(name, BIG, (uint64_t)i + 1, true);
        ref[i] = load(name, 0, 0);
    }
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < N; i++)
            wrong += spill_read(ref[i], room, BIG, (uint64_t)i + 1) != 0;
    TAP_IS(wrong, 0, "18 MiB of files in a store of 8 MiB, read three times, byte for byte");
    TAP_OK(spill_books()->restored_objects >= 10 && spill_books()->spilled_objects == 0 && spill_books()->lost_objects == 0,
           "%llu times read again, never written", (unsigned long long)spill_books()->restored_objects);
    part = load("file-0", 777, MIB + 1);
    push_out(part);
    TAP_IS(where(part), FV_AWAY, "a part of a file goes");
    memset(room, 0, MIB + 1);
    TAP_IS(fever_get_raw(part, room, MIB + 1, 0, 60), 0, "and comes back");
    uint64_t sum = fever_checksum(room, MIB + 1);
    spill_fill(room, BIG, 1);
    TAP_OK(sum == fever_checksum(room + 777, MIB + 1), "byte for byte");
    pid_t keeper = spill_keeper();
    push_out(part);
    kill(keeper, SIGKILL);
    TAP_IS(fever_get_raw(part, room, MIB + 1, 0, 60), 0, "by the keeper's successor, too");
    TAP_OK(fever_checksum(room, MIB + 1) == sum, "byte for byte");
    TAP_IS(rt_validate(), 0, "the books are right");
    for (int i = 0; i < N; i++)
        fever_release(ref[i]);
    fever_release(part);
    TAP_IS(fever_load("file-0", FEVER_LOAD(.source_stays = 2), &other), -FEVER_EINVAL, "an option that there is not");
    TAP_IS(fever_load("file-0", NULL, &other), 0, "without the option");
    TAP_IS(fever_wait_one(other, 60), 0, "one is loaded");
    TAP_IS(spill_put(STORE - MIB / 4, 1, &part), -FEVER_ESTOREFULL, "and does not go");
    fever_release(other);
    rt_balanced(0);
    rt_shutdown();
}

static void cut(const char *name) { TAP_IS(truncate(name, BIG / 2), 0, "cut"); }
static void vanish(const char *name) { TAP_IS(unlink(name), 0, "removed"); }
static void change(const char *name) { write_file(name, BIG, 99, true); }
static void change_unseen(const char *name) /* one byte, and its old time */
{
    struct stat     st;
    int             fd = open(name, O_RDWR | O_CLOEXEC);
    struct timespec times[2];

    TAP_OK(fstat(fd, &st) == 0 && pwrite(fd, "?", 1, BIG / 2) == 1, "one byte");
    times[0] = st.st_atim, times[1] = st.st_mtim;
    futimens(fd, times);
    close(fd);
}
static void become_pipe(const char *name) { TAP_OK(unlink(name) == 0 && mkfifo(name, 0600) == 0, "a pipe in its place"); }
static void become_folder(const char *name) { TAP_OK(unlink(name) == 0 && mkdir(name, 0700) == 0, "a folder in its place"); }
static void touch(const char *name)
{
    struct timespec times[2] = {{0, 0}, {1, 1}};

    TAP_IS(utimensat(AT_FDCWD, name, times, 0), 0, "another time, the same bytes");
}
static void rename_over(const char *name)
{
    write_file("new", BIG, 7, true); /* the same bytes in another file */
    TAP_IS(rename("new", name), 0, "another file with the same bytes");
}

static void test_changed_away(void)
{
    static const struct {
        const char *what;
        void      (*change)(const char *name);
        bool        good;
    } ways[] = {{"cut short", cut, false}, {"removed", vanish, false}, {"other bytes", change, false}, {"one byte, the old time", change_unseen, false},
                {"a pipe", become_pipe, false}, {"a folder", become_folder, false}, {"touched", touch, true}, {"replaced by its like", rename_over, true}};

    start("none");
    for (size_t i = 0; i < FV_COUNT_OF(ways); i++) {
        struct fever_error e;
        char               name[16];
        snprintf(name, sizeof name, "away-%zu", i);
        write_file(name, BIG, 7, true);
        fever_ref ref = load(name, 0, 0);
        push_out(ref);
        ways[i].change(name);
        if (ways[i].good) {
            TAP_IS(spill_read(ref, room, BIG, 7), 0, "%s while it was away: byte for byte", ways[i].what);
        } else {
            TAP_IS(spill_read(ref, room, BIG, 7), -FEVER_ELOST, "%s while it was away: lost", ways[i].what);
            TAP_IS(fever_error(ref, &e), 0, "the error");
            TAP_IS(e.code, FEVER_ELOST, "is that it is lost");
            TAP_OK(strstr(e.text, name) != NULL && strstr(e.text, "/tmp/") != NULL, "and names the file: %s", e.text);
            TAP_IS(spill_read(ref, room, BIG, 7), -FEVER_ELOST, "asked again: lost");
        }
        fever_release(ref);
    }
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
}

/* Before it is dropped: that is no loss. */
static void test_changed_here(void)
{
    start("/tmp");
    write_file("here", BIG, 7, true);
    fever_ref ref = load("here", 0, 0);
    change("here");
    push_out(ref);
    TAP_IS(spill_books()->spilled_objects, 1, "a file that has changed before is no copy: the object is written to disk");
    TAP_IS(spill_read(ref, room, BIG, 7), 0, "and read back, byte for byte");
    fever_release(ref);

    write_file("here", BIG, 8, true);
    ref = load("here", 0, 0);
    push_out(ref);
    TAP_IS(spill_books()->spilled_objects, 1, "one that has not is dropped as it is");
    TAP_IS(spill_read(ref, room, BIG, 8), 0, "and read again");
    TAP_IS(where(ref), FV_CLEAN, "the file is a copy of what is in the store");
    vanish("here");
    push_out(ref);
    TAP_IS(spill_books()->spilled_objects, 2, "not when it is gone before the next time: then it is written");
    TAP_IS(spill_read(ref, room, BIG, 8), 0, "and read back, byte for byte");
    TAP_IS(rt_validate(), 0, "the books are right");
    fever_release(ref);

    write_file("here", BIG, 9, false);
    ref = load("here", 0, 0);
    push_out(ref);
    TAP_IS(spill_books()->spilled_objects, 3, "a file that is so young that its time says nothing is no copy");
    TAP_IS(spill_read(ref, room, BIG, 9), 0, "byte for byte");
    fever_release(ref);
    rt_balanced(0);
    rt_shutdown();
}

int main(void)
{
    char command[100];

    rt_begin(120);
    room = malloc(16 * MIB);
    if (room == NULL || mkdtemp(folder) == NULL || chdir(folder) != 0)
        tap_bail("no folder");
    test_drop();
    test_changed_away();
    test_changed_here();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        tap_diag("%s stays", folder);
    free(room);
    return tap_done();
}
