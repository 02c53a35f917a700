/* SPDX-License-Identifier: Apache-2.0
 * What was learned as named tensors: those of a model file (docs/model-format.md), in its order. */
#include <string.h>

#include "host/pipeline/model_file.h"

struct giver {
    quern_tensor_fn *fn;
    void *user;
};

static quern_status give(struct giver *g, const char *name, quern_type type, size_t count,
                         const void *data)
{
    quern_tensor tensor = {.name = name, .type = type, .count = count, .data = data};
    return g->fn(g->user, &tensor);
}

static quern_status give_matrix(struct giver *g, const char *name, const struct qn_attr *a)
{
    quern_tensor tensor = {.name = name,
                           .type = QUERN_FLOAT64,
                           .count = a->rows * a->n,
                           .data = a->f64,
                           .columns = a->n};
    return g->fn(g->user, &tensor);
}

static quern_status give_text(struct giver *g, struct qn_arena *arena, const char *name,
                              const struct qn_attr *a)
{
    int64_t *offsets = qn_arena_alloc(arena, (size_t)a->n + 1, sizeof *offsets);
    uint8_t *valid = qn_arena_alloc(arena, a->n, 1);
    if (offsets == NULL || valid == NULL) return qn_error_memory_while("listing what was learned");
    for (uint32_t i = 0; i < a->n; i++) {
        valid[i] = a->text[i] != NULL;
        offsets[i + 1] = offsets[i] + (a->text[i] != NULL ? (int64_t)strlen(a->text[i]) : 0);
    }
    char *text = qn_arena_alloc(arena, (size_t)offsets[a->n], 1);
    if (text == NULL) return qn_error_memory_while("listing what was learned");
    for (uint32_t i = 0; i < a->n; i++)
        if (a->text[i] != NULL) memcpy(text + offsets[i], a->text[i], strlen(a->text[i]));
    char *part = qn_arena_printf(arena, "%s/offsets", name);
    char *bytes = qn_arena_printf(arena, "%s/bytes", name);
    char *present = qn_arena_printf(arena, "%s/present", name);
    if (part == NULL || bytes == NULL || present == NULL)
        return qn_error_memory_while("listing what was learned");
    QN_TRY(give(g, part, QUERN_INT64, (size_t)a->n + 1, offsets));
    QN_TRY(give(g, bytes, QUERN_UINT8, (size_t)offsets[a->n], text));
    return give(g, present, QUERN_UINT8, a->n, valid);
}

static quern_status give_values(struct giver *g, struct qn_arena *arena, const char *name,
                                const struct qn_values *v)
{
    char *part = qn_arena_printf(arena, "%s/values", name);
    char *kind = qn_arena_printf(arena, "%s/kind", name);
    int64_t about[2] = {(int64_t)v->type, v->missing};
    if (part == NULL || kind == NULL) return qn_error_memory_while("listing what was learned");
    QN_TRY(give(g, kind, QUERN_INT64, 2, about));
    if (v->type == QUERN_STRING) {
        char *bytes = qn_arena_printf(arena, "%s/bytes", name);
        if (bytes == NULL) return qn_error_memory_while("listing what was learned");
        QN_TRY(give(g, part, QUERN_INT64, (size_t)v->count + 1, v->offsets));
        return give(g, bytes, QUERN_UINT8, (size_t)v->offsets[v->count], v->text);
    }
    if (qn_type_is_float(v->type)) return give(g, part, QUERN_FLOAT64, v->count, v->f64);
    return give(g, part, QUERN_INT64, v->count, v->i64);
}

static quern_status give_attr(struct giver *g, struct qn_arena *arena, const char *place,
                              const struct qn_attr *a)
{
    char *name = qn_arena_printf(arena, "%s/%s", place, a->name);
    if (name == NULL) return qn_error_memory_while("listing what was learned");
    switch (a->kind) {
    case QN_ATTR_F64: return give(g, name, QUERN_FLOAT64, a->n, a->f64);
    case QN_ATTR_I64: return give(g, name, QUERN_INT64, a->n, a->i64);
    case QN_ATTR_TEXT: return give_text(g, arena, name, a);
    case QN_ATTR_MATRIX: return give_matrix(g, name, a);
    case QN_ATTR_VALUES: break;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        char *one = qn_arena_printf(arena, "%s/%u", name, i);
        if (one == NULL) return qn_error_memory_while("listing what was learned");
        QN_TRY(give_values(g, arena, one, &a->values[i]));
    }
    return QUERN_OK;
}

/* The attribute that follows `after` in the order of names; NULL: the first, or none is left. */
static const struct qn_attr *next_by_name(const struct qn_attrs *attrs, const struct qn_attr *after)
{
    const struct qn_attr *best = NULL;
    for (const struct qn_attr *a = attrs->first; a != NULL; a = a->next)
        if ((after == NULL || strcmp(a->name, after->name) > 0) &&
            (best == NULL || strcmp(a->name, best->name) < 0))
            best = a;
    return best;
}

static quern_status give_steps(struct giver *g, struct qn_arena *arena, const struct quern_model *m)
{
    for (uint32_t i = 0; i < m->plan->n_steps; i++) {
        const struct qn_plan_step *step = &m->plan->steps[i];
        for (uint32_t k = 0; k < step->n_apply; k++) {
            char *place = i < m->plan->n_blocks ? qn_arena_printf(arena, "steps/%u/%u", i, k)
                                                : qn_arena_printf(arena, "then/%u", k);
            if (place == NULL) return qn_error_memory_while("listing what was learned");
            /* by name, so that a loaded model is written as it was read */
            for (const struct qn_attr *a = next_by_name(&step->attrs[k], NULL); a != NULL;
                 a = next_by_name(&step->attrs[k], a))
                QN_TRY(give_attr(g, arena, place, a));
        }
    }
    return QUERN_OK;
}

quern_status qn_model_tensors(const struct quern_model *model, quern_tensor_fn *fn, void *user)
{
    struct qn_arena arena = {0};
    struct giver g = {.fn = fn, .user = user};
    quern_status status = give_steps(&g, &arena, model);
    qn_arena_free(&arena);
    return status;
}
