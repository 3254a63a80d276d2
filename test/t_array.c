/* t_array.c: objects with a name, a shape, metadata and an alignment of their own; arrays.
 *
 * Run by:          make check.
 */
#include "core/object.h"
#include "rt.h"

struct point { double x, y; };

FEVER_TASK(double, sum_array, (fever_ref, r))
{
    const double *v;
    struct fever_shape shape;
    double sum = 0;
    int rc = fever_view_array(r, &v, &shape);
    if (rc != 0)
        fever_fail(-rc, "no array of double");
    else
        for (size_t i = 0; i < shape.count; i++)
            sum += v[i];
    return sum;
}
FEVER_TASK(fever_ref, makes_array, (size_t, n), (double, value))
{
    fever_ref r = FEVER_NULL_REF;
    double *v;
    if (fever_create_array(n, &v, &r) == 0) {
        for (size_t i = 0; i < n; i++)
            v[i] = value;
        fever_seal(r);
    }
    return r;
}
FEVER_TASK(int, names_and_dies, (int, kilobytes))
{
    char *data;
    fever_ref r;
    if (fever_context()->attempt == 1 && fever_object_create(FEVER_OBJECT(.name = "lost", .meta = "meta", .meta_bytes = 4),
                                                             (size_t)kilobytes * 1024, &data, &r) == 0)
        raise(SIGKILL);
    return 7;
}
typedef struct { float v[100]; } floats;
FEVER_TASK(floats, some_floats, (float, x)) { floats f; for (int i = 0; i < 100; i++) f.v[i] = x + (float)i; return f; }
FEVER_TASK(int, fails, (int, code)) { fever_fail(code, "as asked"); return 0; }
FEVER_TASK(int, answers, (int, n)) { return n; }

static struct fever_object_info info_of(fever_ref r)
{
    struct fever_object_info info = {.struct_bytes = sizeof info};
    int rc = fever_object_info(r, &info);
    TAP_IS(rc, 0, "fever_object_info");
    return info;
}

static void test_arrays(void)
{
    static double v[5000];
    fever_ref r;
    struct fever_shape shape;
    const double *seen;
    const float *f;
    const long *l;
    const char *c;
    double sum = 0;
    for (int i = 0; i < 5000; i++)
        v[i] = i;
    TAP_IS(fever_put_array(v, 5000, &r), 0, "an array is put");
    TAP_IS(fever_view_array(r, &seen, &shape), 0, "and viewed");
    TAP_OK(memcmp(seen, v, sizeof v) == 0 && seen != v, "its elements, in the store");
    TAP_OK(shape.count == 5000 && shape.n_dims == 1 && shape.dims[0] == 5000 && shape.element_bytes == 8 &&
           shape.element_type == FEVER_TYPE_OF(v[0]), "its shape");
    TAP_OK(shape.dims[1] == 0 && shape.dims[7] == 0, "no dimensions beyond");
    TAP_IS(fever_view_array(r, &seen, NULL), 0, "without a shape");
    TAP_IS(fever_view_array(r, &f, &shape), -FEVER_ETYPE, "elements of another size are refused");
    TAP_IS(fever_view_array(r, &l, &shape), -FEVER_ETYPE, "elements of another type and the same size are refused");
    TAP_IS(fever_view_array(r, &c, &shape), -FEVER_ETYPE, "single bytes are refused too");
    TAP_IS(fever_view_array_raw(r, 8, 0, 0, (const void **)&l, NULL), 0, "any type of that size by the raw layer");
    TAP_IS(fever_take(sum_array_remote(r), &sum), 0, "a task reads it");
    TAP_OK(sum == 5000.0 * 4999 / 2, "and sees the elements");
    TAP_IS(fever_release(r), 0, "released");

    TAP_IS(fever_put_array(v, 0, &r), 0, "an empty array");
    TAP_IS(fever_view_array(r, &seen, &shape), 0, "is viewed");
    TAP_OK(shape.count == 0 && shape.n_dims == 1, "and has no elements");
    fever_release(r);
    TAP_IS(fever_put_array(v, 1, &r), 0, "an array of one element, which fits its slot");
    TAP_IS(fever_view_array(r, &seen, &shape), 0, "is viewed");
    TAP_OK(shape.count == 1 && seen[0] == 0, "and has one");
    fever_release(r);

    struct point p[3] = {{1, 2}, {3, 4}, {5, 6}};
    const struct point *q;
    TAP_IS(fever_put_array(p, 3, &r), 0, "an array of structs");
    TAP_IS(fever_view_array(r, &q, &shape), 0, "is viewed");
    TAP_OK(shape.count == 3 && q[2].y == 6, "in order");
    TAP_IS(fever_view_array(r, &seen, &shape), -FEVER_ETYPE, "and is none of double");
    fever_release(r);

    fever_ref inner, outer = makes_array_remote(300, 0.5);
    TAP_IS(fever_get(outer, &inner), 0, "a task makes one");
    TAP_IS(fever_view_array(inner, &seen, &shape), 0, "which the driver views");
    TAP_OK(shape.count == 300 && seen[299] == 0.5, "with its elements");
    fever_release(outer);
    TAP_IS(fever_view_array(inner, &seen, &shape), -FEVER_ESTALE, "and which is gone with the result that it lies in");

    /* what does not say what it is made of */
    TAP_IS(fever_put(v, 24, &r), 0, "plain bytes");
    TAP_IS(fever_view_array(r, &seen, &shape), 0, "are an array of whatever fits");
    TAP_OK(shape.count == 3 && shape.n_dims == 1 && shape.dims[0] == 3 && shape.element_bytes == 8, "of one dimension");
    fever_release(r);
    TAP_IS(fever_put(v, 25, &r), 0, "25 bytes");
    TAP_IS(fever_view_array(r, &seen, &shape), -FEVER_ETYPE, "are no array of double");
    fever_release(r);
    r = some_floats_remote(2);
    TAP_IS(fever_view_array(r, &f, &shape), 0, "so is a result");
    TAP_OK(shape.count == 100 && f[99] == 101, "of 100 float");
    fever_release(r);
    r = fails_remote(3);
    TAP_IS(fever_view_array(r, &f, &shape), -FEVER_EAPP, "a failed task's error");
    fever_release(r);
}

