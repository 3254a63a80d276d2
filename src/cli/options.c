/* cli/options.c: fever options: what a program that is started here and now would get, and from where.
 *
 * Run by:          the fever command.
 * Shared state:    none.
 */
#include <stdio.h>

#include "base/options.h"
#include "cli/cli.h"
#include "plat/machine.h"

int cli_options(const struct cli *cli) {
    static const struct cli_column columns[] = {
        {"variable", "VARIABLE", CLI_TEXT}, {"value", "VALUE", CLI_TEXT}, {"origin", "FROM", CLI_TEXT}, {"doc", "WHAT IT IS", CLI_TEXT}};
    struct fv_options o;
    struct fv_topo    topo;
    struct fv_limits  limits;
    char              why[256] = "", value[64];
    int rc = fv_options_resolve(NULL, &o, why, sizeof why);
    if (rc == 0)
        rc = fv_topo_read(&topo);
    if (rc < 0) {
        fprintf(stderr, "fever: %s\n", why[0] != '\0' ? why : fever_strerror(rc));
        return CLI_NO_RUNTIME;
    }
    fv_limits_read(&limits);
    fv_options_fill(&o, &topo, &limits);
    json_t *rows = json_array();
    for (int i = 0; i < FV_OPTION_COUNT; i++) {
        bool own_name = i == FV_OPTION_name && o.origin[i] == FV_ORIGIN_DEFAULT;
        json_array_append_new(rows, json_pack("{s:s, s:o, s:s, s:s}", "variable", fv_option_env(i), "value",
                                              cli_text(own_name ? "(the program)" : fv_option_text(&o, i, value, sizeof value)), "origin",
                                              fv_origin_name((enum fv_origin)o.origin[i]), "doc", fv_option_doc(i)));
    }
    if (cli->json) {
        cli_print_json(json_pack("{s:o}", "options", rows));
    } else {
        cli_table(rows, columns, FV_COUNT_OF(columns));
        if (topo.note[0] != '\0')
            printf("note: %s\n", topo.note);
        json_decref(rows);
    }
    return CLI_OK;
}
