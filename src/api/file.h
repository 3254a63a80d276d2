/* api/file.h: what fever_load and fever_save share. */
#ifndef FV_API_FILE_H
#define FV_API_FILE_H

#include <limits.h>

#include "api/api.h"
#include "plat/fileio.h"

/* A path as an argument of a task: whole, and from the root.  Most fit the small definition; the others take the large one. */
#define FV_PATH_SMALL 208u
struct fv_path {
    uint32_t bytes; /* with its 0 */
    char     text[PATH_MAX];
};
/* 0, -ENAMETOOLONG, or the error of getcwd(3). */
int         fv_path_resolve(const char *path, struct fv_path *path_out);
/* For people: all of it, or its end. */
const char *fv_path_shown(const char *path, char shown[80]);

#define FV_FILE_DIRECT (256u << 10) /* files of so many bytes and more go past the page cache */
#define FV_FILE_STEP   (64u << 20)  /* between two looks whether the task is cancelled */

/* Copies a user's options of n bytes, n being their first member, over *wide_out of wide_bytes; false: they cannot be. */
bool fv_file_options(const void *user, size_t n, size_t least, void *wide_out, size_t wide_bytes);
static inline bool fv_verify_is_good(int verify) { return (verify & ~(FEVER_VERIFY_CHECKSUM | FEVER_VERIFY_READ_BACK)) == 0; }

/* Do `bytes` bytes of the file from offset on equal those at data?  0, -errno, -FEVER_ESHORT or -FEVER_ECORRUPT, and the place. */
int fv_file_compare(struct fv_file *file, struct fv_io_queue *queue, uint64_t offset, const void *data, uint64_t bytes, uint64_t *place_out);
/* A queue for a file of that size, or NULL. */
struct fv_io_queue *fv_file_queue(uint64_t bytes);

#endif