static void test_info(void)
{
    static double grid[20][30];
    static char meta[FEVER_META_MOST];
    fever_ref r;
    struct fever_shape shape;
    const double *seen;
    for (int i = 0; i < 20; i++)
        for (int k = 0; k < 30; k++)
            grid[i][k] = i * 100 + k;
    for (size_t i = 0; i < sizeof meta; i++)
        meta[i] = (char)i;
    TAP_IS(fever_object_put(FEVER_OBJECT(.name = "grid", .shape = FEVER_SHAPE(grid[0][0], 20, 30), .meta = meta, .meta_bytes = sizeof meta),
                            grid, sizeof grid, &r), 0, "a grid with name, shape and metadata");
    struct fever_object_info info = info_of(r);
    TAP_TEXT(info.name, "grid", "its name");
    TAP_OK(info.bytes == sizeof grid && info.sealed && info.alignment == 64, "its size; sealed");
    TAP_OK(info.shape.n_dims == 2 && info.shape.dims[0] == 20 && info.shape.dims[1] == 30 && info.shape.count == 600, "its shape");
    TAP_OK(info.meta_bytes == sizeof meta && memcmp(info.meta, meta, sizeof meta) == 0 && info.meta != (void *)meta, "its metadata");
    TAP_IS(fever_view_array(r, &seen, &shape), 0, "viewed");
    TAP_OK(shape.n_dims == 2 && shape.dims[1] == 30 && seen[19 * 30 + 29] == 1929, "in two dimensions");
    struct fever_shape again = shape;
    fever_release(r);
    TAP_IS(fever_object_put(FEVER_OBJECT(.shape = again), grid, sizeof grid, &r), 0, "a shape that was given out is taken back");
    info = info_of(r);
    TAP_OK(info.name[0] == '\0' && info.meta == NULL && info.shape.count == 600, "no name, no metadata");
    fever_release(r);
    TAP_IS(fever_object_put(FEVER_OBJECT(.shape = {.element_bytes = 8}), grid, sizeof grid, &r), 0, "one dimension is what it has when it does not say");
    info = info_of(r);
    TAP_OK(info.shape.n_dims == 1 && info.shape.dims[0] == 600, "as long as its bytes say");
    fever_release(r);

    TAP_IS(fever_put(grid, 10, &r), 0, "a plain small object");
    info = info_of(r);
    TAP_OK(info.bytes == 10 && info.shape.element_bytes == 0 && info.name[0] == '\0' && info.meta == NULL, "has a size and nothing else");
    struct fever_object_info old = {.struct_bytes = offsetof(struct fever_object_info, name), .name = "untouched"};
    TAP_IS(fever_object_info(r, &old), 0, "a caller of an older header");
    TAP_OK(old.bytes == 10 && strcmp(old.name, "untouched") == 0, "gets what it has room for");
    fever_release(r);

    char *data;
    TAP_IS(fever_object_create(FEVER_OBJECT(.name = "open"), 100000, &data, &r), 0, "created with a name");
    info = info_of(r);
    TAP_OK(!info.sealed && info.bytes == 100000 && strcmp(info.name, "open") == 0, "not sealed yet");
    memset(data, 7, 100000);
    TAP_IS(fever_seal(r), 0, "sealed");
    TAP_OK(info_of(r).sealed, "and says so");
    fever_release(r);
    TAP_IS(fever_object_create(FEVER_OBJECT(.name = "given up"), 100000, &data, &r), 0, "created");
    TAP_IS(fever_abort(r), 0, "and given up");
    TAP_IS(fever_object_info(r, &info), -FEVER_EABORTED, "it has failed");
    fever_release(r);

    r = answers_remote(5);
    TAP_IS(fever_wait_one(r, RT_LONG), 0, "a result");
    info = info_of(r);
    TAP_OK(info.bytes == sizeof(int) && info.name[0] == '\0', "is known by its size");
    fever_release(r);
    fever_ref p;
    fever_promise(&p);
    TAP_IS(fever_object_info(p, &info), -FEVER_ESTATE, "of a promise that is not set there is nothing to know");
    fever_promise_set(p, grid, 80);
    TAP_IS(fever_object_info(p, &info), 0, "later there is");
    TAP_IS(info.bytes, 80, "its size");
    fever_release(p);
}

