/* shmfile.h: the file that holds the segment.
 *
 * Run by:          the driver in fever_init(); fv_shmfile_alloc() by the supervisor's helper.
 * Shared state:    the file itself.  It has a name for some microseconds only.
 * If it dies here: a kill between open and unlink leaves /dev/shm/fever-<pid>-<start time>; the next init of the same
 *                  user sweeps it.
 */
#ifndef FV_SHMFILE_H
#define FV_SHMFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Creates an unnamed, sparse file of so many bytes: mode 0600, close-on-exec.  mode is "shm" (shm_open), "memfd", or
 * "auto": shm_open unless /dev/shm is missing, refuses, or is both tiny (64 MiB or less in all) and smaller than bytes.
 * Returns 0, -FEVER_EOPTION for an unknown mode, -FEVER_ENOROOM where the size is over RLIMIT_FSIZE, or a negative
 * errno value; on failure the reason stands in why. */
int fv_shmfile_create(const char *mode, uint64_t bytes, int *fd_out, bool *is_memfd_out, char *why, size_t why_bytes);

/* Removes the names that dead processes of this user left in /dev/shm; returns how many. */
int fv_shmfile_sweep(void);

/* Allocates the bytes [off, off + len) for good, so that touching them cannot fail.  Returns 0 or a negative errno value, as -ENOSPC. */
int fv_shmfile_alloc(int fd, uint64_t off, uint64_t len);

/* Gives the memory behind the bytes [off, off + len) back; they read as zeros.  Returns 0 or a negative errno value. */
int fv_shmfile_release(int fd, uint64_t off, uint64_t len);

#endif
