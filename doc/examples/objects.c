/* objects.c: large data, written in place by many tasks and read in place by many more. */
#include <fever.h>

#include <math.h>
#include <stdlib.h>

#define N 1000000L

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "objects: %s\n", fever_strerror(rc));
        exit(1);
    }
}

/* A parallel loop.  Pointers as arguments do not compile, as the memory of one process means nothing in
 * another; the memory of an object is the exception, with the same address everywhere, so it
 * travels as a number. */
FEVER_FOR(fill, i, (uintptr_t, wave), (double, step))
{
    ((double *)wave)[i] = sin((double)i * step);
}

FEVER_TASK(double, energy, (fever_ref, wave), (long, lo), (long, hi))
{
    const double *x;
    size_t        bytes;
    double        sum = 0;
    int           rc = fever_view(wave, &x, &bytes);
    if (rc < 0 || (size_t)hi > bytes / sizeof *x)
        return fever_fail(1, "no such part of the wave"), 0;
    for (long i = lo; i < hi; i++)
        sum += x[i] * x[i];
    return sum;
}

FEVER_TASK(double, cube_root, (double, x)) { return cbrt(x); }

int main(void)
{
    fever_ref wave, parts[10];
    double   *to, part[10], total = 0;

    must(fever_init(NULL));

    /* create: room for the data; fill it from all workers; seal: from now on nobody can change it */
    must(fever_create(N * sizeof *to, &to, &wave));
    must(fill_for(0, N, 0, (uintptr_t)to, 1e-3));
    must(fever_seal(wave));

    for (int i = 0; i < 10; i++)
        parts[i] = energy_remote(wave, i * N / 10, (i + 1) * N / 10);
    must(fever_get_many(parts, 10, part, FEVER_FOREVER));
    for (int i = 0; i < 10; i++) {
        total += part[i];
        must(fever_release(parts[i]));
    }
    printf("energy of the wave, from %d parts: %.3f\n", 10, total);

    /* view: the driver reads in place as well, as long as it holds the ref */
    const double *seen;
    size_t        bytes;
    must(fever_view(wave, &seen, &bytes));
    printf("%zu bytes, wave[1571] = %.6f\n", bytes, seen[1571]);
    must(fever_release(wave));

    /* map: out[i] = task(in[i]), in order */
    double in[5] = {1, 8, 27, 64, 125}, out[5];
    must(fever_map(cube_root, in, 5, out));
    printf("cube roots: %g %g %g %g %g\n", out[0], out[1], out[2], out[3], out[4]);
    must(fever_shutdown());
    return 0;
}
