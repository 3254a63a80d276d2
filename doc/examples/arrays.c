/* arrays.c: arrays in the store, read in place; an object that knows its shape; who holds what.
 *
 *     FEVER_LEAKS=1 ./arrays      says at the end what was not released
 */
#include <fever.h>
#include <stdio.h>

enum { ROWS = 600, COLUMNS = 800 };

/* One row's sum, without a copy of the grid. */
FEVER_TASK(double, sum_row, (fever_ref, grid), (int, row)) {
    const double       *v;
    struct fever_shape shape;
    double             sum = 0;
    if (fever_view_array(grid, &v, &shape) != 0 || shape.n_dims != 2) {
        fever_fail(1, "not a grid of double");
        return 0;
    }
    for (size_t k = 0; k < shape.dims[1]; k++)
        sum += v[(size_t)row * shape.dims[1] + k];
    return sum;
}

/* An array made in place, by a worker. */
FEVER_TASK(fever_ref, squares, (size_t, n)) {
    fever_ref r = FEVER_NULL_REF;
    double   *v;
    if (fever_create_array(n, &v, &r) == 0) {
        for (size_t i = 0; i < n; i++)
            v[i] = (double)(i * i);
        fever_seal(r);
    }
    return r;
}

int main(void) {
    int rc = fever_init(FEVER_OPTIONS(.store_bytes = 64 << 20));
    if (rc < 0) {
        fprintf(stderr, "fever_init: %s\n", fever_strerror(rc));
        return 1;
    }
    double   *grid, total = 0;
    fever_ref ref, sums[ROWS];
    rc = fever_object_create(FEVER_OBJECT(.name = "grid", .shape = FEVER_SHAPE(*grid, ROWS, COLUMNS), .alignment = 4096),
                             sizeof(double) * ROWS * COLUMNS, &grid, &ref);
    if (rc < 0) {
        fprintf(stderr, "fever_object_create: %s\n", fever_strerror(rc));
        return 1;
    }
    for (int i = 0; i < ROWS * COLUMNS; i++)
        grid[i] = 0.5;
    fever_seal(ref);
    for (int i = 0; i < ROWS; i++)
        sums[i] = sum_row_remote(ref, i);
    for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        fever_take(sums[i], &sum);
        total += sum;
    }
    struct fever_object_info info = {.struct_bytes = sizeof info};
    fever_object_info(ref, &info);
    printf("%s: %zu x %zu, %llu bytes, sum %.0f\n", info.name, info.shape.dims[0], info.shape.dims[1], (unsigned long long)info.bytes, total);
    fever_release(ref);

    fever_ref          outer = squares_remote(1000), inner;
    struct fever_shape shape;
    const double      *v;
    const float       *wrong;
    if (fever_get(outer, &inner) == 0 && fever_view_array(inner, &v, &shape) == 0)
        printf("squares: %zu of them, the last is %.0f; as float: %s\n", shape.count, v[shape.count - 1],
               fever_strerrorname(fever_view_array(inner, &wrong, &shape)));
    fever_release(outer);
    return fever_shutdown() == 0 ? 0 : 1;
}
