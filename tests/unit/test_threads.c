/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <float.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/core/fp.h"
#include "host/core/threads.h"

enum { TASKS = 2000 };
static const uint32_t sizes[] = {1, 2, 7};

struct tally {
    uint32_t size;
    _Atomic uint32_t done[TASKS];
    _Atomic uint32_t bad_worker;
    _Atomic uint32_t in_use[QN_THREADS_MAX]; /* two tasks under one number at a time */
};

static void tally_task(void *user, uint32_t worker, uint64_t task)
{
    struct tally *t = user;
    if (worker >= t->size) atomic_fetch_add(&t->bad_worker, 1);
    if (atomic_fetch_add(&t->in_use[worker], 1) != 0) atomic_fetch_add(&t->bad_worker, 1);
    atomic_fetch_add(&t->done[task], 1);
    atomic_fetch_sub(&t->in_use[worker], 1);
}

static void tally_run(struct qn_threads *pool, uint64_t count)
{
    static struct tally t;
    memset(&t, 0, sizeof t);
    t.size = qn_threads_size(pool);
    qn_threads_run(pool, count, tally_task, &t);
    for (uint64_t i = 0; i < TASKS; i++) assert_int_equal(t.done[i], i < count ? 1 : 0);
    assert_int_equal(t.bad_worker, 0);
}

static void every_task_runs_once(void **state)
{
    (void)state;
    tally_run(NULL, 100);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct qn_threads *pool;
        assert_int_equal(qn_threads_open(sizes[s], &pool), QUERN_OK);
        assert_int_equal(qn_threads_size(pool), sizes[s]);
        for (uint64_t count = 0; count < 12; count++) tally_run(pool, count);
        for (int i = 0; i < 50; i++) tally_run(pool, 1 + (uint64_t)i * 37 % TASKS);
        qn_threads_close(pool);
    }
}

static void sizes_are_checked(void **state)
{
    struct qn_threads *pool;
    (void)state;
    assert_int_equal(qn_threads_open(QN_THREADS_MAX + 1, &pool), QUERN_INVALID);
    assert_null(pool);
    assert_int_equal(qn_threads_open(QN_THREADS_MAX, &pool), QUERN_OK);
    qn_threads_close(pool); /* never run: no worker was made */
    qn_threads_close(NULL);
    assert_int_equal(qn_threads_size(NULL), 1);
    for (uint64_t k = 1; k <= 2; k++) {
        (void)qn_alloc_fail_at(k);
        assert_int_equal(qn_threads_open(2, &pool), QUERN_OUT_OF_MEMORY);
        (void)qn_alloc_fail_at(0);
    }
}

/* Every worker is needed at once: without all of them this would never end. */
struct meeting {
    pthread_barrier_t barrier;
    _Atomic uint32_t workers;
};

static void meet(void *user, uint32_t worker, uint64_t task)
{
    struct meeting *m = user;
    (void)task;
    atomic_fetch_or(&m->workers, 1u << worker);
    (void)pthread_barrier_wait(&m->barrier);
}

static void the_whole_team_works(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct qn_threads *pool;
        struct meeting m = {.workers = 0};
        assert_int_equal(qn_threads_open(sizes[s], &pool), QUERN_OK);
        assert_int_equal(pthread_barrier_init(&m.barrier, NULL, sizes[s]), 0);
        for (int round = 0; round < 20; round++) {
            m.workers = 0;
            qn_threads_run(pool, sizes[s], meet, &m);
            assert_int_equal(m.workers, (1u << sizes[s]) - 1);
        }
        qn_threads_close(pool);
        (void)pthread_barrier_destroy(&m.barrier);
    }
}

/* ---- fork ---- */

static void count_task(void *user, uint32_t worker, uint64_t task)
{
    (void)worker;
    (void)task;
    atomic_fetch_add((_Atomic uint64_t *)user, 1);
}

static int count_in(struct qn_threads *pool, uint64_t count)
{
    _Atomic uint64_t n = 0;
    qn_threads_run(pool, count, count_task, &n);
    return n == count;
}

#if !defined(__SANITIZE_THREAD__) /* TSan does not follow new threads after a threaded fork */

