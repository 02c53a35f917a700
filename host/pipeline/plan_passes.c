/* SPDX-License-Identifier: Apache-2.0
 * How often a fit walks over its rows. The plan says it from what its steps ask for: in each round one
 * walk takes moments, extremes and distinct values together; order statistics, which need the counts,
 * take one more (two where columns are float32 and float64); each step that looks at every row one, and so
 * do rows that a step draws; and which classes a target has is looked up once before their moments. That is
 * how it is for dense rows in memory, and what the plan says, for a model's file must not tell where its
 * rows lay. Over a file in chunks order statistics take more walks (host/stats/quantiles.h), and so may steps
 * that look at whole columns, some at a time; of a sparse table all that a round asks for is taken in one. */
#include "host/pipeline/plan_passes.h"

#include <string.h>

#include "host/core/checked.h"

static const struct {
    uint32_t flag;
    const char *name;
} KINDS[] = {
    {QN_NEED_MOMENTS, "moments"},     {QN_NEED_WEIGHTED, "weighted_moments"},
    {QN_NEED_SAMPLE, "sample"},       {QN_NEED_CLASSES, "class_moments"},
    {QN_NEED_EXTREMES, "extremes"},   {QN_NEED_CATEGORIES, "categories"},
    {QN_NEED_QUANTILES, "quantiles"}, {QN_NEED_ROWS, "rows"},
    {QN_NEED_POWERS, "powers"},       {QN_NEED_DRAWN, "drawn_rows"},
    {QN_NEED_MODE, "modes"},          {QN_PASS_LABELS, "target_classes"},
};
enum { N_KINDS = sizeof KINDS / sizeof *KINDS };

static quern_status add(struct qn_plan *plan, uint32_t kinds)
{
    if (plan->n_passes == plan->room_passes) {
        uint32_t room = 2 * plan->room_passes + 8;
        uint32_t *more = qn_arena_alloc(&plan->arena, room, sizeof *more);
        if (more == NULL) return qn_error_memory_while("planning");
        if (plan->n_passes != 0) memcpy(more, plan->passes, plan->n_passes * sizeof *more);
        plan->passes = more;
        plan->room_passes = room;
    }
    plan->passes[plan->n_passes++] = kinds;
    return QUERN_OK;
}

/* What a round asks for. */
struct asked {
    uint32_t flags;     /* of a walk over all columns together */
    uint32_t quantiles; /* bit QN_W_F32 and bit QN_W_F64: of columns that are looked at so */
    uint32_t readings, draws, modes; /* steps */
};

/* The distinct values of a column of the table are counted once and kept; those of later layers' columns
 * are counted for each round. */
static int counts_rows(struct qn_plan *plan, const struct qn_port *port)
{
    int base = port->raw || plan->n_layers == 1;
    uint32_t column = port->raw ? port->source : port->chain->source;
    if (!base || column >= plan->schema->n_columns) return 1;
    if (plan->counted[column]) return 0;
    plan->counted[column] = 1;
    return 1;
}

static void look_at(struct qn_plan *plan, const struct qn_port *port, uint32_t flags,
                    struct asked *a)
{
    const uint32_t together = QN_NEED_MOMENTS | QN_NEED_WEIGHTED | QN_NEED_SAMPLE |
                              QN_NEED_CLASSES | QN_NEED_EXTREMES | QN_NEED_POWERS;
    if (!port->raw) a->flags |= flags & together;
    if ((flags & QN_NEED_CATEGORIES) && counts_rows(plan, port)) a->flags |= QN_NEED_CATEGORIES;
    if ((flags & QN_NEED_QUANTILES) && !(flags & QN_NEED_DRAWN) && !port->raw)
        a->quantiles |= 1u << (port->chain->work == QN_W_F32 ? QN_W_F32 : QN_W_F64);
}

static struct asked ask_all(struct qn_plan *plan)
{
    struct asked a = {0};
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const struct qn_plan_step *step = &plan->steps[i];
        for (uint32_t k = 0; step->needs != NULL && k < step->n_probes; k++)
            look_at(plan, &step->probes[k], step->needs[k].flags, &a);
        if (step->needs == NULL || step->n_probes == 0) continue;
        uint32_t flags = 0;
        for (uint32_t k = 0; k < step->n_probes; k++) flags |= step->needs[k].flags;
        a.modes += (flags & QN_NEED_MODE) != 0;
        int draws = (step->needs[0].flags & QN_NEED_DRAWN) != 0;
        a.readings += !draws && (step->needs[0].flags & QN_NEED_ROWS) != 0;
        a.draws += (uint32_t)draws;
    }
    return a;
}

static int labels_known(const struct qn_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_passes; i++)
        if (plan->passes[i] & QN_NEED_CLASSES) return 1;
    return 0;
}

quern_status qn_plan_note_passes(struct qn_plan *plan)
{
    if (plan->counted == NULL)
        plan->counted = qn_arena_alloc(&plan->arena, plan->schema->n_columns, 1);
    if (plan->counted == NULL) return qn_error_memory_while("planning");
    struct asked a = ask_all(plan);
    if ((a.flags & QN_NEED_CLASSES) && !labels_known(plan)) QN_TRY(add(plan, QN_PASS_LABELS));
    if (a.flags != 0) QN_TRY(add(plan, a.flags));
    for (uint32_t work = QN_W_F32; work <= QN_W_F64; work++)
        if (a.quantiles >> work & 1u) QN_TRY(add(plan, QN_NEED_QUANTILES));
    for (uint32_t i = 0; i < a.draws; i++) QN_TRY(add(plan, QN_NEED_DRAWN));
    for (uint32_t i = 0; i < a.modes; i++) QN_TRY(add(plan, QN_NEED_MODE));
    for (uint32_t i = 0; i < a.readings; i++) QN_TRY(add(plan, QN_NEED_ROWS));
    return QUERN_OK;
}

void qn_plan_share_passes(const struct qn_plan *from, struct qn_plan *to)
{
    to->passes = from->passes;
    to->n_passes = to->room_passes = from->n_passes;
    to->passes_known = from->passes_known;
}

/* ---- in words ---- */

json_t *qn_passes_json(const struct qn_plan *plan)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < plan->n_passes; i++) {
        json_t *one = json_array();
        for (uint32_t k = 0; one != NULL && k < N_KINDS; k++)
            if (plan->passes[i] & KINDS[k].flag)
                (void)json_array_append_new(one, json_string(KINDS[k].name));
        (void)json_array_append_new(list, one);
    }
    return list;
}

static uint32_t flag_of(const char *name)
{
    for (uint32_t k = 0; name != NULL && k < N_KINDS; k++)
        if (strcmp(name, KINDS[k].name) == 0) return KINDS[k].flag;
    return 0;
}

int qn_passes_parse(struct qn_plan *plan, const json_t *list, quern_status *status)
{
    size_t i, k;
    const json_t *one, *word;
    *status = QUERN_OK;
    if (!json_is_array(list)) return 0;
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        uint32_t kinds = 0;
        json_array_foreach((json_t *)(uintptr_t)one, k, word)
        {
            uint32_t flag = flag_of(json_string_value(word));
            if (flag == 0) return 0;
            kinds |= flag;
        }
        if (kinds == 0) return 0;
        *status = add(plan, kinds);
        if (*status != QUERN_OK) return 1;
    }
    plan->passes_known = 1;
    return 1;
}
