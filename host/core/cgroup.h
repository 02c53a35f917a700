/* SPDX-License-Identifier: Apache-2.0
 * What this process's control group and its parents allow. Linux; elsewhere there are no limits. */
#ifndef QN_CGROUP_H
#define QN_CGROUP_H

#include <stdint.h>

struct qn_cgroup_limits {
    uint32_t cpus;   /* the tightest quota, rounded up; 0: none    */
    uint64_t memory; /* bytes, the tightest; UINT64_MAX: none      */
};

/* `root` is put in front of /proc and /sys: "" for this machine, a made-up tree in tests. */
void qn_cgroup_read(const char *root, struct qn_cgroup_limits *out);

#endif
