/* checksum.c: the checksum of files and of what is spilled.
 *
 * Run by every process.  Shared state: none.  xxHash is taken from its header (XXH_INLINE_ALL), so nothing is linked.
 */
#include "base/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t fv_checksum(const void *data, size_t bytes) { return XXH3_64bits(bytes != 0 ? data : "", bytes); }
