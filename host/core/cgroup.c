/* SPDX-License-Identifier: Apache-2.0
 *
 * A quota may sit on any ancestor, so every directory from the process's group up to the mount point
 * is read and the tightest value counts. Version 2 has one tree, version 1 one per controller, and a
 * machine may have both. Inside a container the path in /proc/self/cgroup may be one that only the
 * host can see; the directories that do not exist are passed over, and the mount point itself, which
 * is the container's own group then, is always read. */
#include "host/core/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 1024 };

static int read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    int ok = fgets(line, size, file) != NULL;
    (void)fclose(file);
    return ok;
}

static int read_in(const char *directory, const char *name, char *line, int size)
{
    char path[PATH_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return read_line(path, line, size);
}

static void limit_cpus(struct qn_cgroup_limits *out, long long quota, long long period)
{
    if (quota <= 0 || period <= 0) return;
    long long cpus = quota / period + (quota % period != 0);
    if (cpus < UINT32_MAX && (out->cpus == 0 || cpus < out->cpus)) out->cpus = (uint32_t)cpus;
}

static void limit_memory(struct qn_cgroup_limits *out, const char *line)
{
    char *end;
    unsigned long long bytes = strtoull(line, &end, 10); /* "max" has no digits */
    if (end != line && bytes != 0 && bytes < out->memory) out->memory = bytes;
}

static void read_v2(const char *directory, struct qn_cgroup_limits *out)
{
    char line[128];
    long long quota, period;
    if (read_in(directory, "cpu.max", line, sizeof line) &&
        sscanf(line, "%lld %lld", &quota, &period) == 2)
        limit_cpus(out, quota, period);
    if (read_in(directory, "memory.max", line, sizeof line)) limit_memory(out, line);
}

static void read_v1_cpu(const char *directory, struct qn_cgroup_limits *out)
{
    char quota[64], period[64];
    if (read_in(directory, "cpu.cfs_quota_us", quota, sizeof quota) &&
        read_in(directory, "cpu.cfs_period_us", period, sizeof period))
        limit_cpus(out, strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

static void read_v1_memory(const char *directory, struct qn_cgroup_limits *out)
{
    char line[64];
    if (read_in(directory, "memory.limit_in_bytes", line, sizeof line)) limit_memory(out, line);
}

typedef void read_fn(const char *directory, struct qn_cgroup_limits *out);

/* `group` starts with '/'. Every level of it, then the mount point. */
static void climb(const char *root, const char *mount, const char *group, read_fn *read,
                  struct qn_cgroup_limits *out)
{
    char path[PATH_BYTES];
    size_t base = (size_t)snprintf(path, sizeof path, "%s/sys/fs/cgroup%s", root, mount);
    size_t length = base + strlen(group);
    if (base >= sizeof path) return;
    if (length < sizeof path) {
        memcpy(path + base, group, length - base + 1);
        for (; length > base; length--) {
            if (path[length] != '/' && path[length] != '\0') continue;
            path[length] = '\0';
            read(path, out);
        }
    }
    path[base] = '\0';
    read(path, out);
}

/* 1 when the comma-separated list holds the word. */
static int lists(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; at != NULL; at = strchr(at, ',')) {
        if (*at == ',') at++;
        if (strncmp(at, word, n) == 0 && (at[n] == ',' || at[n] == '\0')) return 1;
    }
    return 0;
}

/* One line of /proc/self/cgroup: number ':' controllers ':' path. */
static void read_group(const char *root, char *line, struct qn_cgroup_limits *out)
{
    char mount[128];
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL || group[1] != '/') return;
    controllers++;
    *group++ = '\0';
    if (strcmp(group, "/") == 0) group = "";
    if (controllers[0] == '\0') {
        climb(root, "", group, read_v2, out);
        climb(root, "/unified", group, read_v2, out);
        return;
    }
    if (lists(controllers, "cpu")) {
        (void)snprintf(mount, sizeof mount, "/%s", controllers);
        climb(root, mount, group, read_v1_cpu, out); /* "cpu,cpuacct" is a directory's name too */
        climb(root, "/cpu", group, read_v1_cpu, out);
    }
    if (lists(controllers, "memory")) climb(root, "/memory", group, read_v1_memory, out);
}

void qn_cgroup_read(const char *root, struct qn_cgroup_limits *out)
{
    char path[PATH_BYTES], line[PATH_BYTES];
    *out = (struct qn_cgroup_limits){.cpus = 0, .memory = UINT64_MAX};
    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (file == NULL) return;
    while (fgets(line, sizeof line, file) != NULL) read_group(root, line, out);
    (void)fclose(file);
}
