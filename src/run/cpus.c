/* run/cpus.c: see cpus.h.
 *
 * Run by workers.  Writes this process's affinity (of all its threads, as earlier bodies may have left some), its environment and
 * settings of OpenMP, OpenBLAS and MKL where these are loaded.  Dies here: its successor starts with a state of its own.
 */
#include "run/cpus.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/options.h"
#include "run/runtime.h"

/* Libraries that make threads: the variable by which the user tells how many, and the calls to set and to ask. */
static struct library {
    const char *variable, *set_name, *get_name;
    bool        is_users; /* his word goes */
    bool        was_set;  /* by us, now */
    int         before;
} library[] = {
    {.variable = "OMP_NUM_THREADS", .set_name = "omp_set_num_threads", .get_name = "omp_get_max_threads"},
    {.variable = "OPENBLAS_NUM_THREADS", .set_name = "openblas_set_num_threads", .get_name = "openblas_get_num_threads"},
    {.variable = "MKL_NUM_THREADS", .set_name = "MKL_Set_Num_Threads", .get_name = "MKL_Get_Max_Threads"},
};

static enum { AT_HOME, ELSEWHERE, WIDENED } where;
static int elsewhere; /* that CPU, or FV_GRANT_ANY */
static int own[FV_TOPO_CPUS], n_own; /* CPUs of the granted task that runs here, as it had them last */

static void set_threads(struct library *l, int n) {
    void (*set)(int) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, l->set_name);
    memcpy(&set, &symbol, sizeof set);
    if (set != NULL && n > 0)
        set(n);
}

void fv_cpus_open(void) {
    for (size_t i = 0; i < FV_COUNT_OF(library); i++) {
        library[i].is_users = getenv(library[i].variable) != NULL;
        if (!library[i].is_users) /* it was loaded in the driver, and counted the CPUs there */
            set_threads(&library[i], 1);
    }
}

static int get_threads(struct library *l) {
    int (*get)(void) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, l->get_name);
    memcpy(&get, &symbol, sizeof get);
    return get != NULL ? get() : 0;
}

/* In the environment that the task is to have. */
static bool is_tasks(const struct library *l, const struct fv_task_options_block *b) {
    const char *e = b == NULL ? NULL : fv_task_options_env(b);
    size_t      n = strlen(l->variable);
    for (uint32_t i = 0; b != NULL && i < b->n_env; i++, e += strlen(e) + 1)
        if (strncmp(e, l->variable, n) == 0 && e[n] == '=')
            return true;
    return false;
}

static void more_threads(int n, const struct fv_task_options_block *b) {
    char text[16];
    snprintf(text, sizeof text, "%d", n);
    for (size_t i = 0; i < FV_COUNT_OF(library); i++) {
        struct library *l = &library[i];
        l->was_set = !l->is_users && !is_tasks(l, b) && setenv(l->variable, text, 1) == 0;
        if (l->was_set) {
            l->before = get_threads(l);
            set_threads(l, n);
        }
    }
}

static void threads_as_before(void) {
    for (size_t i = 0; i < FV_COUNT_OF(library); i++)
        if (library[i].was_set) {
            unsetenv(library[i].variable);
            set_threads(&library[i], library[i].before);
            library[i].was_set = false;
        }
}

/* What the grant says: CPUs, at cpus, of which it gives the number; of how many places. */
static int granted_cpus(struct fv_self *self, int *cpus, int *lent_out) {
    const struct fv_topo *topo = &fv_rt.topo;
    int                   cpu = self->proc->grant_cpu, n = 0;
    *lent_out = 0;
    if (cpu == FV_GRANT_LENT) {
        for (uint32_t p = 1; p <= fv_rt.n_workers; p++)
            if (fv_load_relaxed_32(&fv_proc(p)->lent_to) == self->slot + 1) {
                int c = fv_proc_cpu(fv_proc(p));
                ++*lent_out;
                if (c >= 0 && n < FV_TOPO_CPUS)
                    cpus[n++] = c;
            }
    } else if (fv_rt.options.pin && cpu >= 0) {
        cpus[n++] = cpu;
    } else if (fv_rt.options.pin) {
        for (; n < topo->n_allowed && n < FV_TOPO_CPUS; n++)
            cpus[n] = topo->cpus[n];
    }
    return n;
}

/* All threads of this process go where own[] says. */
static void move(struct fv_self *self) {
    int cpu = self->proc->grant_cpu;
    if (cpu != FV_GRANT_LENT) {
        if (n_own != 0 && !(where == ELSEWHERE && elsewhere == cpu) && fv_topo_pin_threads(own, n_own) == 0)
            where = ELSEWHERE, elsewhere = cpu;
    } else if (n_own == 0 || (n_own == 1 && own[0] == self->proc->cpu)) {
        fv_cpus_home(self);
    } else if (fv_topo_pin_threads(own, n_own) == 0) {
        where = WIDENED;
    }
}

void fv_cpus_take(struct fv_self *self, uint32_t index) {
    int lent;
    n_own = granted_cpus(self, own, &lent);
    if (lent > 1)
        more_threads(lent, fv_task_options_of(index));
    move(self);
}

void fv_cpus_retake(struct fv_self *self) {
    static int cpus[FV_TOPO_CPUS];
    int        lent, n = granted_cpus(self, cpus, &lent);
    if (n == n_own && memcmp(cpus, own, (size_t)n * sizeof *cpus) == 0)
        return;
    memcpy(own, cpus, (size_t)n * sizeof *cpus);
    n_own = n;
    move(self);
}

void fv_cpus_give_back(struct fv_self *self) {
    threads_as_before();
    if (where == WIDENED)
        fv_cpus_home(self);
}

void fv_cpus_home(struct fv_self *self) {
    int cpu = self->proc->cpu;
    if (where != AT_HOME && cpu >= 0)
        fv_topo_pin_threads(&cpu, 1);
    where = AT_HOME;
}
