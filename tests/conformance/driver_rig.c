/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/driver_rig.h"

int rig_set_up(void **state)
{
    static const struct qn_null_config null_config = {.kernel = kernels_of_null};
    static struct rig rig;
    const struct qn_subject *subject = *state;
    rig = (struct rig){.subject = subject, .driver = subject->driver};
    *state = &rig;
    if (!subject->present) return 0;
    qn_null_reset(&null_config);
    if (rig.driver->caps(subject->index, &rig.caps) != QUERN_OK ||
        rig.driver->open(subject->index, &rig.dev) != QUERN_OK ||
        rig.driver->queue_open(rig.dev, &rig.queues[0]) != QUERN_OK ||
        rig.driver->queue_open(rig.dev, &rig.queues[1]) != QUERN_OK) {
        (void)fprintf(stderr, "%s: %s\n", subject->id, qn_error_text());
        return -1;
    }
    return 0;
}

int rig_tear_down(void **state)
{
    struct rig *rig = *state;
    if (!rig->subject->present) return 0;
    rig->driver->queue_close(rig->dev, rig->queues[1]);
    rig->driver->queue_close(rig->dev, rig->queues[0]);
    rig->driver->close(rig->dev);
    if (qn_null_live() != 0) {
        (void)fprintf(stderr, "%s: %llu objects were left behind\n", rig->subject->id,
                      (unsigned long long)qn_null_live());
        return -1;
    }
    return 0;
}

struct rig *rig_of(void **state)
{
    struct rig *rig = *state;
    qn_test_need(rig->subject);
    return rig;
}

void need_feature(const struct rig *rig, uint32_t feature, const char *what)
{
    if ((rig->caps.features & feature) == feature) return;
    (void)fprintf(stderr, "%s has no %s\n", rig->subject->id, what);
    skip();
}

struct qn_view whole(struct qn_raw *raw, uint64_t size)
{
    return (struct qn_view){raw, 0, size};
}

uint64_t aligned(const struct rig *rig, uint64_t offset)
{
    uint64_t align = rig->caps.base_align;
    return (offset + align - 1) / align * align;
}

void pattern(unsigned char *to, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        to[i] = (unsigned char)(seed >> 24);
    }
}

void get(struct rig *rig, void *to, struct qn_view from)
{
    OK(rig->driver->download(rig->queues[0], to, from, QN_WAIT));
}