/* Runs `body` in a child; its result must be 0 within a few seconds. */
static void in_child(int (*body)(void *), void *user)
{
    int result;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(20);
        _exit(body(user));
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

static int use_and_close(void *user)
{
    struct meeting m = {.workers = 0};
    if (pthread_barrier_init(&m.barrier, NULL, 3) != 0) return 1;
    for (int i = 0; i < 20; i++) {
        if (!count_in(user, 500)) return 2;
        qn_threads_run(user, 3, meet, &m); /* the child has a whole team too */
    }
    qn_threads_close(user);
    return 0;
}

static int only_close(void *user)
{
    qn_threads_close(user);
    return 0;
}

static int fork_again(void *user)
{
    int result;
    if (!count_in(user, 100)) return 1;
    pid_t child = fork();
    if (child == 0) _exit(use_and_close(user));
    if (waitpid(child, &result, 0) != child || result != 0) return 2;
    return count_in(user, 100) ? 0 : 3;
}

static void a_forked_child_gets_its_own_team(void **state)
{
    int (*const bodies[])(void *) = {use_and_close, only_close, fork_again};
    (void)state;
    for (int used = 0; used < 2; used++) { /* forked before the first run, and after many */
        for (size_t b = 0; b < sizeof bodies / sizeof bodies[0]; b++) {
            struct qn_threads *pool;
            assert_int_equal(qn_threads_open(3, &pool), QUERN_OK);
            for (int i = 0; used && i < 30; i++) assert_true(count_in(pool, 200));
            in_child(bodies[b], pool);
            assert_true(count_in(pool, 200)); /* the parent's team is as it was */
            qn_threads_close(pool);
        }
    }
}

static _Atomic int stop;

static void *keep_running(void *user)
{
    while (!stop) (void)count_in(user, 50);
    return NULL;
}

/* The fork happens while another thread is in the middle of a run, locks held and all. */
static void a_fork_in_the_middle_of_a_run_is_survived(void **state)
{
    struct qn_threads *pool;
    pthread_t runner;
    (void)state;
    stop = 0;
    assert_int_equal(qn_threads_open(3, &pool), QUERN_OK);
    assert_int_equal(pthread_create(&runner, NULL, keep_running, pool), 0);
    for (int i = 0; i < 30; i++) {
        (void)usleep(500);
        in_child(use_and_close, pool);
    }
    stop = 1;
    assert_int_equal(pthread_join(runner, NULL), 0);
    qn_threads_close(pool);
}

#endif

/* ---- misuse ---- */

struct nest {
    struct qn_threads *pool;
    _Atomic uint64_t inner;
    _Atomic uint32_t wrong;
};

struct inner {
    struct nest *nest;
    uint32_t worker;
};

static void inner_task(void *user, uint32_t worker, uint64_t task)
{
    struct inner *in = user;
    (void)task;
    if (worker != in->worker) atomic_fetch_add(&in->nest->wrong, 1);
    atomic_fetch_add(&in->nest->inner, 1);
}

static void outer_task(void *user, uint32_t worker, uint64_t task)
{
    struct nest *nest = user;
    struct inner in = {nest, worker};
    (void)task;
    qn_threads_run(nest->pool, 10, inner_task, &in);
}

static void a_run_inside_a_task_is_done_by_its_worker(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct nest nest = {.inner = 0};
        assert_int_equal(qn_threads_open(sizes[s], &nest.pool), QUERN_OK);
        qn_threads_run(nest.pool, 100, outer_task, &nest);
        assert_int_equal(nest.inner, 1000);
        assert_int_equal(nest.wrong, 0);
        assert_true(count_in(nest.pool, 100)); /* and outside again as ever */
        qn_threads_close(nest.pool);
    }
}

static void slow_task(void *user, uint32_t worker, uint64_t task)
{
    (void)worker;
    (void)task;
    (void)sched_yield();
    atomic_fetch_add((_Atomic uint64_t *)user, 1);
}

static void *count_often(void *user)
{
    for (int i = 0; i < 200; i++) {
        _Atomic uint64_t n = 0;
        qn_threads_run(user, 20, slow_task, &n);
        if (n != 20) return user;
    }
    return NULL;
}

static void two_callers_take_turns(void **state)
{
    struct qn_threads *pool;
    pthread_t callers[2];
    (void)state;
    assert_int_equal(qn_threads_open(3, &pool), QUERN_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, count_often, pool), 0);
    for (int i = 0; i < 2; i++) {
        void *failed;
        assert_int_equal(pthread_join(callers[i], &failed), 0);
        assert_null(failed);
    }
    qn_threads_close(pool);
}

struct signals {
    pthread_barrier_t barrier;
    _Atomic uint32_t open_workers;
};

static void look_at_signals(void *user, uint32_t worker, uint64_t task)
{
    struct signals *s = user;
    sigset_t set;
    (void)task;
    (void)pthread_barrier_wait(&s->barrier); /* every worker comes */
    (void)pthread_sigmask(SIG_BLOCK, NULL, &set);
    if (worker != 0 && !sigismember(&set, SIGUSR1)) atomic_fetch_add(&s->open_workers, 1);
}

static void signals_stay_with_the_caller(void **state)
{
    struct qn_threads *pool;
    struct signals s = {.open_workers = 0};
    sigset_t before, after;
    (void)state;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &before);
    assert_int_equal(pthread_barrier_init(&s.barrier, NULL, 3), 0);
    assert_int_equal(qn_threads_open(3, &pool), QUERN_OK);
    qn_threads_run(pool, 3, look_at_signals, &s);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_int_equal(s.open_workers, 0);
    assert_int_equal(sigismember(&before, SIGUSR1), sigismember(&after, SIGUSR1));
    qn_threads_close(pool);
    (void)pthread_barrier_destroy(&s.barrier);
}