static void test_alignment(void)
{
    static char bytes[200000];
    fever_ref r[32];
    int n = 0;
    bool aligned = true, right = true;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    static const size_t sizes[] = {1, 100, 5000, 65536, 200000};
    for (size_t a = 128; a <= FEVER_ALIGNMENT_MOST; a *= 8)
        for (size_t k = 0; k < FV_COUNT_OF(sizes); k++) {
            const char *v;
            size_t got;
            if (sizes[k] <= 16) /* those lie in their slot */
                continue;
            if (fever_object_put(FEVER_OBJECT(.alignment = a), bytes, sizes[k], &r[n]) != 0 || fever_view(r[n], &v, &got) != 0)
                break;
            aligned &= (uintptr_t)v % a == 0;
            right &= got == sizes[k] && memcmp(v, bytes, got) == 0;
            n++;
        }
    TAP_IS(n, 16, "objects of four sizes and four alignments");
    TAP_OK(aligned, "each aligned as asked");
    TAP_OK(right, "each with its bytes");
    TAP_IS(rt_validate(), 0, "the books are right");
    while (n > 0)
        fever_release(r[--n]);
    char *data;
    TAP_IS(fever_object_create(FEVER_OBJECT(.alignment = 4096), 10, &data, &r[0]), 0, "a small one is created");
    TAP_OK((uintptr_t)data % 4096 == 0, "on a page");
    fever_seal(r[0]);
    TAP_IS(info_of(r[0]).alignment, 4096, "and remembers it");
    fever_release(r[0]);
    TAP_IS(fever_object_put(FEVER_OBJECT(.alignment = 4096), NULL, 0, &r[0]), 0, "an empty one");
    fever_release(r[0]);
    TAP_IS(fever_object_create(FEVER_OBJECT(.alignment = 4096), 0, &data, &r[0]), 0, "an empty one, created");
    TAP_IS(fever_abort(r[0]), 0, "and given up");
    fever_release(r[0]);
    rt_balanced(0);
}

static void test_refs(void)
{
    fever_ref inner, outer;
    int       five = 5, got = 0;
    const fever_ref *seen;
    fever_put(&five, sizeof five, &inner);
    for (size_t bytes = 65528; bytes <= 65544; bytes += 8) { /* the holds lie behind the data, over the end of a chunk or not */
        static fever_ref data[8200];
        data[0] = inner;
        TAP_IS(fever_object_put(FEVER_OBJECT(.name = "outer", .refs = &inner, .n_refs = 1), data, bytes, &outer), 0, "an object with a ref inside");
        TAP_IS(rt_validate(), 0, "the books are right");
        fever_view(outer, &seen, NULL);
        TAP_IS(fever_get(seen[0], &got), 0, "which it keeps alive");
        fever_release(outer);
    }
    fever_release(inner);
    rt_balanced(0);
}

