/* pthread_pool.c: peer "pthread-pool", threads around a mutex and condition variables. */
#define MUTEX_POOL_FORK 0
#define POOL_IMPL       "pthread-pool"
#define POOL_CASES      bench_cases_pthread_pool
#include "mutex_pool.h"
