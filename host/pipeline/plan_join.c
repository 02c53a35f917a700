/* SPDX-License-Identifier: Apache-2.0
 * The end of a plan: blocks side by side, the chain over them, names and dtype of the output. */
#include "host/pipeline/plan_inside.h"

#include <string.h>

#include "host/core/checked.h"

/* Stored elements of a step's block, as ColumnTransformer counts them: all of a dense one, the ones of
 * a sparse one, whatever scalers do to them afterwards. */
static double stored_elements(const struct qn_plan *plan, const struct qn_plan_step *step)
{
    double stored = 0;
    if (plan->stored != NULL) {
        for (uint32_t i = 0; i < step->n_ports; i++)
            stored += step->ports[i].sparse && !step->ports[i].constant
                          ? (double)plan->stored[step->ports[i].column]
                          : (double)plan->rows;
        return stored;
    }
    for (uint32_t k = step->n_apply; k-- > 0 && step->n_ports != 0 && step->ports[0].sparse;)
        if (step->apply[k].type->stored != NULL)
            return step->apply[k].type->stored(&step->apply[k], &step->attrs[k], plan->rows,
                                               step->n_ports);
    return (double)plan->rows * step->n_ports;
}

void qn_plan_decide_sparse(struct qn_plan *plan)
{
    double stored = 0, all = 0;
    int any = 0;
    for (uint32_t i = 0; i < plan->n_blocks; i++) {
        const struct qn_plan_step *step = &plan->steps[i];
        stored += stored_elements(plan, step);
        all += (double)plan->rows * step->n_ports;
        for (uint32_t k = 0; k < step->n_ports; k++) any |= step->ports[k].sparse;
    }
    enum qn_sparse wish = plan->spec->sparse;
    double threshold = wish == QN_SPARSE_AUTO  ? plan->spec->sparse_threshold
                       : wish == QN_SPARSE_YES ? 1.0
                                               : 0.0;
    plan->joined_sparse = any && all > 0 && stored / all < threshold;
    plan->decided_sparse = wish == QN_SPARSE_AUTO ? plan->joined_sparse : wish == QN_SPARSE_YES;
}

static quern_status prefix_names(struct qn_plan *plan, struct qn_plan_step *step)
{
    if (step->name == NULL) return QUERN_OK;
    for (uint32_t i = 0; i < step->n_ports; i++) {
        step->ports[i].name =
            qn_arena_printf(&plan->arena, "%s__%s", step->name, step->ports[i].name);
        if (step->ports[i].name == NULL) return qn_error_memory_while("planning");
    }
    return QUERN_OK;
}

/* All blocks' ports in one list, and the dtype that NumPy would give the joined array. */
quern_status qn_plan_join(struct qn_plan *plan)
{
    uint32_t n = 0, at = 0;
    for (uint32_t i = 0; i < plan->n_blocks; i++) {
        QN_TRY(prefix_names(plan, &plan->steps[i]));
        n += plan->steps[i].n_ports;
    }
    plan->outputs = qn_arena_alloc(&plan->arena, n, sizeof *plan->outputs);
    if (plan->outputs == NULL) return qn_error_memory_while("planning");
    for (uint32_t i = 0; i < plan->n_blocks; i++)
        for (uint32_t k = 0; k < plan->steps[i].n_ports; k++)
            plan->outputs[at++] = plan->steps[i].ports[k];
    plan->n_outputs = at;
    plan->dtype = QUERN_FLOAT64;
    for (uint32_t i = 0; i < at; i++) {
        const struct qn_port *p = &plan->outputs[i];
        plan->has_raw |= p->raw;
        /* a bool column with missing cells is an object array there; here it is float64 */
        plan->dtype = i == 0 ? p->type : qn_result_type(plan->dtype, p->type);
    }
    for (uint32_t i = 0; i < plan->n_blocks; i++)
        if (plan->steps[i].n_ports == 0 && plan->steps[i].emptied)
            plan->dtype = qn_result_type(plan->dtype, plan->steps[i].empty_type);
    return QUERN_OK;
}

quern_status qn_plan_open_then(struct qn_plan *plan)
{
    struct qn_plan_step *step = &plan->steps[plan->n_blocks];
    int c_order = 0;
    step->where = "then";
    if (plan->schema->is_sparse && !plan->decided_sparse)
        return qn_error(QUERN_UNSUPPORTED, "then: the joined output of the sparse table is dense; "
                                           "set output.sparse to true");
    step->apply = plan->spec->then;
    step->n_apply = plan->spec->n_then;
    for (uint32_t i = 0; i < plan->n_outputs; i++) {
        struct qn_port *p = &plan->outputs[i];
        if (p->raw)
            return qn_error(QUERN_UNSUPPORTED, "then: column \"%s\" is of type %s", p->name,
                            qn_type_name(p->type));
        c_order |= p->match != QN_MATCH_VALUE;
        p->sparse = plan->joined_sparse;
        p->type = plan->dtype; /* one array: values take the joined dtype as they are used */
    }
    step->rows_order = c_order ? (int)QN_ORDER_ROWS : (int)QN_ORDER_COLUMNS;
    step->ports = plan->outputs;
    step->n_ports = plan->n_outputs;
    QN_TRY(qn_plan_make_attrs(plan, step));
    plan->n_steps = plan->n_blocks + 1;
    /* the blocks are done; only `then` has ports from here on */
    for (uint32_t i = 0; i < plan->n_blocks; i++) plan->steps[i].n_ports = 0;
    return QUERN_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct qn_port *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static quern_status check_output_names(const struct qn_plan *plan)
{
    const struct qn_port **sorted = qn_alloc(plan->n_outputs, sizeof *sorted);
    quern_status status = QUERN_OK;
    if (sorted == NULL) return qn_error_memory_while("planning");
    for (uint32_t i = 0; i < plan->n_outputs; i++) sorted[i] = &plan->outputs[i];
    qsort(sorted, plan->n_outputs, sizeof *sorted, by_name);
    for (uint32_t i = 1; i < plan->n_outputs && status == QUERN_OK; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            status = qn_error(QUERN_INVALID,
                              "two output columns are called \"%s\"; give the steps a \"name\", "
                              "which becomes a prefix",
                              sorted[i]->name);
    qn_free(sorted);
    return status;
}

quern_status qn_plan_finish(struct qn_plan *plan)
{
    uint32_t n = 0;
    if (plan->n_steps > plan->n_blocks) {
        struct qn_plan_step *then = &plan->steps[plan->n_blocks];
        plan->outputs = then->ports;
        plan->n_outputs = then->n_ports;
        for (uint32_t i = 0; i < plan->n_outputs; i++)
            plan->dtype =
                i == 0 ? plan->outputs[0].type : qn_result_type(plan->dtype, plan->outputs[i].type);
    }
    if (plan->n_outputs == 0)
        return qn_error(QUERN_INVALID, "the pipeline gives no column: its steps select none");
    QN_TRY(check_output_names(plan));
    struct qn_layer *layer = qn_plan_layer(plan);
    struct qn_port *numbers = qn_arena_alloc(&plan->arena, plan->n_outputs, sizeof *numbers);
    if (numbers == NULL) return qn_error_memory_while("planning");
    for (uint32_t i = 0; i < plan->n_outputs; i++)
        if (!plan->outputs[i].raw) numbers[n++] = plan->outputs[i];
    layer->outputs = numbers;
    layer->n_outputs = n;
    return QUERN_OK;
}