static void test_bad(void)
{
    fever_ref r = FEVER_NULL_REF, stale;
    double    v[4] = {0};
    char      long_name[49], *data;
    struct fever_object_info info = {.struct_bytes = sizeof info};
    memset(long_name, 'x', 48), long_name[48] = '\0';
    fever_put(v, 8, &stale);
    fever_release(stale);
#define REFUSED(error, ...) TAP_IS(fever_object_put(FEVER_OBJECT(__VA_ARGS__), v, sizeof v, &r), -error, #__VA_ARGS__)
    REFUSED(FEVER_EINVAL, .name = long_name);
    REFUSED(FEVER_EINVAL, .alignment = 3);
    REFUSED(FEVER_EINVAL, .alignment = FEVER_ALIGNMENT_MOST * 2);
    REFUSED(FEVER_ENULL, .meta_bytes = 1);
    REFUSED(FEVER_EINVAL, .meta = v, .meta_bytes = FEVER_META_MOST + 1);
    REFUSED(FEVER_ENULL, .n_refs = 1);
    REFUSED(FEVER_ESTALE, .refs = &stale, .n_refs = 1);
    REFUSED(FEVER_EINVAL, .shape = FEVER_SHAPE(v[0], 5));
    REFUSED(FEVER_EINVAL, .shape = FEVER_SHAPE(v[0], 2, 3));
    REFUSED(FEVER_EINVAL, .shape = {.n_dims = 1, .dims = {4}});
    REFUSED(FEVER_EINVAL, .shape = {.element_bytes = 5});
    REFUSED(FEVER_EINVAL, .shape = {.element_bytes = 8, .n_dims = 9});
    REFUSED(FEVER_EINVAL, .shape = {.element_bytes = 8, .count = 3});
    REFUSED(FEVER_EINVAL, .shape = FEVER_SHAPE(v[0], (size_t)1 << 62, 1ull << 62));
    struct fever_object_options small = {.struct_bytes = 1}, wide[2] = {{.struct_bytes = sizeof wide}};
    TAP_IS(fever_object_put(&small, v, 8, &r), -FEVER_EINVAL, "options of no such size");
    TAP_IS(fever_object_put(wide, v, 8, &r), 0, "a wider struct with zeros");
    fever_release(r);
    memset(&wide[1], 1, sizeof wide[1]);
    TAP_IS(fever_object_put(wide, v, 8, &r), -FEVER_EINVAL, "a wider struct with an unknown option");
    TAP_IS(fever_object_put(NULL, v, 8, &r), 0, "no options: a plain put");
    fever_release(r);
    TAP_IS(fever_object_put(NULL, NULL, 8, &r), -FEVER_ENULL, "no data");
    TAP_IS(fever_object_put(NULL, v, 8, NULL), -FEVER_ENULL, "no place for the ref");
    TAP_IS(fever_object_create(FEVER_OBJECT(.refs = &r, .n_refs = 1), 8, &data, &r), -FEVER_EINVAL, "create with refs");
    TAP_IS(fever_object_create_raw(NULL, 8, NULL, &r), -FEVER_ENULL, "create without a place for the data");
    TAP_IS(fever_put_array_raw(v, 4, 0, 0, &r), -FEVER_EINVAL, "elements of no size");
    TAP_IS(fever_put_array_raw(v, (size_t)1 << 62, 8, 0, &r), -FEVER_ETOOBIG, "more bytes than there are");
    TAP_IS(fever_put_array_raw(v, (size_t)1 << 50, 8, 0, &r), -FEVER_ETOOBIG, "more bytes than the store has");
    TAP_IS(fever_view_array_raw(stale, 8, 0, 0, (const void **)&data, NULL), -FEVER_ESTALE, "a view of a stale ref");
    TAP_IS(fever_view_array_raw(FEVER_NULL_REF, 8, 0, 0, (const void **)&data, NULL), -FEVER_ENULL, "a view of none");
    TAP_IS(fever_object_info(stale, &info), -FEVER_ESTALE, "info of a stale ref");
    TAP_IS(fever_object_info(FEVER_NULL_REF, &info), -FEVER_ENULL, "info of none");
    TAP_IS(fever_object_info(stale, NULL), -FEVER_ENULL, "info to nowhere");
    info.struct_bytes = 0;
    TAP_IS(fever_object_info(stale, &info), -FEVER_EINVAL, "info of no such size");
    rt_balanced(0);
}

static void test_death(void)
{
    int v = 0;
    TAP_IS(fever_take(names_and_dies_remote(1), &v), 0, "a task that dies with an unsealed object of its own is repeated");
    TAP_IS(v, 7, "and ends");
    TAP_IS(fever_take(names_and_dies_remote(500), &v), 0, "also with a large one");
    rt_balanced(0);
}

/* In a store that fills up with objects that have options, and is emptied again: none of their blocks is left. */
static void test_full(size_t bytes)
{
    static char data[400000];
    fever_ref   r[2000];
    int         n = 0, rc = 0;
    while (n < 2000 && (rc = fever_object_put(FEVER_OBJECT(.name = "one of many", .meta = data, .meta_bytes = 3000), data, bytes, &r[n])) == 0)
        n++;
    TAP_IS(rc, -FEVER_ESTOREFULL, "the store is full");
    TAP_IS(rt_validate(), 0, "the books are right when it is");
    while (n > 0)
        fever_release(r[--n]);
    rt_balanced(0);
}

int main(void)
{
    rt_begin(100);
    rt_init(.workers = 2, .store_bytes = 64 << 20);
    test_arrays();
    test_info();
    test_alignment();
    test_refs();
    test_bad();
    test_death();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();

    rt_init(.workers = 1, .store_bytes = 1 << 20);
    test_full(20);
    test_full(6000);
    test_full(70000);
    test_full(400000);
    rt_shutdown();
    return tap_done();
}
