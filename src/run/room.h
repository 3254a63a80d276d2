/* run/room.h: the data area as the keeper sees it: what lies where, what of it can go, and what is to go. */
#ifndef FV_RUN_ROOM_H
#define FV_RUN_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#define FV_VICTIMS 4096u

struct fv_victim {
    uint32_t index; /* task slot */
};
/* Chunks side by side that belong together. */
struct fv_room_run {
    uint32_t first, chunks;
    uint32_t index, gen; /* of the task slot that they belong to; FV_NO_ROOT: small blocks, or free */
};

/* Memory for what follows; false: there is none. */
bool     fv_room_open(void);
uint64_t fv_room_used_chunks(void);
/* Takes stock of the store, or of the fallback.  last_use: when that object was last seen in use, a count that grows. */
enum fv_room_part {
    FV_ROOM_STORE_CLEAN, /* what has a copy on disk can go */
    FV_ROOM_STORE,       /* what has none can go, too: it is written first */
    FV_ROOM_FILE,        /* the fallback: what has a copy can go */
    FV_ROOM_FILE_NEW     /* the same without the part that is kept for what is read back */
};
void     fv_room_look(uint32_t (*last_use)(uint32_t index, uint32_t gen), enum fv_room_part part);
/* What is to go for an extent of so many bytes.  0: nothing; because there is room, or because too little can go, later_out:
 * just now.  more: what is free already is not enough. */
uint32_t fv_room_choose(uint64_t bytes, bool more, struct fv_victim *victims_out, bool *is_free_out, bool *later_out);
/* The coldest objects, together so many chunks, of which so many have to be written; at most room of them. */
uint32_t fv_room_coldest(uint64_t chunks, uint64_t write_chunks, struct fv_victim *victims_out, uint32_t room);
/* All runs of the last look. */
uint32_t fv_room_runs(const struct fv_room_run **runs_out);

#endif
