/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/kernels/fibers.h"

#include <stdlib.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
/* ASan is told of every change of stack. */
#define LEAVE(save, stack, size) __sanitizer_start_switch_fiber((save), (stack), (size))
#define ENTER(save, stack, size) __sanitizer_finish_switch_fiber((save), (stack), (size))
#else
#define LEAVE(save, stack, size) ((void)0)
#define ENTER(save, stack, size) ((void)0)
#endif

enum { STACK = 256 * 1024, MOST_ITEMS = 256 };

struct qn_fiber_item { /* as kernels/dialect.h has it */
    uint32_t item, group, group_y;
};

struct fiber {
    ucontext_t context;
    char *stack;
    void *fake; /* ASan's shadow of this stack */
    struct qn_fiber_item id;
    int finished;
};

__attribute__((visibility("default"))) _Thread_local struct qn_fiber_item qn_fiber_self;
static struct fiber fibers[MOST_ITEMS];
static struct fiber *now;
static ucontext_t loop;
#if defined(__SANITIZE_ADDRESS__)
static void *loop_fake;
static const void *loop_stack;
static size_t loop_size;
#endif
static fiber_body *run_body;
static void *run_user;
static uint64_t order;

static void back_to_loop(int last)
{
    struct fiber *me = now;
    (void)last;
    LEAVE(last ? NULL : &me->fake, loop_stack, loop_size);
    swapcontext(&me->context, &loop);
    ENTER(me->fake, &loop_stack, &loop_size);
}

__attribute__((visibility("default"))) void qn_fiber_barrier(void)
{
    struct qn_fiber_item mine = qn_fiber_self;
    back_to_loop(0);
    qn_fiber_self = mine;
}

static void entry(void)
{
    ENTER(NULL, &loop_stack, &loop_size);
    run_body(run_user);
    now->finished = 1;
    back_to_loop(1);
}

static uint32_t below(uint32_t n)
{
    order ^= order << 13;
    order ^= order >> 7;
    order ^= order << 17;
    return (uint32_t)((order >> 20) % n);
}

static void shuffle(uint32_t *numbers, uint32_t n)
{
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = below(i), t = numbers[i - 1];
        numbers[i - 1] = numbers[j];
        numbers[j] = t;
    }
}

static void prepare(struct fiber *f, struct qn_fiber_item id)
{
    if (f->stack == NULL && (f->stack = malloc(STACK)) == NULL) abort();
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK;
    f->context.uc_link = NULL;
    makecontext(&f->context, entry, 0);
    f->finished = 0;
    f->id = id;
}

static void resume(struct fiber *f)
{
    now = f;
    qn_fiber_self = f->id;
    LEAVE(&loop_fake, f->stack, STACK);
    swapcontext(&loop, &f->context);
    ENTER(loop_fake, NULL, NULL);
}

static uint32_t run_group(uint32_t items, uint32_t x, uint32_t y)
{
    uint32_t turns[MOST_ITEMS];
    for (uint32_t i = 0; i < items; i++) {
        turns[i] = i;
        prepare(&fibers[i], (struct qn_fiber_item){i, x, y});
    }
    for (uint32_t waiting = items; waiting != 0;) {
        waiting = 0;
        shuffle(turns, items);
        for (uint32_t i = 0; i < items; i++) {
            struct fiber *f = &fibers[turns[i]];
            if (f->finished) continue;
            resume(f);
            if (!f->finished) waiting++;
        }
        if (waiting != 0 && waiting != items) return items - waiting;
    }
    return 0;
}

uint32_t fibers_launch(uint32_t groups_x, uint32_t groups_y, uint32_t items, uint64_t seed,
                       fiber_body *body, void *user)
{
    uint32_t n = groups_x * groups_y, bad = 0;
    uint32_t *groups = malloc(n * sizeof *groups);
    if (groups == NULL || items > MOST_ITEMS) abort();
    run_body = body;
    run_user = user;
    order = seed * 0x9e3779b97f4a7c15u + 0x1234567u;
    for (uint32_t g = 0; g < n; g++) groups[g] = g;
    shuffle(groups, n);
    for (uint32_t g = 0; g < n && bad == 0; g++)
        bad = run_group(items, groups[g] % groups_x, groups[g] / groups_x);
    free(groups);
    return bad;
}
