/* api/file.c: what fever_load and fever_save share: paths, options, comparing.
 *
 * Run by drivers and by bodies.  Shared state: none.
 */
#include "api/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checksum.h"

#define COMPARE_BYTES (8u << 20) /* read at once, into private memory */

uint64_t fever_checksum(const void *data, size_t bytes) { return data == NULL ? fv_checksum("", 0) : fv_checksum(data, bytes); }

int fv_path_resolve(const char *path, struct fv_path *path_out) {
    size_t own = strnlen(path, PATH_MAX), at = 0;
    if (own == 0)
        return -ENOENT;
    if (path[0] != '/') {
        if (getcwd(path_out->text, sizeof path_out->text - 1) == NULL)
            return errno == ERANGE ? -ENAMETOOLONG : -errno;
        at = strlen(path_out->text);
        if (at > 1)
            path_out->text[at++] = '/';
    }
    if (at + own >= sizeof path_out->text)
        return -ENAMETOOLONG;
    memcpy(path_out->text + at, path, own + 1);
    path_out->bytes = (uint32_t)(at + own + 1);
    return 0;
}

const char *fv_path_shown(const char *path, char shown[80]) {
    size_t n = strlen(path);
    if (n < 80)
        return path;
    memcpy(shown, "...", 3);
    memcpy(shown + 3, path + n - 76, 77);
    return shown;
}

bool fv_file_options(const void *user, size_t n, size_t least, void *wide_out, size_t wide_bytes) {
    if (n < least || n > 65536)
        return false;
    for (size_t i = wide_bytes; i < n; i++)
        if (((const unsigned char *)user)[i] != 0)
            return false; /* an option that this library does not know */
    memcpy(wide_out, user, FV_MIN(n, wide_bytes));
    return true;
}

struct fv_io_queue *fv_file_queue(uint64_t bytes) {
    return bytes < FV_FILE_DIRECT || fv_map.seg->is_poll ? NULL : fv_io_open(FV_IO_DEPTH);
}

int fv_file_compare(struct fv_file *file, struct fv_io_queue *queue, uint64_t offset, const void *data, uint64_t bytes, uint64_t *place_out) {
    unsigned char *at = mmap(NULL, COMPARE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int            rc = 0;
    if (at == MAP_FAILED)
        return -ENOMEM;
    for (uint64_t pos = 0; pos < bytes && rc == 0;) {
        uint64_t             n = FV_MIN(bytes - pos, (uint64_t)COMPARE_BYTES);
        const unsigned char *should = (const unsigned char *)data + pos;
        struct fv_io         io = {.file = file, .is_private = true, .at = at, .bytes = n, .offset = offset + pos};
        rc = fv_io_run(queue, &io, 1);
        if (memcmp(at, should, io.done) != 0) {
            rc = -FEVER_ECORRUPT;
            for (uint64_t i = 0; at[i] == should[i]; i++)
                pos++;
        } else {
            pos += io.done;
            if (rc == 0 && io.done < n)
                rc = -FEVER_ESHORT;
        }
        *place_out = pos;
    }
    munmap(at, COMPARE_BYTES);
    return rc;
}