/* ---- arithmetic ---- */

QN_NOINLINE static double half_of(double x)
{
    volatile double v = x;
    return v / 2.0;
}

QN_NOINLINE static float half_of_float(float x)
{
    volatile float v = x;
    return v / 2.0f;
}

static void subnormal_task(void *user, uint32_t worker, uint64_t task)
{
    volatile double third = 1.0;
    (void)worker;
    (void)task;
    if (half_of(DBL_MIN) == 0.0 || half_of_float(FLT_MIN) == 0.0f)
        atomic_fetch_add((_Atomic uint32_t *)user, 1);
    third /= 3.0;
    if (third != 0x1.5555555555555p-2) atomic_fetch_add((_Atomic uint32_t *)user, 1);
}

#if defined(__SSE2__)
/* What a caller may have set: flush-to-zero, denormals-are-zero, rounding upwards. */
static const unsigned bad_modes[] = {0x1f80 | 0x8040, 0x1f80 | 0x4000, 0x1f80 | 0xe040};

static void arithmetic_is_whole_whatever_the_caller_set(void **state)
{
    unsigned original = _mm_getcsr();
    (void)state;
    for (size_t m = 0; m < sizeof bad_modes / sizeof bad_modes[0]; m++) {
        for (size_t s = 0; s <= sizeof sizes / sizeof sizes[0]; s++) {
            struct qn_threads *pool = NULL;
            _Atomic uint32_t wrong = 0;
            if (s > 0) assert_int_equal(qn_threads_open(sizes[s - 1], &pool), QUERN_OK);
            _mm_setcsr(bad_modes[m]);
            int flushed = half_of(DBL_MIN) == 0.0;
            qn_threads_run(pool, 1, subnormal_task, &wrong);
            qn_threads_run(pool, 300, subnormal_task, &wrong); /* workers inherit the mode */
            unsigned after = _mm_getcsr();
            _mm_setcsr(original);
            assert_int_equal(wrong, 0);
            assert_int_equal(after & ~0x3fu, bad_modes[m]); /* the caller has its own back */
            assert_int_equal(flushed, (bad_modes[m] & 0x8000) != 0);
            qn_threads_close(pool);
        }
    }
}

static void set_flush_task(void *user, uint32_t worker, uint64_t task)
{
    (void)user;
    (void)worker;
    (void)task;
    _mm_setcsr(0x1f80 | 0x8040);
}

/* A task that spoils its own thread spoils neither the caller nor the next run. */
static void a_task_cannot_spoil_the_mode(void **state)
{
    struct qn_threads *pool;
    unsigned before = _mm_getcsr();
    _Atomic uint32_t wrong = 0;
    (void)state;
    assert_int_equal(qn_threads_open(3, &pool), QUERN_OK);
    for (int i = 0; i < 20; i++) {
        qn_threads_run(pool, 30, set_flush_task, NULL);
        assert_int_equal(_mm_getcsr() & ~0x3fu, before & ~0x3fu);
        qn_threads_run(pool, 30, subnormal_task, &wrong);
    }
    assert_int_equal(wrong, 0);
    qn_threads_close(pool);
}
#endif

/* ---- how many ---- */

static void the_environment_chooses_the_size(void **state)
{
    static const struct {
        const char *own, *omp;
        uint32_t expected; /* 0: whatever the machine has */
    } table[] = {
        {"3", "5", 3},   {NULL, "5", 5},   {NULL, "4,2", 4}, {"0", "5", 5},
        {"-1", "5", 5},  {"many", "5", 5}, {"", "5", 5},     {"99999", NULL, QN_THREADS_MAX},
        {NULL, NULL, 0}, {NULL, "x", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        (void)unsetenv("QUERN_NUM_THREADS");
        (void)unsetenv("OMP_NUM_THREADS");
        if (table[i].own != NULL) (void)setenv("QUERN_NUM_THREADS", table[i].own, 1);
        if (table[i].omp != NULL) (void)setenv("OMP_NUM_THREADS", table[i].omp, 1);
        uint32_t n = qn_threads_default();
        if (table[i].expected != 0) assert_int_equal(n, table[i].expected);
        assert_in_range(n, 1, QN_THREADS_MAX);
    }
    (void)unsetenv("QUERN_NUM_THREADS");
    (void)unsetenv("OMP_NUM_THREADS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(the_whole_team_works),
#if !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(a_forked_child_gets_its_own_team),
        cmocka_unit_test(a_fork_in_the_middle_of_a_run_is_survived),
#endif
        cmocka_unit_test(a_run_inside_a_task_is_done_by_its_worker),
        cmocka_unit_test(two_callers_take_turns),
        cmocka_unit_test(signals_stay_with_the_caller),
#if defined(__SSE2__)
        cmocka_unit_test(arithmetic_is_whole_whatever_the_caller_set),
        cmocka_unit_test(a_task_cannot_spoil_the_mode),
#endif
        cmocka_unit_test(the_environment_chooses_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
