/* SPDX-License-Identifier: Apache-2.0
 * The first places of a shuffle as numpy.random.RandomState makes it, without the rest of it. RandomState's
 * numbers and its shuffle are frozen (NEP 19): MT19937 (Matsumoto and Nishimura, Mersenne Twister,
 * 1998); for i from the last place down to 1, a number j <= i by masks and rejection; places i and j change
 * their values.
 *
 * The numbers must be drawn in that order, but what ends up in a place is found backwards, from i = 1 on, by
 * following that place alone: most exchanges touch no place that is followed, and are passed over. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { WORDS = 624, MIDDLE = 397 };

struct twister {
    uint32_t key[WORDS];
    uint32_t at;
};

static uint32_t twisted(uint32_t high, uint32_t low, uint32_t other)
{
    uint32_t y = (high & 0x80000000u) | (low & 0x7fffffffu);
    return other ^ (y >> 1) ^ ((0u - (low & 1u)) & 0x9908b0dfu);
}

static void next_words(struct twister *t)
{
    uint32_t *k = t->key;
    for (int i = 0; i < WORDS - MIDDLE; i++) k[i] = twisted(k[i], k[i + 1], k[i + MIDDLE]);
    for (int i = WORDS - MIDDLE; i < WORDS - 1; i++)
        k[i] = twisted(k[i], k[i + 1], k[i + MIDDLE - WORDS]);
    k[WORDS - 1] = twisted(k[WORDS - 1], k[0], k[MIDDLE - 1]);
    t->at = 0;
}

static void temper(const uint32_t *key, uint32_t *numbers)
{
    for (int i = 0; i < WORDS; i++) {
        uint32_t y = key[i];
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c5680u;
        y ^= y << 15 & 0xefc60000u;
        numbers[i] = y ^ y >> 18;
    }
}

/* with[i]: the place that i is exchanged with. A number that is too large is written over by the next: no
 * branch hangs on it, as there would be no telling which way it goes. */
static void draw(struct twister *t, uint32_t rows, uint32_t *with)
{
    uint32_t numbers[WORDS], mask = 0xffffffffu, i = rows - 1;
    temper(t->key, numbers);
    while (i > 0) {
        while (i <= mask >> 1) mask >>= 1;
        while (i > mask >> 1) { /* the numbers of one mask */
            if (t->at >= WORDS) {
                next_words(t);
                temper(t->key, numbers);
            }
            uint32_t j = numbers[t->at++] & mask;
            with[i] = j;
            i -= j <= i;
        }
    }
}

/* followed: a bit for each place; which: of those whose bit is set, the number of what is followed. */
static void follow(const uint32_t *with, uint32_t rows, uint32_t n, uint64_t *followed,
                   uint32_t *which, int64_t *head)
{
    for (uint32_t i = 0; i < n; i++) {
        which[i] = i;
        followed[i / 64] |= 1ull << i % 64;
    }
    for (uint32_t i = 1; i < n; i++) {
        uint32_t j = with[i], other = which[j];
        which[j] = which[i];
        which[i] = other;
    }
    for (uint32_t i = n > 1 ? n : 1; i < rows; i++) {
        uint32_t j = with[i];
        if (!(followed[j / 64] >> j % 64 & 1) || j == i) continue;
        followed[j / 64] &= ~(1ull << j % 64);
        followed[i / 64] |= 1ull << i % 64;
        which[i] = which[j];
    }
    for (uint32_t i = 0; i < rows; i++)
        if (followed[i / 64] >> i % 64 & 1) head[which[i]] = i;
}

static int shuffle(struct twister *t, uint32_t rows, uint32_t n, int64_t *head)
{
    uint32_t *with = calloc(rows, sizeof *with), *which = calloc(rows, sizeof *which);
    uint64_t *followed = calloc(rows / 64 + 1, sizeof *followed);
    int room = with != NULL && which != NULL && followed != NULL;
    if (room) {
        draw(t, rows, with);
        follow(with, rows, n, followed, which, head);
    }
    free(with);
    free(which);
    free(followed);
    return room;
}

/* The two buffers' sizes and what the state says. */
static int fits(const Py_buffer *state, const Py_buffer *head, long long rows)
{
    uint32_t at;
    if (state->len != sizeof(struct twister) || head->len % (Py_ssize_t)sizeof(int64_t) != 0 ||
        (uintptr_t)head->buf % sizeof(int64_t) != 0 || rows < 1 || rows > INT32_MAX ||
        head->len / (Py_ssize_t)sizeof(int64_t) > rows) {
        PyErr_SetString(PyExc_ValueError, "shuffled_head: a state of 625 words of 32 bits, and no "
                                          "more places of 64 bits than rows, at most 2147483647");
        return 0;
    }
    memcpy(&at, (const char *)state->buf + WORDS * sizeof at, sizeof at);
    if (at <= WORDS) return 1;
    PyErr_SetString(PyExc_ValueError, "shuffled_head: the state's position is beyond its words");
    return 0;
}

static PyObject *run(const Py_buffer *state, const Py_buffer *head, long long rows)
{
    struct twister t;
    int made;
    if (!fits(state, head, rows)) return NULL;
    memcpy(&t, state->buf, sizeof t);
    Py_BEGIN_ALLOW_THREADS;
    made =
        shuffle(&t, (uint32_t)rows, (uint32_t)(head->len / (Py_ssize_t)sizeof(int64_t)), head->buf);
    Py_END_ALLOW_THREADS;
    if (!made) return PyErr_NoMemory();
    memcpy(state->buf, &t, sizeof t);
    Py_RETURN_NONE;
}

PyObject *qn_py_shuffled_head(PyObject *module, PyObject *const *args, Py_ssize_t n,
                              PyObject *names)
{
    static const char *const words[] = {"state", "rows", "head"};
    static const struct qn_py_signature signature = {"shuffled_head", words, 3, 3};
    PyObject *given[3], *result = NULL;
    Py_buffer state, head;
    (void)module;
    if (qn_py_arguments(&signature, args, n, names, given) < 0) return NULL;
    long long rows = PyLong_AsLongLong(given[1]);
    if (rows == -1 && PyErr_Occurred()) return NULL;
    if (PyObject_GetBuffer(given[0], &state, PyBUF_WRITABLE) < 0) return NULL;
    if (PyObject_GetBuffer(given[2], &head, PyBUF_WRITABLE) == 0) {
        result = run(&state, &head, rows);
        PyBuffer_Release(&head);
    }
    PyBuffer_Release(&state);
    return result;
}
