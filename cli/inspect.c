/* SPDX-License-Identifier: Apache-2.0
 * inspect and list: what a model has learned, what estimators there are. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { SHOWN = 6 }; /* values of a list that text output shows */

static void print_value(const json_t *value)
{
    if (json_is_real(value))
        printf("%.10g", json_real_value(value));
    else if (json_is_string(value))
        printf("%s", json_string_value(value));
    else if (json_is_null(value))
        printf("nan");
    else if (json_is_array(value))
        printf("%zu values", json_array_size(value));
    else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        printf("%s", text != NULL ? text : "?");
        quern_free(text);
    }
}

static void print_list(const char *name, const json_t *list)
{
    size_t i;
    json_t *value;
    printf("      %-22s ", name);
    json_array_foreach((json_t *)(uintptr_t)list, i, value)
    {
        if (i == SHOWN) break;
        printf(i == 0 ? "" : ", ");
        print_value(value);
    }
    if (json_array_size(list) > SHOWN) printf(", … %zu in all", json_array_size(list));
    printf("\n");
}

static void print_chain(const json_t *chain)
{
    size_t i;
    json_t *one, *value;
    const char *name;
    json_array_foreach((json_t *)(uintptr_t)chain, i, one)
    {
        printf("    %s\n", json_string_value(json_object_get(one, "estimator")));
        json_object_foreach(json_object_get(one, "attributes"), name, value)
            print_list(name, value);
    }
}

static void print_model(const json_t *root)
{
    size_t i;
    json_t *step;
    const json_t *output = json_object_get(root, "output");
    printf("%zu input columns, %zu output columns of %s%s\n",
           json_array_size(json_object_get(json_object_get(root, "input"), "columns")),
           json_array_size(json_object_get(output, "names")),
           json_string_value(json_object_get(output, "dtype")),
           json_is_true(json_object_get(output, "sparse")) ? ", sparse" : "");
    json_array_foreach(json_object_get(root, "steps"), i, step)
    {
        const char *name = json_string_value(json_object_get(step, "name"));
        printf("  step %zu%s%s: %zu columns\n", i, name != NULL ? " " : "",
               name != NULL ? name : "", json_array_size(json_object_get(step, "columns")));
        print_chain(json_object_get(step, "apply"));
    }
    if (json_array_size(json_object_get(root, "then")) != 0) {
        printf("  then\n");
        print_chain(json_object_get(root, "then"));
    }
}

int command_inspect(struct options *options)
{
    quern_model *model;
    char *text = NULL;
    if (quern_model_load(options->operands[0], &model) != QUERN_OK) return failed();
    quern_status status = quern_model_inspect(model, &text);
    quern_model_free(model);
    if (status != QUERN_OK) return failed();
    if (options->json) {
        puts(text);
    } else {
        json_t *root = json_loads(text, 0, NULL);
        print_model(root);
        json_decref(root);
    }
    quern_free(text);
    return EXIT_DONE;
}

int command_list(struct options *options)
{
    char *text;
    size_t i, k;
    json_t *one, *param;
    if (quern_estimators_json(&text) != QUERN_OK) return failed();
    if (options->json) {
        puts(text);
        quern_free(text);
        return EXIT_DONE;
    }
    json_t *root = json_loads(text, 0, NULL);
    json_array_foreach(json_object_get(root, "estimators"), i, one)
    {
        printf("%s%s\n    %s\n", i == 0 ? "" : "\n",
               json_string_value(json_object_get(one, "name")),
               json_string_value(json_object_get(one, "doc")));
        json_array_foreach(json_object_get(one, "params"), k, param)
        {
            char *initial =
                json_dumps(json_object_get(param, "default"), JSON_ENCODE_ANY | JSON_COMPACT);
            printf("      %-22s %-14s %s\n", json_string_value(json_object_get(param, "name")),
                   initial != NULL ? initial : "?",
                   json_string_value(json_object_get(param, "doc")));
            quern_free(initial);
        }
    }
    json_decref(root);
    quern_free(text);
    return EXIT_DONE;
}
