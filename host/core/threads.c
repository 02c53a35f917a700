/* SPDX-License-Identifier: Apache-2.0
 *
 * A run is open from the moment the caller publishes it until the caller itself finds no task left.
 * Workers join an open run and leave it; one that wakes up too late finds it closed and sleeps on. So
 * a short run costs the caller its own tasks, not the time the machine needs to wake sleepers. */
#include "host/core/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/core/checked.h"
#include "host/core/fp.h"
#include "host/core/os.h"

enum { STRETCHES = 8 }; /* a worker's share of what is left is claimed in this many parts */

struct worker {
    struct qn_threads *pool;
    pthread_t thread;
    uint32_t index;
};

struct qn_threads {
    uint32_t size;         /* the caller included */
    uint32_t started;      /* workers alive in process `owner` */
    pid_t owner;           /* a fork leaves the copy without workers */
    pthread_mutex_t entry; /* held by the thread whose run it is */
    pthread_mutex_t lock;  /* guards what follows, but `next` */
    pthread_cond_t wake, idle;
    uint64_t epoch; /* one per run */
    uint32_t active;
    int open, quit;
    qn_task_fn *body;
    void *user;
    uint64_t count;
    _Atomic uint64_t next;
    struct worker *workers;
};

/* The pool whose task this thread is in, and as which worker: a run started from inside a task must
 * not wait for the team that it is a part of. */
static _Thread_local const struct qn_threads *inside;
static _Thread_local uint32_t inside_index;

static uint32_t env_threads(const char *name)
{
    const char *text = qn_env(name);
    char *end;
    if (text == NULL) return 0;
    long value =
        strtol(text, &end, 10); /* OMP_NUM_THREADS may be a list: the first number counts */
    if (end == text || value < 1) return 0;
    return value > QN_THREADS_MAX ? QN_THREADS_MAX : (uint32_t)value;
}

uint32_t qn_threads_default(void)
{
    uint32_t n = env_threads("QUERN_NUM_THREADS");
    if (n == 0) n = env_threads("OMP_NUM_THREADS");
    if (n == 0) n = qn_cpu_count();
    return n > QN_THREADS_MAX ? QN_THREADS_MAX : n;
}

/* The next stretch of tasks. Neighbouring tasks are neighbouring memory, and what one of them asks memory
 * for lies in the next: so stretches are long while much is left, and single tasks at the end. */
static int claim(struct qn_threads *pool, uint64_t count, uint64_t *first, uint64_t *end)
{
    uint64_t next = atomic_load_explicit(&pool->next, memory_order_relaxed), length;
    do {
        if (next >= count) return 0;
        length = (count - next) / (STRETCHES * (uint64_t)pool->size);
        if (length == 0) length = 1;
    } while (!atomic_compare_exchange_weak_explicit(&pool->next, &next, next + length,
                                                    memory_order_relaxed, memory_order_relaxed));
    *first = next;
    *end = next + length;
    return 1;
}

static void take_tasks(struct qn_threads *pool, uint32_t index, qn_task_fn *body, void *user,
                       uint64_t count)
{
    const struct qn_threads *outer = inside;
    uint32_t outer_index = inside_index;
    struct qn_fp fp = qn_fp_enter();
    inside = pool;
    inside_index = index;
    for (uint64_t task, end; claim(pool, count, &task, &end);)
        for (; task < end; task++) body(user, index, task);
    inside = outer;
    inside_index = outer_index;
    qn_fp_leave(fp);
}

static void *worker_main(void *argument)
{
    struct worker *self = argument;
    struct qn_threads *pool = self->pool;
    uint64_t seen = 0; /* the latest run that this worker joined; epochs start at 1 */
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->quit && (pool->epoch == seen || !pool->open))
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->quit) break;
        seen = pool->epoch;
        qn_task_fn *body = pool->body;
        void *user = pool->user;
        uint64_t count = pool->count;
        pool->active++;
        pthread_mutex_unlock(&pool->lock);
        take_tasks(pool, self->index, body, user, count);
        pthread_mutex_lock(&pool->lock);
        if (--pool->active == 0) pthread_cond_signal(&pool->idle);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void init_sync(struct qn_threads *pool)
{
    pthread_mutex_init(&pool->entry, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->idle, NULL);
}

