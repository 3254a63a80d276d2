/* run/spillfile.h: the files of the disk that hold objects, and how they reach the supervisor and a new keeper.
 *
 * Used by the keeper alone, but for struct fv_spill_note.  A place of a file is a word: number of the file 16 | offset in it in
 * units of 4 KiB 48, as in struct fv_task_cold.
 */
#ifndef FV_RUN_SPILLFILE_H
#define FV_RUN_SPILLFILE_H

#include "plat/fileio.h"
#include "shm/layout.h"

#define FV_SPILL_UNIT 4096u

/* Between keeper and supervisor, over a socket that keeps messages apart. */
enum fv_spill_what {
    FV_SPILL_NEW = 1, /* to the supervisor: a file, its descriptor comes along; it says the same back when it has it */
    FV_SPILL_REFUSED, /* to the keeper: it could not keep it */
    FV_SPILL_CLOSE    /* to the supervisor: nobody needs it any more */
};
struct fv_spill_note {
    uint32_t what, file;
};

/* dirs: as the option; limit: bytes of all files; control: the keeper's end of the socket; fd: descriptors that the supervisor
 * has of a former keeper, by file, -1: none.  What these have is only read.  RLIMIT_NOFILE says how many files there may be.  The number
 * of directories. */
int  fv_spill_open(const char *dirs, uint64_t limit, int control, const int *fd);
/* A place for so many bytes, in a file that the supervisor has too; made if there is none.  0 or -errno: EDQUOT: over the limit; ENOSPC, or what
 * that says: no directory has room; EMFILE: not one file can be had; EFBIG: RLIMIT_FSIZE. */
int  fv_spill_reserve(uint64_t bytes, uint64_t *copy_out);
/* Why the last one failed. */
const char *fv_spill_why(void);
/* Gives it back; the last one in a file closes it. */
void fv_spill_release(uint64_t copy, uint64_t bytes);
/* A former keeper's place, found in a task slot; false: there is no such file. */
bool fv_spill_found(uint64_t copy, uint64_t bytes);
/* All such have been found: what else is in those files is given back to the file system. */
struct fv_spill_span {
    uint64_t copy, bytes;
};
void fv_spill_settle(struct fv_spill_span *spans, uint32_t n);
/* Could something be written at all, as far as is known? */
bool fv_spill_is_possible(void);
/* A request for that place: bytes at `at`, up to the end of the last unit. */
struct fv_io fv_spill_io(uint64_t copy, bool write, void *at, uint64_t bytes);
/* Would so many bytes more in that file leave free what is to stay free of its file system? */
bool fv_spill_leaves_enough(int fd, uint64_t bytes);
/* There is no more room on disk, for a while. */
void fv_spill_full(void);
/* The runtime ends: returns when the supervisor has let go of all files, so that it does not wait until their space is given back. */
void fv_spill_farewell(void);
/* A write to it failed with -errno: its directory is left alone for a while. */
void fv_spill_failed(uint64_t copy, int error);

#endif
