/* actors.c: state in a process of its own: a running mean that many tasks feed, and an actor that survives a crash. */
#include <fever.h>

#include <math.h>
#include <stdlib.h>

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "actors: %s\n", fever_strerror(rc));
        exit(1);
    }
}

/* State, constructor and methods.  `self` is the state; methods run one at a time, so no lock is needed. */
struct stats {
    long   n;
    double sum;
};
FEVER_ACTOR(struct stats, stats, (double, start))
{
    self->sum = start;
    return 0;                           /* or an error code of your own */
}
FEVER_METHOD_VOID(stats, add, (double, x))
{
    self->n++;
    self->sum += x;
}
FEVER_METHOD(stats, double, mean) { return self->n == 0 ? 0 : self->sum / (double)self->n; }
FEVER_METHOD(stats, long, crash)
{
    abort();
    return self->n;
}

/* A handle is a plain value: tasks get it as an argument.  stats_add_send is a call without a ref. */
FEVER_TASK(int, feed, (stats_actor, to), (int, from), (int, n))
{
    for (int i = 0; i < n; i++)
        must(stats_add_send(to, sin(from + i)));
    double mean;                        /* calls of one caller run in order: this one comes after those above */
    return fever_take(stats_mean_remote(to), &mean);
}

int main(void)
{
    fever_ref          part[4];
    double             mean;
    int                rc;
    struct fever_error e;

    must(fever_init(NULL));

    stats_actor a = stats_new(0.0);
    for (int i = 0; i < 4; i++)
        part[i] = feed_remote(a, 1000 * i, 1000);
    for (int i = 0; i < 4; i++)
        must(fever_take(part[i], &rc));
    must(fever_take(stats_mean_remote(a), &mean));
    printf("mean of 4000 values: %.6f\n", mean);
    must(fever_actor_release(a.any));   /* the last handle: it ends */

    /* one restart: the call in which it died fails, the next one finds a new state */
    a = stats_new_with(FEVER_ACTOR_WITH(.max_restarts = 1), 0.0);
    fever_ref bad = stats_crash_remote(a);
    long      n;
    printf("a crash: %s\n", fever_strerrorname(fever_get(bad, &n)));
    must(fever_release(bad));
    must(fever_take(stats_mean_remote(a), &mean));
    printf("it is back: mean %.1f\n", mean);

    /* no restart is left */
    bad = stats_crash_remote(a);
    rc = fever_get(bad, &n);
    must(fever_error(bad, &e));
    printf("another: %s: signal %d\n", fever_strerrorname(rc), e.signal);
    must(fever_release(bad));
    must(fever_actor_release(a.any));
    must(fever_shutdown());
    return 0;
}
