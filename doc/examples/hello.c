/* hello.c: a complete program.  Integrates 4 / (1 + x^2) from 0 to 1 in eight tasks. */
#include <fever.h>

FEVER_TASK(double, integrate, (double, lo), (double, hi), (long, n))
{
    double h = (hi - lo) / n, sum = 0;
    for (long i = 0; i < n; i++)
        sum += h * 4 / (1 + (lo + h * (i + 0.5)) * (lo + h * (i + 0.5)));
    return sum;
}

int main(void)
{
    double    part[8], pi = 0;
    fever_ref refs[8];
    int       rc = fever_init(NULL);

    for (int i = 0; i < 8; i++)
        refs[i] = integrate_remote(i / 8.0, (i + 1) / 8.0, 1000000);
    if (rc < 0 || (rc = fever_get_many(refs, 8, part, FEVER_FOREVER)) < 0)
        return fprintf(stderr, "hello: %s\n", fever_strerror(rc)), 1;
    for (int i = 0; i < 8; i++)
        pi += part[i];
    printf("pi = %.10f\n", pi);
    return fever_shutdown() < 0;
}
