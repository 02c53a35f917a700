/* SPDX-License-Identifier: Apache-2.0
 *
 * Free blocks hang in lists by length class: the position of the highest bit, then 32 steps inside
 * the octave, so that a class is at most 1/32 wide. Two bitmaps find the first class that surely
 * fits. The request's own class is looked at before that: preprocessing asks for the same sizes again
 * and again, and the block that was just given back is an exact fit there, where the classes above
 * would have to be cut.
 *
 * Nodes form a second list by address, for merging with free neighbours. Node 0 is always the
 * leftmost: a cut keeps the left part's node and a merge lets the left node live. */
#include "host/memory/range.h"

#include <string.h>

#include "host/core/checked.h"

enum {
    STEP_BITS = 5,
    STEPS = 1 << STEP_BITS,
    OCTAVES = 32 - STEP_BITS + 1,
    OWN_LOOKS = 8,   /* candidates of the request's own class, before the classes above           */
    UP_LOOKS = 24,   /* candidates of the classes above                                           */
    LAST_LOOKS = 256 /* of the own class, before giving up                                        */
};

struct node {
    uint32_t offset, length;
    uint32_t left, right;    /* neighbours by address */
    uint32_t previous, next; /* the list of the class, while free */
    uint32_t used;
    struct qn_stamp stamp; /* last use, while free */
};

struct qn_range {
    uint32_t units, taken;
    uint32_t octave_map, step_map[OCTAVES], head[OCTAVES][STEPS];
    struct node *nodes;
    uint32_t room, spare; /* spare: a list of unused nodes through `next` */
};

struct place {
    uint32_t octave, step;
};

static struct place place_of(uint32_t length)
{
    if (length < STEPS) return (struct place){0, length};
    uint32_t top = QN_HIGHEST_BIT(length);
    return (struct place){top - STEP_BITS + 1, (length >> (top - STEP_BITS)) & (STEPS - 1)};
}

static void hang(struct qn_range *r, uint32_t i)
{
    struct place p = place_of(r->nodes[i].length);
    uint32_t first = r->head[p.octave][p.step];
    r->nodes[i].used = 0;
    r->nodes[i].previous = QN_RANGE_NONE;
    r->nodes[i].next = first;
    if (first != QN_RANGE_NONE) r->nodes[first].previous = i;
    r->head[p.octave][p.step] = i;
    r->step_map[p.octave] |= 1u << p.step;
    r->octave_map |= 1u << p.octave;
}

static void unhang(struct qn_range *r, uint32_t i)
{
    struct place p = place_of(r->nodes[i].length);
    uint32_t before = r->nodes[i].previous, after = r->nodes[i].next;
    if (before != QN_RANGE_NONE)
        r->nodes[before].next = after;
    else
        r->head[p.octave][p.step] = after;
    if (after != QN_RANGE_NONE) r->nodes[after].previous = before;
    if (r->head[p.octave][p.step] == QN_RANGE_NONE) {
        r->step_map[p.octave] &= ~(1u << p.step);
        if (r->step_map[p.octave] == 0) r->octave_map &= ~(1u << p.octave);
    }
}

/* An unused node, or QN_RANGE_NONE when host memory is out. May move r->nodes. */
static uint32_t fresh(struct qn_range *r)
{
    if (r->spare == QN_RANGE_NONE) {
        if (r->room > UINT32_MAX / 4) return QN_RANGE_NONE;
        uint32_t room = r->room != 0 ? r->room * 2 : 64;
        struct node *nodes = qn_realloc(r->nodes, room, sizeof *nodes);
        if (nodes == NULL) return QN_RANGE_NONE;
        memset(nodes + r->room, 0, (room - r->room) * sizeof *nodes);
        for (uint32_t i = r->room; i < room; i++)
            nodes[i].next = i + 1 < room ? i + 1 : QN_RANGE_NONE;
        r->nodes = nodes;
        r->spare = r->room;
        r->room = room;
    }
    uint32_t i = r->spare;
    r->spare = r->nodes[i].next;
    return i;
}

static void retire(struct qn_range *r, uint32_t i)
{
    r->nodes[i].used = 0;
    r->nodes[i].length = 0;
    r->nodes[i].next = r->spare;
    r->spare = i;
}

