/* base/checksum.h: the checksum of files and of what is spilled: 64 bits of XXH3.  checksum.c is the only user of xxHash. */
#ifndef FV_BASE_CHECKSUM_H
#define FV_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t fv_checksum(const void *data, size_t bytes);

#endif
