/* SPDX-License-Identifier: Apache-2.0
 * What is on this machine: every device of every driver of this build, and for a driver without
 * devices one entry that says why, in the loader's own words. Discovery opens nothing. */
#ifndef QN_REGISTRY_H
#define QN_REGISTRY_H

#include "host/device/driver.h"

enum { QN_DEVICE_ID = 32, QN_REASON_TEXT = 384, QN_NOTES_TEXT = 2048 };

struct qn_device_entry {
    const struct qn_driver *driver;
    uint32_t index;        /* the driver's                                                     */
    int present;           /* 0: caps are empty, `why` tells                                   */
    char id[QN_DEVICE_ID]; /* "cpu", "opencl:0", "cuda:1"; an absent backend: "cuda"           */
    char same_as[QN_DEVICE_ID]; /* an earlier entry that is the same hardware; "" if none       */
    char why[QN_REASON_TEXT];   /* absent: the reason; present: "" or what is wrong with it     */
    char notes[QN_NOTES_TEXT];  /* empty until asked for: the driver's, a line each             */
    struct qn_caps caps;
};

struct qn_device_list {
    uint32_t count;
    struct qn_device_entry *entries;
};

/* Asks `n_drivers` drivers. Fails only when memory runs out. */
quern_status qn_device_list_make(const struct qn_driver *const *drivers, uint32_t n_drivers,
                                 struct qn_device_list *out);
/* Asks the drivers for their notes, which loads the libraries that the notes are about. */
void qn_device_list_ask_notes(struct qn_device_list *list);
void qn_device_list_free(struct qn_device_list *list);

/* The entry that a name means: "cpu", "cuda" (the first), "cuda:1", "opencl:pocl" (part of the
 * device's name, driver text or uid, letter case aside). NULL, with the sentence set in this
 * thread's error, when there is none. */
const struct qn_device_entry *qn_device_list_find(const struct qn_device_list *list,
                                                  const char *name);

#endif
