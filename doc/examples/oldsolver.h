/* oldsolver.h: an epidemic solver of the old school, as one inherits them.
 *
 * Integrates S' = -b S I / N, I' = b S I / N - g I by the method of Kutta and Merson and gives the
 * number of the infected at the end of each day.  Fortran 77 in the clothes of C: one static work
 * array, arguments by address, no error returns.  Neither thread-safe nor reentrant, and
 * there are parameters for which it divides by zero, overruns its array, or never ends; oldsolver.c
 * says which.  The influenza example runs it as it is.
 */
#ifndef OLDSOLVER_H
#define OLDSOLVER_H

/* beta, gamma: rates per day; pop: N; y0: infected on day 0; yday[0 .. nday): infected on days 1 .. nday */
void sirsol(const double *beta, const double *gamma, const double *pop, const double *y0, const int *nday, double *yday);

#endif
