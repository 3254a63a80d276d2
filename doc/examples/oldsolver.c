/* oldsolver.c: an epidemic solver of the old school (see oldsolver.h).
 *
 * Everything is kept in W, carved up by hand; STEP and DERIV find their operands there.  Three faults
 * are left in on purpose, each a classic, so that there is something to survive:
 *
 *   1. The first step is chosen by the doubling time, in integers.  Where beta and gamma are
 *      (nearly) equal nothing doubles, and the division is by zero: SIGFPE on x86.
 *   2. The history has room for MAXREC steps, and nobody counts them.  What is left of it is filled up
 *      to record number MAXREC exactly; when there are more already, the filling does not meet its
 *      end and goes on through all memory up to the first page that is not there: SIGSEGV.
 *   3. Above NBEDS patients infection is faster, by a jump.  Across a jump the error per unit step
 *      does not get smaller with the step, so the same smallest step is tried for ever.
 *
 * Source of the method: R. H. Merson, "An operational method for the study of integration processes"
 * (1957).  The faults are ours.
 */
#include "oldsolver.h"

#include <math.h>

#define NEQ    2               /* S and I */
#define MAXREC 1929            /* steps there is room for */
#define NBEDS  594.0           /* above, the sick stay in the dormitories ... */
#define CROWD  1.5             /* ... and infect that much faster */
#define EPS    2.0e-7          /* error allowed per day, boys */
#define HMIN   1.0e-9          /* smallest step, days */
#define HMAX   0.5             /* largest */

/* The work array.  LY: S and I; LTRY: trial values; LK: five slopes; LREC: records of (t, I, I'). */
#define LY     0
#define LTRY   (LY + NEQ)
#define LK     (LTRY + NEQ)
#define LREC   (LK + 5 * NEQ)
#define NW     (LREC + 3 * MAXREC)

static double W[NW];
static double B, G, PN;        /* the parameters, for DERIV */

/* slope number j of the trial values */
static void deriv(double *w, int j)
{
    double s = w[LTRY], i = w[LTRY + 1];
    double b = i > NBEDS ? CROWD * B : B;
    w[LK + NEQ * j] = -b * s * i / PN;
    w[LK + NEQ * j + 1] = b * s * i / PN - G * i;
}

/* one Kutta-Merson step of size h from LY to LTRY; returns the estimate of its error */
static double step(double *w, double h)
{
    double *y = w + LY, *x = w + LTRY, *k = w + LK, err = 0.0;
    int n;

    for (n = 0; n < NEQ; n++)
        x[n] = y[n];
    deriv(w, 0);
    for (n = 0; n < NEQ; n++)
        x[n] = y[n] + h / 3.0 * k[n];
    deriv(w, 1);
    for (n = 0; n < NEQ; n++)
        x[n] = y[n] + h / 6.0 * (k[n] + k[NEQ + n]);
    deriv(w, 2);
    for (n = 0; n < NEQ; n++)
        x[n] = y[n] + h / 8.0 * (k[n] + 3.0 * k[2 * NEQ + n]);
    deriv(w, 3);
    for (n = 0; n < NEQ; n++)
        x[n] = y[n] + h / 2.0 * (k[n] - 3.0 * k[2 * NEQ + n] + 4.0 * k[3 * NEQ + n]);
    deriv(w, 4);
    for (n = 0; n < NEQ; n++) {
        double e = h / 30.0 * fabs(2.0 * k[n] - 9.0 * k[2 * NEQ + n] + 8.0 * k[3 * NEQ + n] - k[4 * NEQ + n]);
        err = e > err ? e : err;
        x[n] = y[n] + h / 6.0 * (k[n] + 4.0 * k[3 * NEQ + n] + k[4 * NEQ + n]);
    }
    return err;
}

/* integrates to tend, a record for each step; returns how many */
static int integ(double *w, double h, double tend)
{
    double t = 0.0, *rec = w + LREC, e;
    int nrec = 0, n;

    w[LTRY] = w[LY];
    w[LTRY + 1] = w[LY + 1];
    for (;;) {
        deriv(w, 0);
        rec[0] = t;
        rec[1] = w[LY + 1];
        rec[2] = w[LK + 1];
        rec += 3;
        nrec++;
        if (t >= tend)
            break;
        while ((e = step(w, h)) > EPS * h)      /* too coarse: again with half the step */
            h = h / 2.0 > HMIN ? h / 2.0 : HMIN;
        t += h;
        w[LY] = w[LTRY];
        w[LY + 1] = w[LTRY + 1];
        if (e < EPS * h / 32.0 && h < HMAX)
            h *= 2.0;
    }
    for (n = nrec; n != MAXREC; n++, rec += 3) {   /* the last record fills the rest */
        rec[0] = rec[-3];
        rec[1] = rec[-2];
        rec[2] = rec[-1];
    }
    return nrec;
}

void sirsol(const double *beta, const double *gamma, const double *pop, const double *y0, const int *nday, double *yday)
{
    const double *r = W + LREC;
    int nrec, ndouble, day;

    B = *beta;
    G = *gamma;
    PN = *pop;
    W[LY] = PN - *y0;
    W[LY + 1] = *y0;

    ndouble = 1386 / (int)((B - G) * 2000.0);  /* doubling time in days: ln 2 / (beta - gamma) */
    nrec = integ(W, ndouble >= 1 ? 0.02 : 0.01, *nday);

    /* cubic through the records on both sides of each day's end */
    for (day = 1; day <= *nday; day++) {
        while (r[3] < day && r < W + LREC + 3 * (nrec - 2))
            r += 3;
        double h = r[3] - r[0], u = (day - r[0]) / h, v = 1.0 - u;
        yday[day - 1] = v * v * (1.0 + 2.0 * u) * r[1] + u * u * (3.0 - 2.0 * u) * r[4] + h * u * v * (v * r[2] - u * r[5]);
    }
}
