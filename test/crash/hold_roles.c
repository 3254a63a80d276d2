/* hold_roles.c: core/hold.c for a process that plays several.
 *
 * What a process holds of others stands in a private table of hold.c.  The crash harness acts as supervisor, workers and
 * driver in turn in one process, so it exchanges that table when it changes its role.
 */
#include "core/hold.c"

#include "test/crash/roles.h"

static __typeof__(held) role_held[ROLES];
static bool     ready;
static unsigned current;

void roles_swap_holds(unsigned role) {
    if (!ready) {
        ready = true;
        for (unsigned i = 0; i < ROLES; i++)
            role_held[i] = held;
    }
    role_held[current] = held;
    held = role_held[role];
    current = role;
}
