/* cli/help.c: the words of fever --help and fever help COMMAND.
 *
 * Run by:          the fever command.
 * Shared state:    none.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
    const char *name, *line, *text;
} commands[] = {
    {"status", "what each runtime does, and what it waits for",
     "usage: fever status [--json] [--pid PID]\n"
     "\n"
     "For each runtime of this user: its processes, what each is doing or waiting for and since when,\n"
     "its tasks and objects by state, the store, deaths and recoveries, and what is unusual about it.\n"
     "How long a task has been running is known only for tasks with a time limit.\n"},
    {"list", "list nodes, workers, tasks, actors or objects",
     "usage: fever list nodes|workers|tasks|actors|objects [--json] [--pid PID] [--limit N] [--state STATE]\n"
     "       fever list tasks --detail [the same options]\n"
     "\n"
     "  nodes     name, its workers, CPUs and resources in use and in all, labels\n"
     "  workers   number, process, CPU, what it is doing, tasks that it ended, how often it was replaced\n"
     "  tasks     ref, name, state, attempt, who runs it, whose it is, what a waiting one waits for\n"
     "  actors    class, name, state, process, restarts, calls begun, calls that wait, how long they wait, holders\n"
     "  objects   objects, promises and results that are kept: size, and how many hold them\n"
     "\n"
     "  --limit N       at most so many rows [1000]; 0: all\n"
     "  --state STATE   only these.  Tasks and objects: pending, running, waiting, done, failed, open,\n"
     "                  freeing.  Workers: running, blocked, idle, standby, starting, looking, stopped, dead.\n"
     "                  Actors: pending (for a process), waiting, delayed, starting, constructing, alive, ending, ended, dead\n"
     "  --detail        tasks: also each attempt that did not end well (when, worker, cause, whether it was charged),\n"
     "                  and where a failed one was\n"
     "\n"
     "HOLDERS counts the processes that hold a ref and the results that contain it.\n"},
    {"memory", "every object: its size, who holds it, where it was made",
     "usage: fever memory [--json] [--pid PID] [--limit N] [--state STATE]\n"
     "                    [--sort size|age|holders|ref | --group-by site|holder|state|kind|name|where]\n"
     "\n"
     "The store in sums, then objects, promises, results of more than 16 bytes and large arguments, one a line:\n"
     "\n"
     "  WHERE     store, disk (spilled), both, fallback (a file: the store was full), slot (16 bytes or less), or lost\n"
     "  AGE       known for objects of 4 KiB and more, and for those with a name, shape or metadata\n"
     "  HELD BY   a process that holds the ref; 'argument of' a task that has not ended; 'inside' an object or result;\n"
     "            'item of' a stream; 'read by' a process that views it, so that it is not spilled; 'waited for by' one\n"
     "            that needs it back from disk\n"
     "  MADE AT   where it was put or created; of a result, where its task is defined\n"
     "\n"
     "  --limit N       at most so many rows [1000]; 0: all\n"
     "  --state STATE   only these: done, open, failed, and for arguments pending, running, waiting\n"
     "  --sort KEY      size [default], age, holders or ref\n"
     "  --group-by KEY  a line a group, with number and bytes; by holder an object counts for each of its holders\n"},
    {"stack", "where each process is now, in functions and lines",
     "usage: fever stack [--json] [--pid PID] [--detail]\n"
     "\n"
     "For each worker and actor that runs a body: the task, and the calls from where it is now out to the body.\n"
     "Each is stopped for about 100 us while its registers and its stack are copied; no signal is sent, and what waits\n"
     "goes on waiting.  It needs what a debugger needs: the same user, and kernel.yama.ptrace_scope=0, or root.\n"
     "\n"
     "  --detail   also the supervisor, the program's threads, and those that are idle, with all calls of the runtime\n"},
    {"metrics", "the numbers of status in Prometheus' text format",
     "usage: fever metrics [--pid PID]\n"
     "\n"
     "For a scraper: run it from the textfile collector of node_exporter, or behind any small server.  Each sample is\n"
     "labelled with the runtime's name and the driver's process.  Names end in _total where a number only grows.\n"},
    {"options", "the options that a program started here would run with",
     "usage: fever options [--json]\n"
     "\n"
     "Every option is an environment variable and a field of struct fever_options.  FROM says whether the\n"
     "value is the default (which may depend on the machine) or comes from the environment.\n"},
    {"simulate", "a cluster and a workload in virtual time: what the autoscaler would do, and why",
     "usage: fever simulate CLUSTER WORKLOAD|--generate SPEC [--policy NAME,...] [--svg FILE] [--limit N] [--json]\n"
     "\n"
     "CLUSTER is a YAML file of node types and options, WORKLOAD a CSV file of tasks: doc/autoscaler.md.\n"
     "Prints each decision with its reason, then how long tasks waited, how much was in use, and node-hours.\n"
     "\n"
     "  --generate SPEC  in place of a workload: poisson,tasks=1000,rate=10,duration=1 s,cpu=1,seed=1\n"
     "                   or bursts,tasks=1000,size=100,every=1 min,duration=1 s,cpu=1,seed=1; all are defaults\n"
     "  --policy NAMES   these policies of the cluster file, side by side; \"policy\" is the file's own options\n"
     "  --svg FILE       plots nodes, demand and CPUs in use over time\n"
     "  --limit N        at most so many decisions [40]; 0: all\n"},
    {"help", "more about a command", "usage: fever help [COMMAND]\n"},
};

void cli_usage(FILE *stream) {
    fprintf(stream, "usage: fever COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < FV_COUNT_OF(commands); i++)
        fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].line);
    fprintf(stream, "\n"
                    "  --json      for programs\n"
                    "  --pid PID   the runtime of that process only\n"
                    "  --version   the version of this tool\n"
                    "  --help      this text\n"
                    "\n"
                    "Looking costs a runtime nothing: its memory is read, never written, and no lock is taken.\n"
                    "Exit status: 0, 1 when there is no runtime to look at, 2 when the command line is wrong.\n");
}

int cli_help(const char *command) {
    if (command == NULL) {
        cli_usage(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < FV_COUNT_OF(commands); i++)
        if (strcmp(command, commands[i].name) == 0) {
            fputs(commands[i].text, stdout);
            return CLI_OK;
        }
    fprintf(stderr, "fever: there is no command '%s'; fever --help names them\n", command);
    return CLI_USAGE;
}
