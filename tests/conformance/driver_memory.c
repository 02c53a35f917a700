/* SPDX-License-Identifier: Apache-2.0
 * The driver suite: memory and transfers. */
#include "tests/conformance/driver_rig.h"

void bytes_come_back_as_they_went(void **state)
{
    struct rig *rig = rig_of(state);
    static const size_t sizes[] = {1, 3, 4, 255, 4096, 65537, 1 << 20};
    static unsigned char there[1 << 20], back[1 << 20];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct qn_raw *raw = NULL;
        pattern(there, sizes[s], (unsigned)s + 1);
        memset(back, 0, sizes[s]);
        OK(rig->driver->raw_alloc(rig->dev, sizes[s], &raw));
        OK(rig->driver->upload(rig->queues[0], whole(raw, sizes[s]), there, QN_WAIT));
        get(rig, back, whole(raw, sizes[s]));
        assert_memory_equal(there, back, sizes[s]);
        rig->driver->raw_free(rig->dev, raw);
    }
}

void transfers_reach_any_offset(void **state)
{
    struct rig *rig = rig_of(state);
    enum { SIZE = 8192 };
    static const size_t offsets[] = {0, 1, 13, 4096, 8191};
    unsigned char model[SIZE], back[SIZE];
    struct qn_raw *raw = NULL;
    OK(rig->driver->raw_alloc(rig->dev, SIZE, &raw));
    pattern(model, SIZE, 9);
    OK(rig->driver->upload(rig->queues[0], whole(raw, SIZE), model, QN_WAIT));
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        size_t size = SIZE - offsets[i] < 100 ? SIZE - offsets[i] : 100;
        pattern(model + offsets[i], size, (unsigned)i + 50);
        struct qn_view part = {raw, offsets[i], size};
        OK(rig->driver->upload(rig->queues[0], part, model + offsets[i], QN_WAIT));
        memset(back, 0, size);
        get(rig, back, part);
        assert_memory_equal(back, model + offsets[i], size);
    }
    get(rig, back, whole(raw, SIZE));
    assert_memory_equal(back, model, SIZE);
    rig->driver->raw_free(rig->dev, raw);
}

void transfers_of_nothing_do_nothing(void **state)
{
    struct rig *rig = rig_of(state);
    struct qn_raw *raw = NULL;
    unsigned char byte = 1;
    OK(rig->driver->raw_alloc(rig->dev, 64, &raw));
    OK(rig->driver->upload(rig->queues[0], whole(raw, 0), &byte, QN_WAIT));
    OK(rig->driver->download(rig->queues[0], &byte, whole(raw, 0), QN_WAIT));
    OK(rig->driver->copy(rig->queues[0], whole(raw, 0), (struct qn_view){raw, 32, 0}));
    OK(rig->driver->fill(rig->queues[0], whole(raw, 0), 1));
    OK(rig->driver->finish(rig->queues[0]));
    assert_int_equal(byte, 1);
    rig->driver->raw_free(rig->dev, raw);
}

void work_that_was_not_waited_for_is_done_at_finish(void **state)
{
    struct rig *rig = rig_of(state);
    enum { SIZE = 1 << 18, PIECES = 64 };
    static unsigned char there[SIZE], back[SIZE];
    struct qn_raw *raw = NULL;
    const size_t piece = SIZE / PIECES;
    pattern(there, SIZE, 3);
    memset(back, 0, SIZE);
    OK(rig->driver->raw_alloc(rig->dev, SIZE, &raw));
    for (size_t i = 0; i < PIECES; i++)
        OK(rig->driver->upload(rig->queues[0], (struct qn_view){raw, i * piece, piece},
                               there + i * piece, QN_NO_WAIT));
    for (size_t i = 0; i < PIECES; i++)
        OK(rig->driver->download(rig->queues[0], back + i * piece,
                                 (struct qn_view){raw, i * piece, piece}, QN_NO_WAIT));
    OK(rig->driver->finish(rig->queues[0]));
    assert_memory_equal(there, back, SIZE);
    rig->driver->raw_free(rig->dev, raw);
}

