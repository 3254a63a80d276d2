/* options.h: the one table of all options, and what they resolve to.
 *
 * Run by:          the driver in fever_init(); the command line prints the table.
 * Shared state:    none.  struct fv_options holds no pointers: it may be copied into the segment as it is.
 * Not here:        what the machine decides (workers, sizes): fv_options_fill() in plat/machine.c.
 *
 * For each option the program's field goes before the environment, and the environment before the default.  In
 * struct fever_options 0 means "not given"; a number below 0 turns off what can be turned off (pin, quiet, inline_tasks, max_spares,
 * spin_us).  In the environment 0 means 0, and an empty value means "not given".
 */
#ifndef FV_OPTIONS_H
#define FV_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fever.h"

/* kind     C type      given as
 * COUNT    int         a number; below 0 in the program: 0
 * COUNT32  uint32_t    a number
 * BYTES    uint64_t    a number, or one with suffix K, M, G or T (powers of 1024)
 * MICROS   double      microseconds; below 0 in the program: 0
 * PART     double      a part of a whole, 0 to 1; below 0 in the program: 0
 * CHOICE   char[16]    one of the words in `choices`
 * TEXT     char[48]    any text that fits
 * LIST     char[512]   NAME=NUMBER, separated by commas
 * NODES    char[1024]  see base/nodes.h
 * PATHS    char[512]   paths, separated by colons
 * SWITCH   int         0 or 1 (off, on, no, yes, false, true); -1 is off
 *
 * An empty default is filled in from the machine.  Words of doc are also the manual's.
 *
 *    field          kind     environment            default    least  most                 choices, or what the default is    doc */
#define FV_OPTIONS(X) \
    X(workers,       COUNT,   "FEVER_WORKERS",       "",        1,     4000,                "CPUs this process may use",       "worker processes") \
    X(max_spares,    COUNT,   "FEVER_MAX_SPARES",    "64",      0,     4000,                "",                                "workers that stand in for blocked ones") \
    X(max_actors,    COUNT,   "FEVER_MAX_ACTORS",    "",        0,     4000,                "64, or an eighth of what process_slots leaves",                              "actors that have a process at once") \
    X(store_bytes,   BYTES,   "FEVER_STORE_BYTES",   "",        1 << 20, 1ull << 46,        "30 % of available memory, at most 95 % of free /dev/shm, by share of CPUs", "limit of the object store") \
    X(store_warm,    BYTES,   "FEVER_STORE_WARM",    "",        0,     1ull << 46,          "256 MiB, at most a quarter of the store", "bytes kept resident ahead of demand") \
    X(store_keep,    BYTES,   "FEVER_STORE_KEEP",    "",        0,     1ull << 46,          "store_warm, or a quarter of the store if that is more", "bytes that may stay resident though free; what is beyond that is given back") \
    X(task_slots,    COUNT32, "FEVER_TASK_SLOTS",    "65536",   16,    1u << 20,            "",                                "refs and tasks a thread can have open") \
    X(process_slots, COUNT32, "FEVER_PROCESS_SLOTS", "",        8,     4096,                "256, or more where workers, spares and actors need them", "threads and processes in all") \
    X(spin_us,       MICROS,  "FEVER_SPIN_US",       "50",      0,     1000000,             "",                                "spinning before sleep, in microseconds") \
    X(event,         CHOICE,  "FEVER_EVENT",         "auto",    0,     0,                   "auto uring poll",                 "the supervisor's event loop") \
    X(segment,       CHOICE,  "FEVER_SEGMENT",       "auto",    0,     0,                   "auto shm memfd",                  "where the segment lies: /dev/shm or an unnamed file") \
    X(name,          TEXT,    "FEVER_NAME",          "",        0,     0,                   "the program's name",              "shown by the tools") \
    X(inline_tasks,  SWITCH,  "FEVER_INLINE",        "0",       0,     1,                   "",                                "run every task serially in the driver, for debuggers") \
    X(pin,           SWITCH,  "FEVER_PIN",           "1",       0,     1,                   "",                                "pin workers to CPUs") \
    X(quiet,         SWITCH,  "FEVER_QUIET",         "0",       0,     1,                   "",                                "no warnings on standard error") \
    X(log_to_driver, CHOICE,  "FEVER_LOG",           "prefix",  0,     0,                   "prefix plain direct",             "workers' output: by the driver, each line with or without a prefix, or straight from the worker") \
    X(resources,     LIST,   "FEVER_RESOURCES",     "",        0,     0,                   "none",                            "custom resources for tasks to take, as gpu=2,disk=1.5") \
    X(nodes,         NODES,  "FEVER_NODES",         "",        0,     0,                   "one with all workers and resources", "nodes, in place of workers and resources, as small*2: cpu=4, zone=west; gpu: cpu=2, gpu=1") \
    X(memory_threshold, PART, "FEVER_MEMORY_THRESHOLD", "0.95", 0,     1,                   "",                                "part of the memory in use above which workers are ended; 0: none ever is") \
    X(spill_dirs,    PATHS,  "FEVER_SPILL_DIRS",    "",        0,     0,                   "the first of $TMPDIR, /var/tmp, /tmp that is on a disk and writable", "where objects go that the store has no room for; none: nowhere") \
    X(spill_limit,   BYTES,  "FEVER_SPILL_LIMIT",   "",        1 << 20, 1ull << 50,         "90 % of what is free there",      "bytes of disk that they may take") \
    X(fallback_bytes, BYTES, "FEVER_FALLBACK_BYTES", "",       0,     1ull << 46,          "twice the store, at most spill_limit", "bytes of disk for objects when the store has no room and nothing can leave it; below 64K: none") \
    X(spill_at,      COUNT,  "FEVER_SPILL_AT",      "80",      1,     100,                 "",                                "percent of the store in use above which cold objects are written to disk") \
    X(leak_report,   SWITCH, "FEVER_LEAKS",         "0",       0,     1,                   "",                                "at the end say what was not released, and where it was made") \
    X(fault_report,  SWITCH, "FEVER_FAULTS",        "0",       0,     1,                   "",                                "a write through a read-only view, in the driver, names the object first")

