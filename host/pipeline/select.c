/* SPDX-License-Identifier: Apache-2.0
 * Which columns a step takes. Selectors never match the target or the weight column; naming one of
 * them explicitly is allowed. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/core/nearest.h"
#include "host/pipeline/spec.h"

const char *qn_table_name(struct qn_arena *arena, const struct quern_table *table, uint32_t i)
{
    if (table->columns[i].name != NULL) return table->columns[i].name;
    return qn_arena_printf(arena, "x%u", i);
}

int64_t qn_table_find(const struct quern_table *table, const char *name)
{
    char position[16];
    for (uint32_t i = 0; i < table->n_columns; i++) {
        const char *own = table->columns[i].name;
        if (own == NULL) {
            (void)snprintf(position, sizeof position, "x%u", i);
            own = position;
        }
        if (strcmp(own, name) == 0) return (int64_t)i;
    }
    return -1;
}

quern_status qn_table_lacks(const struct quern_table *table, const char *where, const char *name)
{
    char hint[160] = "";
    const char **names = qn_zalloc(table->n_columns, sizeof *names);
    if (names != NULL) {
        for (uint32_t i = 0; i < table->n_columns; i++)
            names[i] = table->columns[i].name != NULL ? table->columns[i].name : "";
        (void)qn_did_you_mean(hint, sizeof hint, name, names, table->n_columns);
        qn_free(names);
    }
    return qn_error(QUERN_INVALID, "%s: the table has no column \"%s\"%s", where, name, hint);
}

static quern_status list_columns(const struct qn_select *select, const char *where,
                                 const struct quern_table *table, uint32_t *out)
{
    for (uint32_t i = 0; i < select->n_items; i++) {
        const struct qn_select_item *item = &select->items[i];
        int64_t at = item->position;
        if (item->name != NULL) {
            at = qn_table_find(table, item->name);
            if (at < 0) return qn_table_lacks(table, where, item->name);
        } else {
            if (at < 0) at += table->n_columns; /* from the end, as in Python */
            if (at < 0 || at >= table->n_columns)
                return qn_error(QUERN_INVALID, "%s: position %lld is outside a table of %u columns",
                                where, (long long)item->position, table->n_columns);
        }
        out[i] = (uint32_t)at;
    }
    return QUERN_OK;
}

static int dtype_matches(const char *word, quern_type type)
{
    if (strcmp(word, "number") == 0) return qn_type_is_number(type);
    if (strcmp(word, "string") == 0 || strcmp(word, "category") == 0) return type == QUERN_STRING;
    if (strcmp(word, "bool") == 0) return type == QUERN_BOOL;
    return type == QUERN_DATETIME;
}

quern_status qn_select_columns(const struct qn_select *select, const char *where,
                               const struct quern_table *table, const char *target,
                               const char *weight, uint32_t **out, uint32_t *n)
{
    quern_status status = QUERN_OK;
    regex_t pattern;
    int compiled = 0;
    uint32_t room = select->kind == QN_SELECT_LIST ? select->n_items : table->n_columns;
    *n = 0;
    *out = qn_alloc(room, sizeof **out);
    if (*out == NULL) return qn_error_memory("columns", room);
    if (select->kind == QN_SELECT_LIST) {
        QN_GO(list_columns(select, where, table, *out));
        *n = select->n_items;
        return QUERN_OK;
    }
    if (select->kind == QN_SELECT_PATTERN) {
        int code = regcomp(&pattern, select->word, REG_EXTENDED | REG_NOSUB);
        if (code != 0) {
            char text[128];
            (void)regerror(code, NULL, text, sizeof text);
            status = qn_error(QUERN_INVALID, "%s.columns.pattern: %s", where, text);
            goto cleanup;
        }
        compiled = 1;
    }
    for (uint32_t i = 0; i < table->n_columns; i++) {
        char position[16];
        const char *name = table->columns[i].name;
        if (name == NULL) {
            (void)snprintf(position, sizeof position, "x%u", i);
            name = position;
        }
        if (target != NULL && strcmp(name, target) == 0) continue;
        if (weight != NULL && strcmp(name, weight) == 0) continue;
        if (select->kind == QN_SELECT_DTYPE && !dtype_matches(select->word, table->columns[i].type))
            continue;
        if (compiled && regexec(&pattern, name, 0, NULL, 0) != 0) continue;
        (*out)[(*n)++] = i;
    }
cleanup:
    if (compiled) regfree(&pattern);
    if (status != QUERN_OK) {
        qn_free(*out);
        *out = NULL;
    }
    return status;
}