void fill_writes_the_word_and_no_more(void **state)
{
    struct rig *rig = rig_of(state);
    uint32_t words[1024];
    struct qn_raw *raw = NULL;
    OK(rig->driver->raw_alloc(rig->dev, sizeof words, &raw));
    OK(rig->driver->fill(rig->queues[0], whole(raw, sizeof words), 0));
    OK(rig->driver->fill(rig->queues[0], (struct qn_view){raw, 4 * 10, 4 * 1000}, 0x01020304));
    get(rig, words, whole(raw, sizeof words));
    for (size_t i = 0; i < 1024; i++)
        assert_int_equal(words[i], i >= 10 && i < 1010 ? 0x01020304 : 0);
    rig->driver->raw_free(rig->dev, raw);
}

void copy_moves_between_and_within_blocks(void **state)
{
    struct rig *rig = rig_of(state);
    enum { SIZE = 4096 };
    unsigned char there[SIZE], back[SIZE];
    struct qn_raw *a = NULL, *b = NULL;
    pattern(there, SIZE, 4);
    OK(rig->driver->raw_alloc(rig->dev, SIZE, &a));
    OK(rig->driver->raw_alloc(rig->dev, SIZE, &b));
    OK(rig->driver->fill(rig->queues[0], whole(b, SIZE), 0));
    OK(rig->driver->upload(rig->queues[0], whole(a, SIZE), there, QN_WAIT));
    OK(rig->driver->copy(rig->queues[0], (struct qn_view){b, 7, 1000},
                         (struct qn_view){a, 100, 1000}));
    OK(rig->driver->copy(rig->queues[0], (struct qn_view){b, 2048, 1000},
                         (struct qn_view){b, 7, 1000}));
    get(rig, back, whole(b, SIZE));
    assert_memory_equal(back + 7, there + 100, 1000);
    assert_memory_equal(back + 2048, there + 100, 1000);
    assert_int_equal(back[6], 0);
    assert_int_equal(back[1007], 0);
    rig->driver->raw_free(rig->dev, a);
    rig->driver->raw_free(rig->dev, b);
}

void views_outside_their_block_are_refused(void **state)
{
    struct rig *rig = rig_of(state);
    unsigned char bytes[64] = {0};
    struct qn_raw *raw = NULL;
    OK(rig->driver->raw_alloc(rig->dev, 64, &raw));
    const struct qn_view bad[] = {
        {raw, 0, 65}, {raw, 64, 1}, {raw, 60, 8}, {raw, UINT64_MAX - 3, 8}, {NULL, 0, 8}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct qn_view same = {raw, 0, bad[i].size};
        REFUSED(rig->driver->upload(rig->queues[0], bad[i], bytes, QN_WAIT));
        REFUSED(rig->driver->download(rig->queues[0], bytes, bad[i], QN_WAIT));
        REFUSED(rig->driver->copy(rig->queues[0], bad[i], same));
        REFUSED(rig->driver->copy(rig->queues[0], same, bad[i]));
        if (bad[i].size % 4 == 0) REFUSED(rig->driver->fill(rig->queues[0], bad[i], 0));
    }
    REFUSED(rig->driver->fill(rig->queues[0], whole(raw, 63), 0));
    REFUSED(rig->driver->copy(rig->queues[0], whole(raw, 8), whole(raw, 9)));
    OK(rig->driver->finish(rig->queues[0]));
    rig->driver->raw_free(rig->dev, raw);
    rig->driver->raw_free(rig->dev, NULL);
}

void too_large_a_block_is_out_of_memory_and_harmless(void **state)
{
    struct rig *rig = rig_of(state);
    const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX - 4095, (uint64_t)1 << 60};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct qn_raw *raw = NULL;
        qn_error_clear();
        assert_int_equal(rig->driver->raw_alloc(rig->dev, sizes[i], &raw), QUERN_OUT_OF_MEMORY);
        assert_null(raw);
        assert_true(qn_error_text()[0] != '\0');
    }
    struct qn_raw *raw = NULL;
    OK(rig->driver->raw_alloc(rig->dev, 4096, &raw));
    rig->driver->raw_free(rig->dev, raw);
}