#define FV_OPTION_TYPE_COUNT(field)   int field;
#define FV_OPTION_TYPE_COUNT32(field) uint32_t field;
#define FV_OPTION_TYPE_BYTES(field)   uint64_t field;
#define FV_OPTION_TYPE_MICROS(field)  double field;
#define FV_OPTION_TYPE_PART(field)    double field;
#define FV_OPTION_TYPE_CHOICE(field)  char field[16];
#define FV_OPTION_TYPE_TEXT(field)    char field[48];
#define FV_OPTION_TYPE_SWITCH(field)  int field;
#define FV_OPTION_TYPE_LIST(field)    char field[512];
#define FV_OPTION_TYPE_NODES(field)   char field[1024];
#define FV_OPTION_TYPE_PATHS(field)   char field[512];

enum fv_option_index {
#define FV_X(field, kind, env, text, least, most, choices, doc) FV_OPTION_##field,
    FV_OPTIONS(FV_X)
#undef FV_X
    FV_OPTION_COUNT
};

enum fv_origin {
    FV_ORIGIN_DEFAULT = 0,
    FV_ORIGIN_ENVIRONMENT,
    FV_ORIGIN_PROGRAM,
};

/* All options, concrete once fv_options_fill() has been called too. */
struct fv_options {
#define FV_X(field, kind, env, text, least, most, choices, doc) FV_OPTION_TYPE_##kind(field)
    FV_OPTIONS(FV_X)
#undef FV_X
    uint8_t origin[FV_OPTION_COUNT]; /* enum fv_origin */
};

/* Resolves program (may be NULL), environment and defaults into *out.  What only the machine can say stays 0.
 * Returns 0, or -FEVER_EOPTION with the reason, in words, in why; *out is then unchanged. */
int fv_options_resolve(const struct fever_options *user, struct fv_options *out, char *why, size_t why_bytes);

/* "default", "environment" or "program" */
const char *fv_origin_name(enum fv_origin origin);

/* Option `index` (0 .. FV_OPTION_COUNT-1): the name of its variable, its value as text in buf, its doc. */
const char *fv_option_env(int index);
const char *fv_option_doc(int index);
const char *fv_option_text(const struct fv_options *options, int index, char *buf, size_t bytes);

/* One line an option: variable, value, origin, doc. */
void fv_options_print(FILE *stream, const struct fv_options *options);

#endif
