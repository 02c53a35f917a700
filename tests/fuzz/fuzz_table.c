/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer target: what the program does with a spec and a text file. The input is the spec, a line
 * "---", and the text. The file is fitted and transformed through the public interface: whole, from file
 * to file with three threads, and in passes within little memory. Models and outputs must be the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { FOLDER = 400, PATH = 420 };

static char folder[FOLDER], table_path[PATH], out_path[PATH];

static void remove_files(void)
{
    (void)remove(table_path);
    (void)remove(out_path);
    (void)remove(folder);
}

/* Made once: a folder of this process, where QUERN_FUZZ_DIR says or in /tmp. */
static void choose_paths(void)
{
    const char *where = getenv("QUERN_FUZZ_DIR");
    if (folder[0] != '\0') return;
    (void)snprintf(folder, FOLDER, "%.360s/quern-fuzz-XXXXXX", where != NULL ? where : "/tmp");
    fuzz_must(mkdtemp(folder) != NULL, "a folder for files");
    (void)snprintf(table_path, PATH, "%s/in.csv", folder);
    (void)snprintf(out_path, PATH, "%s/out.csv", folder);
    (void)atexit(remove_files);
}

static void write_table(const char *text, size_t size)
{
    FILE *f = fopen(table_path, "wb");
    fuzz_must(f != NULL && fwrite(text, 1, size, f) == size && fclose(f) == 0, "a file is written");
}

struct bytes {
    char *data;
    size_t size;
};

/* What a run left in the output file. */
static struct bytes read_out(void)
{
    struct bytes all = {NULL, 0};
    FILE *f = fopen(out_path, "rb");
    fuzz_must(f != NULL && fseek(f, 0, SEEK_END) == 0, "a run that succeeds leaves its output");
    long size = ftell(f);
    all.size = size > 0 ? (size_t)size : 0;
    all.data = malloc(all.size + 1);
    fuzz_must(size >= 0 && all.data != NULL && fseek(f, 0, SEEK_SET) == 0 &&
                  fread(all.data, 1, all.size, f) == all.size,
              "the output can be read");
    (void)fclose(f);
    (void)remove(out_path);
    return all;
}

/* From file to file; the status, and on success the model and the output. */
static quern_status run(quern_context *context, const quern_pipeline *pipeline, quern_model **model,
                        struct bytes *out)
{
    quern_job job = {.struct_size = sizeof job, .input = table_path, .output = out_path};
    *model = NULL;
    *out = (struct bytes){NULL, 0};
    quern_status status = quern_run(context, pipeline, &job, NULL, model);
    if (status == QUERN_OK) *out = read_out();
    return status;
}

/* The file in memory, by the steps of a program in C. */
static void in_memory(const quern_pipeline *pipeline, const quern_model *wanted)
{
    quern_table *table = NULL, *again = NULL;
    quern_model *model = NULL;
    fuzz_must(fuzz_done(quern_table_read(fuzz_context(1), pipeline, table_path, &table)),
              "a file that was fitted can be read");
    fuzz_must(fuzz_done(quern_pipeline_fit(fuzz_context(1), pipeline, table, &model)),
              "a table that was fitted from its file can be fitted");
    fuzz_must(fuzz_same_models(model, wanted), "one thread and three learn the same");
    fuzz_model(model, table);
    fuzz_must(fuzz_done(quern_table_read_for(fuzz_context(3), model, table_path, &again)),
              "a model's own file can be read for it");
    fuzz_must(quern_table_rows(table) == quern_table_rows(again), "rows stay rows");
    quern_model_free(model);
    quern_table_free(again);
    quern_table_free(table);
}

/* In passes. Little memory may be too little: that is the one other way out. */
static void in_passes(const quern_pipeline *pipeline, quern_status wanted, const quern_model *model,
                      const struct bytes *out)
{
    quern_model *streamed;
    struct bytes again;
    quern_status status = run(fuzz_little(), pipeline, &streamed, &again);
    if (status != QUERN_OUT_OF_MEMORY) {
        fuzz_must(status == wanted, "passes do not change whether a run succeeds");
        if (status == QUERN_OK) {
            fuzz_must(fuzz_same_models(model, streamed), "passes do not change what is learned");
            fuzz_must(again.size == out->size && memcmp(again.data, out->data, out->size) == 0,
                      "passes do not change the output");
        }
    }
    quern_model_free(streamed);
    free(again.data);
}

/* The first line that is "---". NULL: there is none. */
static const char *separator(const char *data, size_t size)
{
    for (size_t i = 0; i + 5 <= size; i++)
        if (memcmp(data + i, "\n---\n", 5) == 0) return data + i;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *spec = (const char *)data, *end = separator(spec, size);
    quern_pipeline *pipeline = NULL;
    quern_model *model;
    struct bytes out;
    if (end == NULL) return 0;
    if (!fuzz_done(quern_pipeline_from_spec("spec", spec, (size_t)(end - spec), &pipeline)))
        return 0;
    choose_paths();
    write_table(end + 5, size - (size_t)(end + 5 - spec));
    quern_status status = run(fuzz_context(3), pipeline, &model, &out);
    in_passes(pipeline, status, model, &out);
    if (fuzz_done(status)) in_memory(pipeline, model);
    quern_model_free(model);
    free(out.data);
    quern_pipeline_free(pipeline);
    return 0;
}
