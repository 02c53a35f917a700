/* SPDX-License-Identifier: Apache-2.0
 * Sources, images, kernels and launches of the null driver: nothing is compiled; a launch runs the C
 * function that the test gave. */
#include <stdio.h>
#include <string.h>

#include "backends/null/state.h"

static const char image_mark[] = "quern null image ";

static quern_status make_module(struct qn_dev *dev, const char *name, size_t bytes,
                                struct qn_module **out)
{
    struct qn_module *module = qn_zalloc(1, sizeof *module);
    if (module == NULL) return qn_error_memory("null: a module", sizeof *module);
    module->dev = dev;
    module->bytes = bytes;
    (void)snprintf(module->name, sizeof module->name, "%s", name);
    qn_null_adopt(dev);
    *out = module;
    return QUERN_OK;
}

/* A source that says #error is rejected, as by every compiler. */
quern_status qn_null_compile(struct qn_dev *dev, const struct qn_source *source,
                             struct qn_module **out)
{
    quern_status status = qn_null_enter(QN_NULL_COMPILE, source->bytes, NULL, source->name);
    static const char word[] = "#error";
    const size_t length = sizeof word - 1;
    *out = NULL;
    for (size_t i = 0; status == QUERN_OK && i + length <= source->bytes; i++)
        if (memcmp(source->text + i, word, length) == 0)
            status = qn_error(QUERN_COMPILE, "null: %s was rejected: #error at byte %zu",
                              source->name, i);
    if (status == QUERN_OK) status = make_module(dev, source->name, source->bytes, out);
    return qn_null_done(status);
}

void qn_null_module_free(struct qn_dev *dev, struct qn_module *module)
{
    if (module == NULL) return;
    (void)qn_null_enter(QN_NULL_MODULE_FREE, module->bytes, NULL, module->name);
    for (uint32_t i = 0; i < QN_NULL_MAX_QUEUES; i++) {
        if (qn_null.queues[i] == NULL) continue;
        for (const struct qn_work *w = qn_null.queues[i]->first; w != NULL; w = w->next) {
            if (w->kernel == NULL || w->kernel->module != module) continue;
            qn_null_blame("module_free: a queued launch still uses %s", module->name);
            qn_null_drain(qn_null.queues[i], qn_null.queues[i]->submitted);
            break;
        }
    }
    while (module->kernels != NULL) {
        struct qn_kernel *kernel = module->kernels;
        module->kernels = kernel->next;
        qn_free(kernel);
    }
    qn_null_disown(dev);
    qn_free(module);
    (void)qn_null_done(QUERN_OK);
}

quern_status qn_null_image_save(struct qn_module *module, void **bytes, size_t *size)
{
    quern_status status = qn_null_enter(QN_NULL_IMAGE_SAVE, 0, NULL, module->name);
    *bytes = NULL;
    *size = 0;
    if (status == QUERN_OK) {
        size_t length = sizeof image_mark - 1 + strlen(module->name);
        *bytes = qn_alloc(length + 1, 1);
        if (*bytes == NULL)
            status = qn_error_memory("null: an image", length);
        else {
            (void)snprintf(*bytes, length + 1, "%s%s", image_mark, module->name);
            *size = length;
        }
    }
    return qn_null_done(status);
}

quern_status qn_null_image_load(struct qn_dev *dev, const struct qn_source *source,
                                const void *bytes, size_t size, struct qn_module **out)
{
    quern_status status = qn_null_enter(QN_NULL_IMAGE_LOAD, size, NULL, source->name);
    const size_t mark = sizeof image_mark - 1;
    *out = NULL;
    if (status == QUERN_OK &&
        (bytes == NULL || size < mark || memcmp(bytes, image_mark, mark) != 0))
        status = qn_error(QUERN_CORRUPT, "null: this is no image of %s", source->name);
    if (status == QUERN_OK) status = make_module(dev, source->name, size, out);
    return qn_null_done(status);
}

/* Kernels whose name begins with "no_" do not exist; all others do. */
static quern_status find_kernel(struct qn_module *module, const char *name, struct qn_kernel **out)
{
    for (struct qn_kernel *k = module->kernels; k != NULL; k = k->next) {
        if (strcmp(k->name, name) == 0) {
            *out = k;
            return QUERN_OK;
        }
    }
    if (strncmp(name, "no_", 3) == 0)
        return qn_error(QUERN_INVALID, "null: %s has no kernel named %s", module->name, name);
    struct qn_kernel *kernel = qn_zalloc(1, sizeof *kernel);
    if (kernel == NULL) return qn_error_memory("null: a kernel", sizeof *kernel);
    kernel->module = module;
    (void)snprintf(kernel->name, sizeof kernel->name, "%s", name);
    kernel->next = module->kernels;
    module->kernels = kernel;
    *out = kernel;
    return QUERN_OK;
}

quern_status qn_null_kernel_get(struct qn_module *module, const char *name, struct qn_kernel **out)
{
    quern_status status = qn_null_enter(QN_NULL_KERNEL_GET, 0, NULL, name);
    *out = NULL;
    if (status == QUERN_OK) status = find_kernel(module, name, out);
    return qn_null_done(status);
}

static quern_status check_launch(const struct qn_kernel *kernel, const struct qn_grid *grid,
                                 const struct qn_arg *args, uint32_t n_args)
{
    if (grid->groups[0] == 0 || grid->groups[1] == 0 || grid->items == 0 ||
        grid->groups[1] > 65535 || n_args > QN_NULL_MAX_ARGS)
        return qn_error(QUERN_INVALID, "null: %s was launched with %u x %u groups of %u items",
                        kernel->name, grid->groups[0], grid->groups[1], grid->items);
    if (grid->items > qn_null.config.caps.max_group)
        return qn_error(QUERN_UNSUPPORTED, "null: %s was launched with groups of %u items of %u",
                        kernel->name, grid->items, qn_null.config.caps.max_group);
    for (uint32_t i = 0; i < n_args; i++) {
        if (args[i].kind != QN_ARG_VIEW || args[i].u.view.raw == NULL) continue;
        QN_TRY(qn_null_view_check("a kernel's argument", args[i].u.view));
        if (args[i].u.view.offset % qn_null.config.caps.base_align == 0) continue;
        qn_null_blame("launch: argument %u of %s at offset %llu is not aligned to %u", i,
                      kernel->name, (unsigned long long)args[i].u.view.offset,
                      qn_null.config.caps.base_align);
        return qn_error(QUERN_INVALID, "null: argument %u of %s is not aligned", i, kernel->name);
    }
    return QUERN_OK;
}

quern_status qn_null_launch(struct qn_queue *queue, struct qn_kernel *kernel,
                            const struct qn_grid *grid, const struct qn_arg *args, uint32_t n_args)
{
    uint64_t items = (uint64_t)grid->groups[0] * grid->groups[1] * grid->items;
    quern_status status = qn_null_enter(QN_NULL_LAUNCH, items, queue, kernel->name);
    if (status == QUERN_OK) status = check_launch(kernel, grid, args, n_args);
    if (status == QUERN_OK) {
        struct qn_work work = {
            .op = QN_NULL_LAUNCH, .kernel = kernel, .grid = *grid, .n_args = n_args};
        if (n_args != 0) memcpy(work.args, args, n_args * sizeof *args);
        status = qn_null_submit(queue, &work);
    }
    return qn_null_done(status);
}
