/* nodes.c: one machine plays a cluster: three nodes, and tasks that say on which they want to run.
 *
 * FEVER_NODES has the same form: try other nodes with this program.
 */
#include <fever.h>
#include <stdlib.h>
#include <string.h>

struct place {
    char node[40];
};
FEVER_TASK(struct place, where)
{
    struct place p;

    snprintf(p.node, sizeof p.node, "%s", fever_context()->node_name);
    return p;
}

static void show(const char *what, fever_ref r)
{
    struct place p;
    int          rc = fever_get(r, &p);

    printf("%-42s %s\n", what, rc == 0 ? p.node : fever_strerror(rc));
    fever_release(r);
}

int main(void)
{
    struct fever_resource gpu = {"gpu", 1};
    int                   rc = fever_init(FEVER_OPTIONS(.nodes = getenv("FEVER_NODES") != NULL ? NULL : "small*2: cpu=1, zone=west; gpu: cpu=2, gpu=1, zone=east"));

    if (rc < 0)
        return fprintf(stderr, "nodes: %s\n", fever_strerror(rc)), 1;
    show("on small-1:", where_with(FEVER_WITH(.node = "small-1")));
    show("where a gpu is:", where_with(FEVER_WITH(.resources = &gpu, .n_resources = 1)));
    show("with two CPUs:", where_with(FEVER_WITH(.num_cpus = 2)));
    show("in the east:", where_with(FEVER_WITH(.labels = "zone=east")));
    show("not there:", where_with(FEVER_WITH(.labels = "zone!=east")));
    show("with a gpu in the west:", where_with(FEVER_WITH(.labels = "zone=west", .resources = &gpu, .n_resources = 1)));
    return fever_shutdown() < 0;
}
