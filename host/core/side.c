/* SPDX-License-Identifier: Apache-2.0 */
#include "host/core/side.h"

#include <signal.h>

/* Signals are for the program's own threads. */
int qn_side_start(struct qn_side *side, void *(*body)(void *user), void *user)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    int masked = pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
    side->runs = pthread_create(&side->thread, NULL, body, user) == 0;
    if (masked) (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return side->runs;
}

void qn_side_wait(struct qn_side *side)
{
    if (side->runs) (void)pthread_join(side->thread, NULL);
    side->runs = 0;
}
