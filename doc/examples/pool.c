/* pool.c: a model that takes long to build and little to ask, served by a pool of actors; against tasks that build it each time.
 *
 * Each question goes to an actor that is free, or to the first that is.
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
    struct fever_pool *pool;
    fever_ref          answer;
    double             y, sum = 0, again = 0, begin = now();
    if (fever_pool_open(&pool) < 0)
        return 1;
    for (int i = 0; i < N_ACTORS; i++) {
        server_actor a = server_new(42);
        fever_pool_push(pool, a.any);
        fever_actor_release(a.any); /* the pool holds it */
    }
    for (int i = 0; i < N_CALLS; i++)
        fever_pool_call(pool, server_predict, 1.0 / (1 + i));
    while (fever_pool_next_unordered(pool, &answer, FEVER_FOREVER) == 0)
        if (fever_take(answer, &y) == 0)
            sum += y;
    fever_pool_close(pool);
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
