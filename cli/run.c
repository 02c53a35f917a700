/* SPDX-License-Identifier: Apache-2.0
 * run, fit and transform. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static int finish(struct story *story)
{
    int code = EXIT_DONE;
    if (story->options->trace != NULL) code |= save_trace(story);
    if (story->options->report != NULL) code |= save_report(story);
    if (!story->options->quiet && code == EXIT_DONE) print_summary(story);
    return code;
}

static int fit_and_transform(struct options *options, const char *command, int fit_only)
{
    quern_pipeline *pipeline = NULL;
    quern_model *model = NULL;
    int code = EXIT_FAILED;
    quern_context *context = open_context(options);
    if (context == NULL) return EXIT_FAILED;
    struct story story = {.options = options, .command = command, .context = context};
    story.info.struct_size = sizeof story.info;
    quern_job job = {
        .struct_size = sizeof job,
        .input = options->operands[1],
        .output = options->output,
        .model = options->model,
        .names = options->names,
        .no_transform = fit_only,
    };
    if (quern_pipeline_from_file(options->operands[0], &pipeline) != QUERN_OK ||
        quern_run(context, pipeline, &job, &story.info, &model) != QUERN_OK) {
        code = failed();
    } else {
        story.model = model;
        code = finish(&story);
    }
    quern_model_free(model);
    quern_pipeline_free(pipeline);
    close_context(context);
    return code;
}

int command_run(struct options *options)
{
    return fit_and_transform(options, "run", 0);
}

int command_fit(struct options *options)
{
    if (options->model == NULL) {
        complain("fit needs --model, the file that the model goes to");
        return EXIT_USAGE;
    }
    return fit_and_transform(options, "fit", 1);
}

int command_transform(struct options *options)
{
    quern_model *model = NULL;
    int code = EXIT_FAILED;
    quern_context *context = open_context(options);
    if (context == NULL) return EXIT_FAILED;
    struct story story = {.options = options, .command = "transform", .context = context};
    story.info.struct_size = sizeof story.info;
    quern_job job = {
        .struct_size = sizeof job,
        .input = options->operands[1],
        .output = options->output,
        .names = options->names,
    };
    if (quern_model_load(options->operands[0], &model) != QUERN_OK ||
        quern_apply(context, model, &job, &story.info) != QUERN_OK) {
        code = failed();
    } else {
        story.model = model;
        code = finish(&story);
    }
    quern_model_free(model);
    close_context(context);
    return code;
}