quern_status qn_range_open(uint32_t units, struct qn_range **out)
{
    *out = NULL;
    if (units == 0) return qn_error(QUERN_INVALID, "a range of no units");
    struct qn_range *r = qn_zalloc(1, sizeof *r);
    if (r == NULL) return qn_error_memory("range allocator", sizeof *r);
    memset(r->head, 0xff, sizeof r->head);
    r->units = units;
    r->spare = QN_RANGE_NONE;
    uint32_t i = fresh(r);
    if (i == QN_RANGE_NONE) {
        qn_free(r);
        return qn_error_memory("range allocator", 64 * sizeof(struct node));
    }
    r->nodes[i].length = units;
    r->nodes[i].left = r->nodes[i].right = QN_RANGE_NONE;
    hang(r, i);
    *out = r;
    return QUERN_OK;
}

void qn_range_close(struct qn_range *r)
{
    if (r == NULL) return;
    qn_free(r->nodes);
    qn_free(r);
}

/* What a search for a block knows. */
struct search {
    const struct qn_range *range;
    uint32_t units;
    qn_range_ready_fn *ready;
    void *user;
};

/* The first block of one class's list that is long enough and ready; *looks counts down. */
static uint32_t look(const struct search *s, struct place p, uint32_t *looks)
{
    const struct node *nodes = s->range->nodes;
    uint32_t i = s->range->head[p.octave][p.step];
    for (; i != QN_RANGE_NONE && *looks != 0; i = nodes[i].next) {
        --*looks;
        if (nodes[i].length >= s->units && (s->ready == NULL || s->ready(s->user, nodes[i].stamp)))
            return i;
    }
    return QN_RANGE_NONE;
}

/* Classes from `p` upwards, each of which fits as a whole. */
static uint32_t look_up(const struct search *s, struct place p)
{
    const struct qn_range *r = s->range;
    uint32_t looks = UP_LOOKS;
    uint32_t steps = r->step_map[p.octave] & (~0u << p.step);
    for (;;) {
        for (; steps != 0; steps &= steps - 1) {
            uint32_t i = look(s, (struct place){p.octave, QN_LOWEST_BIT(steps)}, &looks);
            if (i != QN_RANGE_NONE || looks == 0) return i;
        }
        uint32_t above = p.octave + 1 < OCTAVES ? r->octave_map & (~0u << (p.octave + 1)) : 0;
        if (above == 0) return QN_RANGE_NONE;
        p.octave = QN_LOWEST_BIT(above);
        steps = r->step_map[p.octave];
    }
}

static uint32_t find(const struct search *s)
{
    struct place own = place_of(s->units);
    uint32_t looks = OWN_LOOKS;
    uint32_t i = look(s, own, &looks);
    if (i != QN_RANGE_NONE) return i;
    /* One step up, every block is long enough. The topmost class has nothing above it. */
    uint32_t next = own.step + 1, octave = own.octave;
    if (next == STEPS) {
        next = 0;
        octave++;
    }
    if (octave < OCTAVES) i = look_up(s, (struct place){octave, next});
    if (i != QN_RANGE_NONE) return i;
    looks = LAST_LOOKS;
    return look(s, own, &looks);
}

uint32_t qn_range_take(struct qn_range *r, uint32_t units, qn_range_ready_fn *ready, void *user,
                       struct qn_stamp *stamp)
{
    if (units == 0) units = 1;
    if (units > r->units) return QN_RANGE_NONE;
    struct search s = {r, units, ready, user};
    uint32_t i = find(&s);
    if (i == QN_RANGE_NONE) return QN_RANGE_NONE;
    unhang(r, i);
    if (r->nodes[i].length > units) {
        uint32_t j = fresh(r); /* none left: the whole block is given, which wastes but works */
        if (j != QN_RANGE_NONE) {
            struct node *a = &r->nodes[i], *b = &r->nodes[j];
            *b = (struct node){.offset = a->offset + units,
                               .length = a->length - units,
                               .left = i,
                               .right = a->right,
                               .stamp = a->stamp};
            if (b->right != QN_RANGE_NONE) r->nodes[b->right].left = j;
            a->right = j;
            a->length = units;
            hang(r, j);
        }
    }
    r->nodes[i].used = 1;
    r->taken++;
    if (stamp != NULL) *stamp = r->nodes[i].stamp;
    return i;
}

/* What must be over before the union of two free blocks may be used. Epochs come from one clock, so
 * the later of two queues' epochs bounds both. */
