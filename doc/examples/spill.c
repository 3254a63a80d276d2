/* spill.c: four times as much data as the store has room for.  The program does nothing for it: what nobody reads goes to disk,
 * and comes back when it is wanted.
 *
 * A table of points in pieces: tasks make them, tasks look for the smallest and largest value of each, and then for how many lie in the
 * middle half.  FEVER_SPILL_DIRS says where the disk is. */
#include <fever.h>

#include <stdint.h>
#include <stdlib.h>

#define STORE  (32u << 20)
#define PIECES 64
#define POINTS (256 * 1024) /* of a piece: 2 MiB */

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "spill: %s\n", fever_strerror(rc));
        exit(1);
    }
}

/* A large result, written where it will lie. */
FEVER_TASK_BYTES(make_piece, (int, piece))
{
    double  *x = fever_result(POINTS * sizeof *x);
    uint64_t s = (uint64_t)piece * 2654435761u + 1;

    for (long i = 0; x != NULL && i < POINTS; i++) {
        s ^= s << 13, s ^= s >> 7, s ^= s << 17;
        x[i] = piece + (double)(s >> 11) / 9007199254740992.0;
    }
}

struct range {
    double least, most;
};

FEVER_TASK(struct range, range_of, (fever_ref, piece))
{
    const double *x;
    size_t        bytes;
    struct range  r = {0};
    int           rc = fever_view(piece, &x, &bytes); /* waits until it is back from disk */

    if (rc < 0) {
        fever_fail(-rc, "a piece: %s", fever_strerror(rc));
        return r;
    }
    r.least = r.most = x[0];
    for (size_t i = 1; i < bytes / sizeof *x; i++) {
        r.least = x[i] < r.least ? x[i] : r.least;
        r.most = x[i] > r.most ? x[i] : r.most;
    }
    return r;
}

FEVER_TASK(long, count_between, (fever_ref, piece), (double, low), (double, high))
{
    const double *x;
    size_t        bytes;
    long          n = 0;
    int           rc = fever_view(piece, &x, &bytes);

    if (rc < 0) {
        fever_fail(-rc, "a piece: %s", fever_strerror(rc));
        return n;
    }
    for (size_t i = 0; i < bytes / sizeof *x; i++)
        n += x[i] >= low && x[i] < high;
    return n;
}

int main(void)
{
    fever_ref    piece[PIECES], task[PIECES];
    struct range all = {0}, r;
    long         in_the_middle = 0, n;

    must(fever_init(FEVER_OPTIONS(.store_bytes = STORE)));
    for (int i = 0; i < PIECES; i++)
        piece[i] = make_piece_remote(i);
    for (int i = 0; i < PIECES; i++)
        task[i] = range_of_remote(piece[i]);
    for (int i = 0; i < PIECES; i++) {
        must(fever_take(task[i], &r));
        all.least = i == 0 || r.least < all.least ? r.least : all.least;
        all.most = i == 0 || r.most > all.most ? r.most : all.most;
    }

    double quarter = (all.most - all.least) / 4;
    for (int i = PIECES; i-- > 0;) /* the last ones are in the store still */
        task[i] = count_between_remote(piece[i], all.least + quarter, all.most - quarter);
    for (int i = 0; i < PIECES; i++) {
        must(fever_take(task[i], &n));
        in_the_middle += n;
    }
    printf("%d MiB of points through a store of %d MiB: from %.3f to %.3f, %.1f %% in the middle half\n",
           (int)(PIECES * (POINTS * sizeof(double) >> 10) >> 10), (int)(STORE >> 20), all.least, all.most,
           100.0 * (double)in_the_middle / ((double)PIECES * POINTS));
    for (int i = 0; i < PIECES; i++)
        must(fever_release(piece[i]));
    must(fever_shutdown());
    return 0;
}
