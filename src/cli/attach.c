/* cli/attach.c: opens the runtimes that a command is about.
 *
 * Run by:          the fever command.
 * Shared state:    read-only mappings of segments.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define ANSWER_MS 1000 /* what a supervisor has to hand out the descriptor */

static void open_one(struct cli_runtime *r) {
    int fd = fv_find_open(&r->found, ANSWER_MS);
    if (fd >= 0)
        fv_obs_open(fd, &r->obs, r->why, sizeof r->why);
    else if (fd == -ESRCH)
        snprintf(r->why, sizeof r->why, "it has no segment that can be found");
    else
        snprintf(r->why, sizeof r->why, "its supervisor does not answer, and its descriptors cannot be read: %s", fever_strerror(fd));
}

int cli_attach(const struct cli *cli, struct cli_runtime **runtimes_out) {
    struct fv_found found[FV_FIND_MAX];
    int n = fv_find_runtimes(geteuid(), cli->pid, found, FV_FIND_MAX), n_open = 0;
    if (n < 0)
        fprintf(stderr, "fever: /proc/net/unix: %s\n", fever_strerror(n));
    if (n <= 0 && cli->pid != 0) { /* the supervisor may be dead, and the driver alive */
        found[0] = (struct fv_found){.driver = cli->pid};
        n = 1;
    }
    struct cli_runtime *r = calloc((size_t)FV_MAX(n, 1), sizeof *r);
    for (int i = 0; i < n && r != NULL; i++) {
        struct cli_runtime *to = &r[n_open];
        memset(to, 0, sizeof *to);
        to->found = found[i];
        open_one(to);
        if (to->obs.head == NULL && cli->pid != 0)
            fprintf(stderr, "fever: process %d: %s\n", (int)cli->pid, to->why);
        else if (to->obs.head == NULL && fv_obs_process_state((uint32_t)found[i].driver, 0) != 0)
            fprintf(stderr, "fever: the runtime of process %d cannot be looked at: %s\n", (int)found[i].driver, to->why);
        n_open += to->obs.head != NULL;
    }
    if (n_open == 0 && cli->pid == 0)
        fprintf(stderr, "fever: no runtime of this user (uid %u) is running\n", (unsigned)geteuid());
    *runtimes_out = r;
    return n_open;
}

struct cli_runtime *cli_attach_one(const struct cli *cli, struct cli_runtime **runtimes_out, int *n_out) {
    int n = *n_out = cli_attach(cli, runtimes_out);
    if (n == 1)
        return *runtimes_out;
    if (n > 1) {
        fprintf(stderr, "fever: %d runtimes are running; choose one by --pid:\n", n);
        for (int i = 0; i < n; i++)
            fprintf(stderr, "  --pid %-8d %s\n", (int)(*runtimes_out)[i].found.driver, (*runtimes_out)[i].obs.head->name);
    }
    return NULL;
}

void cli_detach(struct cli_runtime *runtimes, int n) {
    for (int i = 0; i < n; i++)
        fv_obs_close(&runtimes[i].obs);
    free(runtimes);
}
