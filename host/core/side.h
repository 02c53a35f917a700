/* SPDX-License-Identifier: Apache-2.0
 * Something serial that goes on beside what the caller and the pool do: one thread for one call. */
#ifndef QN_SIDE_H
#define QN_SIDE_H

#include <pthread.h>

struct qn_side {
    pthread_t thread;
    int runs;
};

/* Begins; 0: there is no thread to be had, and nothing has begun. body and user outlive the wait. */
int qn_side_start(struct qn_side *, void *(*body)(void *user), void *user);
/* Waits for its end; nothing where nothing runs. */
void qn_side_wait(struct qn_side *);

#endif
