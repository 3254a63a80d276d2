/* spill.h: what tests of a store that is too small share: objects whose every byte is known, and the keeper's whereabouts.
 *
 * Run by:          t_spill, t_spill_weather, crash/t_spill_nth, crash/t_keeper.
 */
#ifndef SPILL_H
#define SPILL_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rt.h"

#define MIB (1ull << 20)

RT_UNUSED static uint64_t spill_random(uint64_t *s)
{
    *s ^= *s << 13, *s ^= *s >> 7, *s ^= *s << 17;
    return *s;
}

RT_UNUSED static void spill_fill(void *data, size_t bytes, uint64_t seed)
{
    uint64_t *w = data, x = seed * 0x9E3779B97F4A7C15ull + 1;

    for (size_t i = 0; i < bytes / 8; i++)
        w[i] = spill_random(&x);
    memset((char *)data + bytes / 8 * 8, (int)(seed & 0xFF), bytes % 8);
}

/* Bytes that are not as spill_fill() made them; counts words. */
RT_UNUSED static size_t spill_wrong(const void *data, size_t bytes, uint64_t seed)
{
    const uint64_t *w = data;
    uint64_t        x = seed * 0x9E3779B97F4A7C15ull + 1;
    size_t          wrong = 0;

    for (size_t i = 0; i < bytes / 8; i++)
        wrong += w[i] != spill_random(&x);
    for (size_t i = bytes / 8 * 8; i < bytes; i++)
        wrong += ((const unsigned char *)data)[i] != (seed & 0xFF);
    return wrong;
}

RT_UNUSED static int spill_put(size_t bytes, uint64_t seed, fever_ref *ref_out)
{
    void *data;
    int   rc = fever_create_raw(bytes, &data, ref_out);

    if (rc != 0)
        return rc;
    spill_fill(data, bytes, seed);
    rc = fever_seal(*ref_out);
    return rc != 0 ? rc : fever_view_end(*ref_out);
}

/* Reads it by a copy: 0 when every byte is right, 1 when not, else the error. */
RT_UNUSED static int spill_read(fever_ref ref, void *room, size_t bytes, uint64_t seed)
{
    int rc = fever_get_raw(ref, room, bytes, 0, 60);

    return rc != 0 ? rc : spill_wrong(room, bytes, seed) != 0;
}

RT_UNUSED static struct fv_keeper_state *spill_books(void) { return &fv_map.seg->keeper; }

RT_UNUSED static pid_t spill_keeper(void)
{
    return fv_load_acquire_32(&spill_books()->slot) == 0 ? 0 : (pid_t)fv_load_acquire_32(&fv_proc(fv_rt.keeper_slot)->pid);
}

/* Descriptors of spill files that the supervisor has: opens them for reading and writing; how many, at most room. */
RT_UNUSED static int spill_files(int *fd_out, int room)
{
    char           path[300], to[300];
    int            n = 0;
    struct dirent *e;
    struct stat    fallback = {.st_ino = 0};
    DIR           *d;

    if (fv_map.file_fd >= 0)
        fstat(fv_map.file_fd, &fallback);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)fv_rt.supervisor_pid);
    d = opendir(path);
    while (d != NULL && (e = readdir(d)) != NULL && n < room) {
        struct stat st;
        ssize_t     len;

        snprintf(path, sizeof path, "/proc/%d/fd/%.20s", (int)fv_rt.supervisor_pid, e->d_name);
        if ((len = readlink(path, to, sizeof to - 1)) <= 0)
            continue;
        to[len] = '\0';
        if (strstr(to, "(deleted)") == NULL || strstr(to, "/dev/shm/") != NULL || strstr(to, "memfd:") != NULL)
            continue;
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 && st.st_ino != fallback.st_ino && (fd_out[n] = open(path, O_RDWR | O_CLOEXEC)) >= 0)
            n++;
    }
    if (d != NULL)
        closedir(d);
    return n;
}

#endif
