/* run/setting.h: what a body with options runs in: environment variables and a memory limit of its own. */
#ifndef FV_RUN_SETTING_H
#define FV_RUN_SETTING_H

#include <sys/resource.h>

#include "core/options.h"

struct fv_setting {
    char        **old;       /* NAME=value as it was, or NAME: it was not there */
    uint32_t      n_old;
    bool          is_limited;
    struct rlimit data;      /* as it was */
    uint64_t      limit, base, task; /* in the process slot, as they were */
};

/* 0, or -ENOMEM: nothing has changed then. */
int  fv_setting_enter(struct fv_self *self, uint32_t index, const struct fv_task_options_block *b, struct fv_setting *s);
void fv_setting_leave(struct fv_self *self, struct fv_setting *s);

#endif
