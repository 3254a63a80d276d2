/* files.h: the file that load and save are measured with. */
#ifndef FEVER_BENCH_FILES_H
#define FEVER_BENCH_FILES_H

#include "bench.h"

/* A file of so many bytes, on the disk and not in the page cache, in the folder that --dir or TMPDIR names, else in /var/tmp.
 * bytes 0: its path only.  It is removed when the process ends. */
const char *bench_file(size_t bytes);

#endif
