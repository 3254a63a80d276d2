/* cli/main.c: the fever command: reads the command line, calls the command.
 *
 * Run by:          whoever wants to know what a runtime does.
 * Shared state:    none; the commands read segments through obs/, and write nothing.
 * If it dies here: nobody notices.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* A page of the segment that cannot be had: /dev/shm is full, or the file was cut. */
static void on_bus_error(int signal) {
    static const char text[] = "fever: the segment cannot be read (SIGBUS): is /dev/shm full?\n";
    ssize_t           n = write(STDERR_FILENO, text, sizeof text - 1);
    (void)signal, (void)n;
    _exit(CLI_NO_RUNTIME);
}

static bool parse_number(const char *option, const char *text, long least, long *number_out) {
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < least || n > 1000000000) {
        fprintf(stderr, "fever: --%s takes a number from %ld on, not '%s'\n", option, least, text);
        return false;
    }
    *number_out = n;
    return true;
}

/* how many words may follow the command */
static int words_of(const char *command) {
    if (strcmp(command, "simulate") == 0)
        return 2;
    return strcmp(command, "list") == 0 || strcmp(command, "help") == 0;
}

static int run(const struct cli *cli, const char *command, const char *word, const char *second) {
    if (strcmp(command, "status") == 0)
        return cli_status(cli);
    if (strcmp(command, "list") == 0)
        return cli_list(cli, word);
    if (strcmp(command, "memory") == 0)
        return cli_memory(cli);
    if (strcmp(command, "stack") == 0)
        return cli_stack(cli);
    if (strcmp(command, "metrics") == 0)
        return cli_metrics(cli);
    if (strcmp(command, "options") == 0)
        return cli_options(cli);
    if (strcmp(command, "simulate") == 0)
        return cli_simulate(cli, word, second);
    if (strcmp(command, "help") == 0)
        return cli_help(word);
    fprintf(stderr, "fever: there is no command '%s'; fever --help names them\n", command);
    return CLI_USAGE;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},           {"pid", required_argument, NULL, 'p'}, {"limit", required_argument, NULL, 'l'},
        {"state", required_argument, NULL, 's'},    {"version", no_argument, NULL, 'v'},   {"help", no_argument, NULL, 'h'},
        {"detail", no_argument, NULL, 'd'},         {"sort", required_argument, NULL, 'o'}, {"group-by", required_argument, NULL, 'g'},
        {"generate", required_argument, NULL, 'G'}, {"policy", required_argument, NULL, 'P'}, {"svg", required_argument, NULL, 'S'},
        {NULL, 0, NULL, 0},
    };
    struct cli cli = {.limit = 1000};
    bool       help = false;
    long       n;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'j': cli.json = true; break;
        case 'p':
            if (!parse_number("pid", optarg, 1, &n))
                return CLI_USAGE;
            cli.pid = (pid_t)n;
            break;
        case 'l':
            if (!parse_number("limit", optarg, 0, &cli.limit))
                return CLI_USAGE;
            cli.limit_is_set = true;
            break;
        case 's': cli.state = optarg; break;
        case 'd': cli.detail = true; break;
        case 'G': cli.generate = optarg; break;
        case 'P': cli.policy = optarg; break;
        case 'S': cli.svg = optarg; break;
        case 'o': cli.sort = optarg; break;
        case 'g': cli.group_by = optarg; break;
        case 'v': printf("fever %s (segment layout %u)\n", FEVER_VERSION, FV_LAYOUT_VERSION); return CLI_OK;
        case 'h': help = true; break;
        default: fprintf(stderr, "fever --help says what there is\n"); return CLI_USAGE;
        }
    const char *command = optind < argc ? argv[optind] : NULL;
    if (help)
        return cli_help(command);
    if (command == NULL) {
        cli_usage(stderr);
        return CLI_USAGE;
    }
    if (argc - optind - 1 > words_of(command)) {
        fprintf(stderr, "fever: '%s' is one word too many; fever help %s\n", argv[optind + 1 + words_of(command)], command);
        return CLI_USAGE;
    }
    if ((cli.sort != NULL || cli.group_by != NULL) && strcmp(command, "memory") != 0) {
        fprintf(stderr, "fever: --sort and --group-by are for fever memory\n");
        return CLI_USAGE;
    }
    if ((cli.generate != NULL || cli.policy != NULL || cli.svg != NULL) && strcmp(command, "simulate") != 0) {
        fprintf(stderr, "fever: --generate, --policy and --svg are for fever simulate\n");
        return CLI_USAGE;
    }
    signal(SIGBUS, on_bus_error);
    int status = run(&cli, command, optind + 1 < argc ? argv[optind + 1] : NULL, optind + 2 < argc ? argv[optind + 2] : NULL);
    return fflush(stdout) != 0 && status == CLI_OK ? CLI_NO_RUNTIME : status;
}
