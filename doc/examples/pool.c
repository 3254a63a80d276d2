/* pool.c: a model that takes long to build and little to ask, served by a pool of actors; against tasks that build it each time.
 *
 * The pool is a row of actors and a free one for each call: whoever answers first is asked next.
 */
#include <fever.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define N_WEIGHTS 200000
#define N_ACTORS  2
#define N_CALLS   200

struct model {
    double weight[N_WEIGHTS];
};

static void build(struct model *m, long seed) /* stands for reading a file, and a factorisation */
{
    for (int i = 0; i < N_WEIGHTS; i++)
        m->weight[i] = sin((double)(seed + i)) / (1 + i);
}

static double ask(const struct model *m, double x)
{
    double y = 0;
    for (int i = 0; i < 1000; i++)
        y = y * x + m->weight[i];
    return y;
}

FEVER_ACTOR(struct model, server, (long, seed)) {
    build(self, seed);
    return 0;
}
FEVER_METHOD(server, double, predict, (double, x)) { return ask(self, x); }

FEVER_TASK(double, build_and_predict, (long, seed), (double, x)) {
    struct model *m = malloc(sizeof *m);
    double        y = NAN;
    if (m == NULL)
        return y;
    build(m, seed);
    y = ask(m, x);
    free(m);
    return y;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void)
{
    int rc = fever_init(NULL);
    if (rc < 0) {
        fprintf(stderr, "fever_init: %s\n", fever_strerror(rc));
        return 1;
    }
    server_actor pool[N_ACTORS];
    fever_ref    busy[N_ACTORS];
    double       y, sum = 0, again = 0, begin = now();
    for (int i = 0; i < N_ACTORS; i++)
        pool[i] = server_new(42);
    for (int i = 0; i < N_CALLS; i++) {
        int at = i;
        if (i >= N_ACTORS) { /* the first that is free */
            bool ready[N_ACTORS] = {false};
            if (fever_wait(busy, N_ACTORS, 1, FEVER_FOREVER, ready) < 1)
                break;
            for (at = 0; at < N_ACTORS - 1 && !ready[at];)
                at++;
            if (fever_take(busy[at], &y) == 0)
                sum += y;
        }
        busy[at] = server_predict_remote(pool[at], 1.0 / (1 + i));
    }
    for (int i = 0; i < N_ACTORS; i++) {
        if (fever_take(busy[i], &y) == 0)
            sum += y;
        fever_actor_release(pool[i].any);
    }
    double served = now() - begin;

    fever_ref r[N_CALLS];
    begin = now();
    for (int i = 0; i < N_CALLS; i++)
        r[i] = build_and_predict_remote(42, 1.0 / (1 + i));
    for (int i = 0; i < N_CALLS; i++)
        if (fever_take(r[i], &y) == 0)
            again += y;
    double rebuilt = now() - begin;
    printf("%d questions to %d actors that have built the model once: %.1f ms\n", N_CALLS, N_ACTORS, 1e3 * served);
    printf("the same, built anew in each task: %.1f ms, %.0f times that\n", 1e3 * rebuilt, rebuilt / served);
    printf("answers %s\n", fabs(sum - again) < 1e-9 ? "agree" : "differ");
    return fever_shutdown() == 0 && fabs(sum - again) < 1e-9 ? 0 : 1;
}
