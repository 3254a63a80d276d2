/* diskfile.h: files on disk that have no name.
 *
 * Run by:          the keeper (spill files); the driver in fever_init() (the file of the fallback).
 * Shared state:    the files themselves.  Nothing is left of them when the last process that has them open ends.
 */
#ifndef FV_PLAT_DISKFILE_H
#define FV_PLAT_DISKFILE_H

#include <stddef.h>
#include <stdint.h>

/* A new one in that folder, for reading and writing, close-on-exec.  Its descriptor or -errno. */
int fv_diskfile_unnamed(const char *dir);

/* A sparse one of so many bytes, in that of the folders (separated by colons) that has the most free space, if space can be set
 * aside in it.  Its descriptor, or -errno, with the reason in why. */
int fv_diskfile_create(const char *dirs, uint64_t bytes, char *why, size_t why_bytes);

#endif