static void destroy_sync(struct qn_threads *pool)
{
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->entry);
}

quern_status qn_threads_open(uint32_t size, struct qn_threads **out)
{
    *out = NULL;
    if (size == 0) size = qn_threads_default();
    if (size > QN_THREADS_MAX)
        return qn_error(QUERN_INVALID, "threads: %u asked for, %d is the most", size,
                        QN_THREADS_MAX);
    struct qn_threads *pool = qn_zalloc(1, sizeof *pool);
    if (pool == NULL) return qn_error_memory("thread pool", sizeof *pool);
    pool->workers = qn_zalloc(size, sizeof *pool->workers);
    if (pool->workers == NULL) {
        qn_free(pool);
        return qn_error_memory("thread pool", size * sizeof *pool->workers);
    }
    pool->size = size;
    pool->owner = getpid();
    init_sync(pool);
    *out = pool;
    return QUERN_OK;
}

/* After fork the locks may be held by threads that the child does not have. */
static void notice_fork(struct qn_threads *pool)
{
    if (pool->owner == getpid()) return;
    init_sync(pool);
    pool->owner = getpid();
    pool->started = 0;
    pool->active = 0;
    pool->open = 0;
}

/* A machine that refuses a thread costs speed, not results: the run goes on with fewer. Signals stay
 * with the caller's threads, whose handlers may expect to run there. */
static void start_workers(struct qn_threads *pool)
{
    sigset_t all, before;
    if (pool->started + 1 >= pool->size) return;
    (void)sigfillset(&all);
    int masked = pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
    while (pool->started + 1 < pool->size) {
        struct worker *w = &pool->workers[pool->started];
        w->pool = pool;
        w->index = pool->started + 1;
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0) break;
        pool->started++;
    }
    if (masked) (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void qn_threads_close(struct qn_threads *pool)
{
    if (pool == NULL) return;
    if (pool->owner == getpid()) {
        pthread_mutex_lock(&pool->lock);
        pool->quit = 1;
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
        for (uint32_t i = 0; i < pool->started; i++) pthread_join(pool->workers[i].thread, NULL);
        destroy_sync(pool);
    }
    qn_free(pool->workers);
    qn_free(pool);
}

uint32_t qn_threads_size(const struct qn_threads *pool)
{
    return pool != NULL ? pool->size : 1;
}

static void run_alone(uint32_t index, uint64_t count, qn_task_fn *body, void *user)
{
    struct qn_fp fp = qn_fp_enter();
    for (uint64_t task = 0; task < count; task++) body(user, index, task);
    qn_fp_leave(fp);
}

static void run_team(struct qn_threads *pool, uint64_t count, qn_task_fn *body, void *user)
{
    start_workers(pool);
    pthread_mutex_lock(&pool->lock);
    pool->body = body;
    pool->user = user;
    pool->count = count;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->epoch++;
    pool->open = 1;
    if (count - 1 < pool->started) {
        for (uint64_t i = 1; i < count; i++) pthread_cond_signal(&pool->wake);
    } else {
        pthread_cond_broadcast(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    take_tasks(pool, 0, body, user, count);
    pthread_mutex_lock(&pool->lock);
    pool->open = 0;
    while (pool->active != 0) pthread_cond_wait(&pool->idle, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void qn_threads_run(struct qn_threads *pool, uint64_t count, qn_task_fn *body, void *user)
{
    if (pool != NULL && inside == pool) {
        run_alone(inside_index, count, body, user);
    } else if (pool == NULL || pool->size == 1 || count <= 1) {
        run_alone(0, count, body, user);
    } else {
        notice_fork(pool);
        pthread_mutex_lock(&pool->entry);
        run_team(pool, count, body, user);
        pthread_mutex_unlock(&pool->entry);
    }
}
