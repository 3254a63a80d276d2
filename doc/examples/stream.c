/* stream.c: a task that hands out its results one by one, each usable while it goes on.
 *
 * A pipeline of three: one task simulates a signal in blocks, a second one smooths each block, the driver prints. None of them is
 * ever more than a few blocks ahead of the next. */
#include <fever.h>

#include <stdlib.h>

#define LENGTH 1000

struct block {
    int    number;
    double x[LENGTH];
};
struct input { fever_ref stream; };     /* inside a struct, or as an argument of type fever_ref: both are fine */

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "stream: %s\n", fever_strerror(rc));
        exit(1);
    }
}

FEVER_STREAM(struct block, simulate, (int, n))
{
    struct block b;
    double       level = 0;
    uint64_t     noise = 1;
    for (b.number = 0; b.number < n; b.number++) {
        for (int i = 0; i < LENGTH; i++) {
            noise = noise * 6364136223846793005u + 1442695040888963407u;
            level += (double)(int64_t)noise / (double)INT64_MAX;
            b.x[i] = level;
        }
        if (fever_yield(b) == -FEVER_ECANCELED)     /* nobody reads on */
            return;
    }
}

FEVER_STREAM(struct block, smooth, (struct input, in))
{
    struct block b, out;
    int          rc;
    while ((rc = simulate_next(in.stream, &b, FEVER_FOREVER)) == 0) {
        out = b;
        for (int i = 2; i < LENGTH - 2; i++)
            out.x[i] = (b.x[i - 2] + b.x[i - 1] + b.x[i] + b.x[i + 1] + b.x[i + 2]) / 5;
        fever_yield(out);
    }
    if (rc != -FEVER_EEND)
        fever_fail(1, "no more input: %s", fever_strerror(rc));
}

int main(void)
{
    must(fever_init(NULL));
    fever_ref raw = simulate_with(FEVER_WITH(.stream_items = 4), 20);
    fever_ref smoothed = smooth_with(FEVER_WITH(.stream_items = 4), (struct input){raw});
    must(fever_release(raw));       /* the second task holds it */

    fever_ref item;
    int       rc, n = 0;
    while ((rc = fever_stream_next(smoothed, &item, FEVER_FOREVER)) == 0) {
        const struct block *b;
        must(fever_view(item, &b, NULL));       /* where it lies: no copy */
        if (b->number % 5 == 0)
            printf("block %2d begins at %8.3f\n", b->number, b->x[0]);
        must(fever_release(item));
        n++;
    }
    if (rc != -FEVER_EEND)
        must(rc);
    printf("%d blocks\n", n);
    must(fever_release(smoothed));
    return fever_shutdown() < 0;
}
