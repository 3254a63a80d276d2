/* main.c: fever-bench, the command.
 *
 * The parent never starts a runtime itself: see series.c.  With --one as the first argument it is the
 * child that does one repetition of one benchmark: see child.c.
 */
#include "bench.h"
#include "series.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct bench_case bench_cases_fever_tasks[], bench_cases_fever_actors[], bench_cases_fever_objects[], bench_cases_fever_runtime[],
    bench_cases_pthread_pool[], bench_cases_fork_mutex[], bench_cases_fork_pipe[], bench_cases_ck_ring[], bench_cases_plain[],
    bench_cases_fever_files[], bench_cases_fever_policy[], bench_cases_dd[];

static const struct bench_case *const case_lists[] = {
    bench_cases_fever_tasks, bench_cases_fever_actors, bench_cases_fever_objects, bench_cases_fever_runtime, bench_cases_pthread_pool, bench_cases_fork_mutex,
    bench_cases_fork_pipe,   bench_cases_ck_ring,       bench_cases_plain,         bench_cases_fever_files, bench_cases_fever_policy, bench_cases_dd, NULL,
};

static const char usage[] =
    "Usage: fever-bench [OPTION...] [NAME...]\n"
    "Measures Fever, and with --peers other task systems in turns with it, in one run.\n"
    "Without a NAME, all benchmarks.\n"
    "\n"
    "  --list          say what there is to measure, and against whom\n"
    "  --peers         measure the peers, too\n"
    "  --json          one JSON object per line and figure\n"
    "  --workers N     so many workers, in place of each benchmark's own number\n"
    "  --reps R        repetitions, each in a process of its own [5; 1 with --quick]\n"
    "  --quick         small sizes, to see that everything works; the figures mean little\n"
    "  --timeout S     seconds after which a repetition is given up [120; 30 with --quick]\n"
    "  --dir FOLDER    where the files of load and save are made [TMPDIR, else /var/tmp]\n"
    "  --plot FILE     draw the figures into FILE, as SVG\n"
    "  --help\n"
    "\n"
    "Exit status: 0, 1 when a benchmark of Fever failed, 2 when the command line is wrong.\n";

static void print_list(void) {
    printf("Benchmarks\n");
    for (const struct bench_row *r = bench_rows; r->name != NULL; r++) {
        printf("  %-12s %s\n", r->name, r->text);
        printf("  %-12s %d worker%s%s%s\n", "", r->workers, r->workers == 1 ? "" : "s", r->peers[0] != '\0' ? "; peers: " : "", r->peers);
    }
    printf("\nImplementations\n");
    for (const struct impl_row *r = impl_rows; r->name != NULL; r++)
        printf("  %-16s %s\n", r->name, r->text);
}

/* A whole number of 1..most, or the program ends. */
static int parse_count(const char *option, const char *text, int most) {
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || v < 1 || v > most) {
        fprintf(stderr, "fever-bench: --%s takes a number from 1 to %d, not \"%s\"\n", option, most, text);
        exit(2);
    }
    return (int)v;
}

static double parse_seconds(const char *text) {
    char  *end;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || !(v > 0 && v < 1e6)) {
        fprintf(stderr, "fever-bench: --timeout takes a number of seconds, not \"%s\"\n", text);
        exit(2);
    }
    return v;
}

int main(int argc, char **argv) {
    static const struct option long_options[] = {
        {"list", no_argument, NULL, 'l'},           {"peers", no_argument, NULL, 'p'},  {"json", no_argument, NULL, 'j'},
        {"workers", required_argument, NULL, 'w'},  {"reps", required_argument, NULL, 'r'}, {"quick", no_argument, NULL, 'q'},
        {"timeout", required_argument, NULL, 't'},  {"plot", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'},
        {"dir", required_argument, NULL, 'd'},      {NULL, 0, NULL, 0},
    };
    struct series_options options = {0};
    const char           *plot = NULL;
    bool                  json = false;
    int                   c;

    if (argc > 1 && strcmp(argv[1], "--one") == 0)
        return bench_child_main(argc, argv, case_lists);
    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (c) {
        case 'l': print_list(); return 0;
        case 'h': fputs(usage, stdout); return 0;
        case 'p': options.peers = true; break;
        case 'j': json = true; break;
        case 'q': options.quick = true; break;
        case 'w': options.workers = parse_count("workers", optarg, 4096); break;
        case 'r': options.reps = parse_count("reps", optarg, SERIES_MAX_REPS); break;
        case 't': options.timeout_s = parse_seconds(optarg); break;
        case 's': plot = optarg; break;
        case 'd': setenv("TMPDIR", optarg, 1); break; /* the children find it there */
        default: fputs("Try fever-bench --help.\n", stderr); return 2;
        }
    }
    if (options.reps == 0)
        options.reps = options.quick ? 1 : 5;
    if (options.timeout_s == 0)
        options.timeout_s = options.quick ? 30 : 120;

    const struct bench_row *chosen[64];
    int                     n = 0;
    for (int i = optind; i < argc; i++) {
        const struct bench_row *row = bench_row(argv[i]);
        if (row == NULL || n == 64) {
            fprintf(stderr, "fever-bench: there is no benchmark \"%s\"; fever-bench --list names them\n", argv[i]);
            return 2;
        }
        chosen[n++] = row;
    }
    if (n == 0)
        for (const struct bench_row *r = bench_rows; r->name != NULL; r++)
            chosen[n++] = r;

    struct run_facts   facts;
    struct measurement ms[64];
    bool               good = true;
    run_facts_collect(&facts);
    if (!json)
        printf("%s; commit %s; medians of %d, in turns%s\n", facts.machine, facts.commit, options.reps,
               options.quick ? "; quick: the figures mean little" : "");
    for (int i = 0; i < n; i++) {
        good &= measurement_run(chosen[i], &options, &ms[i]);
        if (json) {
            report_json(stdout, &ms[i], &facts);
            report_absent(stderr, &ms[i]);
        } else {
            report_table(stdout, &ms[i]);
        }
    }
    if (plot != NULL && plot_write(plot, ms, n, &facts) != 0) {
        fprintf(stderr, "fever-bench: %s: %s\n", plot, strerror(errno));
        good = false;
    }
    for (int i = 0; i < n; i++)
        measurement_free(&ms[i]);
    return good ? 0 : 1;
}
