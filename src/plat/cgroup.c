/* cgroup.c: finds and reads files of this process's control groups.
 *
 * Run by:          plat/limits.c.
 * Shared state:    none.
 * Source:          cgroups(7), proc(5): /proc/self/cgroup says the path in each hierarchy, /proc/self/mountinfo where that
 *                  hierarchy is mounted and which of its directories is the mount's root (in containers, not "/").
 */
#include "plat/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* is word one of the comma-separated words of list? */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = list; (at = strstr(at, word)) != NULL; at += n)
        if ((at == list || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

/* path of the process in the hierarchy of controller, or in v2's when controller is NULL */
static bool find_path(const char *root, const char *controller, char *path_out, size_t bytes)
{
    char name[512], line[2048];
    bool found = false;
    FILE *file;

    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    file = fopen(name, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        char *list = strchr(line, ':');
        char *path = list != NULL ? strchr(list + 1, ':') : NULL;

        if (path == NULL)
            continue;
        *path++ = '\0';
        list++;
        path[strcspn(path, "\n")] = '\0';
        found = controller != NULL ? has_word(list, controller) : list[0] == '\0' && strncmp(line, "0:", 2) == 0;
        if (found)
            snprintf(path_out, bytes, "%s", path);
    }
    fclose(file);
    return found;
}

/* mount point of that hierarchy, and the mount's root */
static bool find_mount(const char *root, const char *controller, char *point_out, char *base_out, size_t bytes)
{
    char name[512], line[4096];
    bool found = false;
    FILE *file;

    snprintf(name, sizeof name, "%s/proc/self/mountinfo", root);
    file = fopen(name, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        char base[1024], point[1024], type[64], options[1024];
        const char *dash = strstr(line, " - ");

        if (dash == NULL || sscanf(line, "%*s %*s %*s %1023s %1023s", base, point) != 2 ||
            sscanf(dash + 3, "%63s %*s %1023s", type, options) != 2)
            continue;
        found = controller != NULL ? strcmp(type, "cgroup") == 0 && has_word(options, controller) : strcmp(type, "cgroup2") == 0;
        if (found) {
            snprintf(point_out, bytes, "%s", point);
            snprintf(base_out, bytes, "%s", base);
        }
    }
    fclose(file);
    return found;
}

static bool find_in(const char *root, const char *controller, bool v2, struct fv_cgroup *group_out)
{
    const char *which = v2 ? NULL : controller;
    char path[1024], point[1024], base[1024];
    const char *below = path;
    size_t n;
    int m;

    if (!find_path(root, which, path, sizeof path) || !find_mount(root, which, point, base, sizeof point))
        return false;
    n = strlen(base);
    if (strcmp(base, "/") != 0 && strncmp(path, base, n) == 0 && (path[n] == '/' || path[n] == '\0'))
        below = path + n;
    else if (strncmp(path, "/..", 3) == 0) /* outside of our namespace: see what the mount shows */
        below = "";
    if (strcmp(below, "/") == 0)
        below = "";
    m = snprintf(group_out->dir, sizeof group_out->dir, "%s%s%s", root, point, below);
    if (m < 0 || (size_t)m >= sizeof group_out->dir)
        return false;
    group_out->top = strlen(root) + strlen(point);
    group_out->v2 = v2;
    /* a container may see its own group at the mount point, while its path still is the host's */
    if (access(group_out->dir, F_OK) != 0)
        group_out->dir[group_out->top] = '\0';
    return true;
}

bool fv_cgroup_find(const char *root, const char *controller, struct fv_cgroup *group_out)
{
    return find_in(root, controller, false, group_out) || find_in(root, controller, true, group_out);
}

bool fv_cgroup_up(struct fv_cgroup *group)
{
    size_t n = strlen(group->dir);

    if (n <= group->top)
        return false;
    while (n > group->top && group->dir[n - 1] != '/')
        n--;
    while (n > group->top && group->dir[n - 1] == '/')
        n--;
    group->dir[n] = '\0';
    return true;
}

bool fv_cgroup_read(const struct fv_cgroup *group, const char *file, char *buf, size_t bytes)
{
    char name[1200];
    ssize_t n;
    int fd;

    snprintf(name, sizeof name, "%s/%s", group->dir, file);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, buf, bytes - 1);
    close(fd);
    if (n < 0)
        return false;
    buf[n] = '\0';
    return n > 0;
}

bool fv_cgroup_number(const struct fv_cgroup *group, const char *file, uint64_t *value_out)
{
    char text[64], *end;
    unsigned long long value;

    if (!fv_cgroup_read(group, file, text, sizeof text))
        return false;
    if (strncmp(text, "max", 3) == 0 || text[0] == '-') {
        *value_out = UINT64_MAX;
        return true;
    }
    value = strtoull(text, &end, 10);
    if (end == text)
        return false;
    /* v1's "no limit" is LONG_MAX rounded down to a page */
    *value_out = value >= (1ull << 62) ? UINT64_MAX : value;
    return true;
}
