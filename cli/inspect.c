/* SPDX-License-Identifier: Apache-2.0
 * inspect and list: what a model has learned, what a spec's run would do, what estimators there are. */
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

/* "2 passes (extremes, moments; quantiles)" */
static void print_fit_passes(const json_t *passes)
{
    const json_t *fit = json_object_get(passes, "fit"), *takes = json_object_get(passes, "takes");
    size_t i, k;
    json_t *one, *kind;
    if (!json_is_integer(fit)) {
        printf("the fit's are not in the file");
        return;
    }
    printf("%lld to fit", (long long)json_integer_value(fit));
    json_array_foreach((json_t *)(uintptr_t)takes, i, one)
    {
        printf(i == 0 ? " (" : "; ");
        json_array_foreach(one, k, kind)
            printf("%s%s", k == 0 ? "" : ", ", json_string_value(kind));
    }
    if (json_array_size(takes) != 0) printf(")");
}

static void print_passes(const json_t *root)
{
    const json_t *passes = json_object_get(root, "passes"), *read = json_object_get(passes, "read");
    printf("passes over the rows: ");
    print_fit_passes(passes);
    printf(", %lld to transform\n",
           (long long)json_integer_value(json_object_get(passes, "transform")));
    if (read == NULL) return;
    if (json_is_true(json_object_get(root, "streamed")))
        printf("the file is larger than --max-memory: each pass reads it, and %lld before them to "
               "infer types\n",
               (long long)json_integer_value(read));
    else
        printf("the file is read once and kept in memory\n");
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
    print_passes(root);
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

/* A name, or an object of one name and its parameters. */
static void print_estimator(const json_t *one)
{
    const char *name = json_string_value(one);
    if (name == NULL) name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)one));
    printf(" %s", name != NULL ? name : "?");
}

static void print_plan(const json_t *root)
{
    size_t i, k;
    const json_t *spec = json_object_get(root, "spec");
    json_t *step, *one;
    printf("%lld rows, %lld columns\n",
           (long long)json_integer_value(json_object_get(root, "rows")),
           (long long)json_integer_value(json_object_get(root, "input_columns")));
    print_passes(root);
    json_array_foreach(json_object_get(spec, "steps"), i, step)
    {
        json_t *apply = json_object_get(step, "apply");
        printf("  step %zu:", i);
        if (!json_is_array(apply)) print_estimator(apply);
        json_array_foreach(apply, k, one) print_estimator(one);
        printf("\n");
    }
}

/* JSON's brace may be the first byte of a model too; that is a length of eight bytes, some of them 0. */
static int is_spec(const char *path)
{
    char first[8];
    FILE *file = fopen(path, "rb");
    size_t n = file != NULL ? fread(first, 1, sizeof first, file) : 0;
    if (file != NULL) (void)fclose(file);
    size_t brace = 0;
    while (brace < n && strchr(" \t\r\n", first[brace]) != NULL && first[brace] != '\0') brace++;
    return n == sizeof first && brace < n && first[brace] == '{' &&
           memchr(first, 0, sizeof first) == NULL;
}

static int inspect_spec(struct options *options)
{
    quern_pipeline *pipeline = NULL;
    char *text = NULL;
    int code = EXIT_DONE;
    if (options->n_operands < 2) {
        complain("%s is a spec: name the data too, which decides how often it is read",
                 options->operands[0]);
        return EXIT_USAGE;
    }
    quern_context *context = open_context(options);
    if (context == NULL) return EXIT_FAILED;
    if (quern_pipeline_from_file(options->operands[0], &pipeline) != QUERN_OK ||
        quern_pipeline_plan(context, pipeline, options->operands[1], &text) != QUERN_OK) {
        code = failed();
    } else if (options->json) {
        puts(text);
    } else {
        json_t *root = json_loads(text, 0, NULL);
        print_plan(root);
        json_decref(root);
    }
    quern_free(text);
    quern_pipeline_free(pipeline);
    close_context(context);
    return code;
}

int command_inspect(struct options *options)
{
    quern_model *model;
    char *text = NULL;
    if (is_spec(options->operands[0])) return inspect_spec(options);
    if (options->n_operands > 1) {
        complain("%s is not a spec; a model needs no data to be inspected", options->operands[0]);
        return EXIT_USAGE;
    }
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