static struct qn_stamp join(struct qn_stamp a, struct qn_stamp b)
{
    if (a.epoch == 0) return b;
    if (b.epoch == 0) return a;
    return (struct qn_stamp){a.queue == b.queue ? a.queue : QN_STAMP_MANY,
                             a.epoch > b.epoch ? a.epoch : b.epoch};
}

/* `right`, free and hung nowhere, becomes part of its left neighbour. */
static void absorb(struct qn_range *r, uint32_t left, uint32_t right)
{
    struct node *a = &r->nodes[left], *b = &r->nodes[right];
    a->length += b->length;
    a->stamp = join(a->stamp, b->stamp);
    a->right = b->right;
    if (a->right != QN_RANGE_NONE) r->nodes[a->right].left = left;
    retire(r, right);
}

void qn_range_give(struct qn_range *r, uint32_t block, struct qn_stamp stamp)
{
    uint32_t i = block;
    if (i >= r->room || !r->nodes[i].used) return;
    r->taken--;
    r->nodes[i].used = 0;
    r->nodes[i].stamp = stamp;
    uint32_t right = r->nodes[i].right, left = r->nodes[i].left;
    if (right != QN_RANGE_NONE && !r->nodes[right].used) {
        unhang(r, right);
        absorb(r, i, right);
    }
    if (left != QN_RANGE_NONE && !r->nodes[left].used) {
        unhang(r, left);
        absorb(r, left, i);
        i = left;
    }
    hang(r, i);
}

uint32_t qn_range_offset(const struct qn_range *r, uint32_t block)
{
    return r->nodes[block].offset;
}

uint32_t qn_range_length(const struct qn_range *r, uint32_t block)
{
    return r->nodes[block].length;
}

uint32_t qn_range_largest(const struct qn_range *r)
{
    uint32_t largest = 0;
    if (r->octave_map == 0) return 0;
    uint32_t octave = QN_HIGHEST_BIT(r->octave_map);
    uint32_t step = QN_HIGHEST_BIT(r->step_map[octave]);
    for (uint32_t i = r->head[octave][step]; i != QN_RANGE_NONE; i = r->nodes[i].next)
        if (r->nodes[i].length > largest) largest = r->nodes[i].length;
    return largest;
}

int qn_range_idle(const struct qn_range *r, struct qn_stamp *stamp)
{
    if (r->taken != 0) return 0;
    if (stamp != NULL) *stamp = r->nodes[0].stamp;
    return 1;
}

void qn_range_walk(const struct qn_range *r, qn_range_walk_fn *visit, void *user)
{
    for (uint32_t i = 0; i != QN_RANGE_NONE; i = r->nodes[i].right)
        visit(user, r->nodes[i].offset, r->nodes[i].length, (int)r->nodes[i].used);
}

/* Every list and bitmap against the nodes by address. */
static int lists_hold(const struct qn_range *r, uint32_t free_nodes)
{
    uint32_t seen = 0;
    for (uint32_t o = 0; o < OCTAVES; o++) {
        if ((r->step_map[o] != 0) != ((r->octave_map >> o & 1u) != 0)) return 0;
        for (uint32_t s = 0; s < STEPS; s++) {
            uint32_t before = QN_RANGE_NONE;
            if ((r->head[o][s] != QN_RANGE_NONE) != ((r->step_map[o] >> s & 1u) != 0)) return 0;
            for (uint32_t i = r->head[o][s]; i != QN_RANGE_NONE; i = r->nodes[i].next) {
                struct place p = place_of(r->nodes[i].length);
                if (r->nodes[i].used || r->nodes[i].previous != before) return 0;
                if (p.octave != o || p.step != s || ++seen > free_nodes) return 0;
                before = i;
            }
        }
    }
    return seen == free_nodes;
}

int qn_range_check(const struct qn_range *r)
{
    uint32_t at = 0, left = QN_RANGE_NONE, free_nodes = 0, used_nodes = 0, visited = 0;
    for (uint32_t i = 0; i != QN_RANGE_NONE; i = r->nodes[i].right) {
        const struct node *n = &r->nodes[i];
        if (++visited > r->room || n->length == 0 || n->offset != at || n->left != left) return 0;
        if (left != QN_RANGE_NONE && !n->used && !r->nodes[left].used) return 0; /* not merged */
        if (n->used)
            used_nodes++;
        else
            free_nodes++;
        at += n->length;
        left = i;
    }
    return at == r->units && used_nodes == r->taken && lists_hold(r, free_nodes);
}
