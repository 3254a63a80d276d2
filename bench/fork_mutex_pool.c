/* fork_mutex_pool.c: peer "fork-mutex", forked processes around a process-shared mutex. */
#define MUTEX_POOL_FORK 1
#define POOL_IMPL       "fork-mutex"
#define POOL_CASES      bench_cases_fork_mutex
#include "mutex_pool.h"
