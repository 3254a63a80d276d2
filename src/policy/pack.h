/* policy/pack.h: demands in the order in which they are packed, and which of them fits next.
 *
 * Pure: memory is the caller's.  Used by policy/scale.c; test/t_scale.c compares what comes of it with brute force.
 *
 * A node is filled by going through the list once and taking what fits; filling nodes one after the other so is first fit
 * decreasing.  A tree over the list knows for each stretch the least need of each resource and the node types that any of it
 * may use, so that what cannot fit is passed over in steps of a logarithm: ten thousand demands on a thousand nodes are some ten
 * thousand steps, not ten million.
 */
#ifndef FV_POLICY_PACK_H
#define FV_POLICY_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FV_PACK_NONE UINT32_MAX

struct fv_pack {
    uint32_t  width;     /* resources */
    uint32_t  n, leaves; /* leaves: a power of two */
    uint64_t *need;      /* of item i: need[i * width ...] */
    uint64_t *types;     /* bit t: it may run on nodes of type t */
    uint64_t *key;       /* large ones go first, of equal ones in the order in which they were added */
    uint32_t *left;      /* how many of it are not placed yet */
    uint32_t *id;        /* the caller's number of it */
    uint32_t *scratch;
    uint64_t *least;     /* of tree node x: least[x * width ...]; UINT64_MAX where nothing is left */
    uint64_t *any;       /* of tree node x: types of all that is left */
};

/* Bytes of memory for so many items. */
size_t fv_pack_bytes(uint32_t n, uint32_t width);
/* An empty list in that memory, which must be aligned for uint64_t. */
void   fv_pack_open(struct fv_pack *p, void *memory, uint32_t n_max, uint32_t width);
void   fv_pack_add(struct fv_pack *p, const uint64_t *need, uint64_t types, uint64_t key, uint32_t n, uint32_t id);
/* Sorts, and builds the tree; nothing is added after it. */
void   fv_pack_close(struct fv_pack *p);
/* The first item from `from` on of which something is left that fits into `free` on a node of that type, or FV_PACK_NONE. */
uint32_t fv_pack_next(const struct fv_pack *p, uint32_t from, const uint64_t *free, uint32_t type);
/* How many of what is left of it fit. */
uint32_t fv_pack_fit(const struct fv_pack *p, uint32_t item, const uint64_t *free);
void     fv_pack_take(struct fv_pack *p, uint32_t item, uint32_t n);

#endif