void staging_memory_is_ordinary_memory_to_the_host(void **state)
{
    struct rig *rig = rig_of(state);
    enum { SIZE = 100000 };
    unsigned char *there = NULL, *back = NULL;
    struct qn_raw *raw = NULL;
    if (!QN_HAS(rig->driver, pinned_alloc)) {
        (void)fprintf(stderr, "%s offers no page-locked memory\n", rig->subject->id);
        skip();
    }
    OK(rig->driver->pinned_alloc(rig->dev, SIZE, (void **)&there));
    OK(rig->driver->pinned_alloc(rig->dev, SIZE, (void **)&back));
    OK(rig->driver->raw_alloc(rig->dev, SIZE, &raw));
    pattern(there, SIZE, 5);
    memset(back, 0, SIZE);
    OK(rig->driver->upload(rig->queues[0], whole(raw, SIZE), there, QN_NO_WAIT));
    OK(rig->driver->download(rig->queues[0], back, whole(raw, SIZE), QN_NO_WAIT));
    OK(rig->driver->finish(rig->queues[0]));
    assert_memory_equal(there, back, SIZE);
    rig->driver->pinned_free(rig->dev, back);
    rig->driver->pinned_free(rig->dev, there);
    rig->driver->pinned_free(rig->dev, NULL);
    rig->driver->raw_free(rig->dev, raw);
}

void wrapped_memory_is_used_in_place(void **state)
{
    struct rig *rig = rig_of(state);
    enum { SIZE = 1 << 16 };
    need_feature(rig, QN_FEATURE_WRAP, "use of the caller's memory in place");
    unsigned char *memory = aligned_alloc(4096, SIZE), *back = malloc(SIZE);
    struct qn_raw *raw = NULL;
    assert_non_null(memory);
    assert_non_null(back);
    pattern(memory, SIZE, 6);
    OK(rig->driver->raw_wrap(rig->dev, memory, SIZE, 1, &raw));
    get(rig, back, whole(raw, SIZE));
    assert_memory_equal(back, memory, SIZE);
    OK(rig->driver->fill(rig->queues[0], (struct qn_view){raw, 8, 4096}, 0x11111111));
    OK(rig->driver->finish(rig->queues[0]));
    rig->driver->raw_free(rig->dev, raw);
    assert_memory_equal(memory, back, 8);
    for (size_t i = 8; i < 8 + 4096; i++) assert_int_equal(memory[i], 0x11);
    assert_memory_equal(memory + 8 + 4096, back + 8 + 4096, SIZE - 8 - 4096);
    free(back);
    free(memory);
}

/* NumPy's memory starts anywhere: either it is used in place, or the refusal says so. */
void wrapping_odd_addresses_works_or_is_refused(void **state)
{
    struct rig *rig = rig_of(state);
    enum { SIZE = 10000 };
    need_feature(rig, QN_FEATURE_WRAP, "use of the caller's memory in place");
    unsigned char *memory = aligned_alloc(4096, 16384), *back = malloc(SIZE);
    assert_non_null(memory);
    assert_non_null(back);
    static const size_t shifts[] = {1, 4, 8, 16, 64, 100};
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        struct qn_raw *raw = NULL;
        pattern(memory, 16384, (unsigned)i);
        quern_status status = rig->driver->raw_wrap(rig->dev, memory + shifts[i], SIZE, 0, &raw);
        if (status == QUERN_OK) {
            get(rig, back, whole(raw, SIZE));
            assert_memory_equal(back, memory + shifts[i], SIZE);
            rig->driver->raw_free(rig->dev, raw);
        } else {
            assert_int_equal(status, QUERN_UNSUPPORTED);
            assert_true(qn_error_text()[0] != '\0');
        }
    }
    free(back);
    free(memory);
}

void host_memory_has_an_address(void **state)
{
    struct rig *rig = rig_of(state);
    need_feature(rig, QN_FEATURE_HOST_MEMORY, "memory that the host can address");
    struct qn_raw *raw = NULL;
    uint32_t word = 42;
    OK(rig->driver->raw_alloc(rig->dev, 4096, &raw));
    OK(rig->driver->upload(rig->queues[0], whole(raw, 4), &word, QN_WAIT));
    uint32_t *at = rig->driver->raw_pointer(raw);
    assert_non_null(at);
    assert_int_equal((uintptr_t)at % rig->caps.base_align, 0);
    assert_int_equal(*at, 42);
    rig->driver->raw_free(rig->dev, raw);
}
