/* SPDX-License-Identifier: Apache-2.0
 * Model files: safetensors' container (8-byte length, JSON header, little-endian tensors), with the
 * spec and the input's schema in the header's metadata and the learned attributes as tensors. No
 * time, device, thread count or path is in it, so equal fits give equal bytes. Nothing in it is code.
 * docs/model-format.md describes it.
 *
 * A file is hostile input: every length is checked against the file's size before it is used, and a
 * refusal names the offset and the reason. */
#ifndef QN_MODEL_FILE_H
#define QN_MODEL_FILE_H

#include "host/core/os.h"
#include "host/pipeline/fit.h"

/* Hands what was learned to fn, tensor after tensor, in the file's order; as quern_model_tensors. */
quern_status qn_model_tensors(const struct quern_model *, quern_tensor_fn *fn, void *user);
/* The bytes of a model; freed by qn_free. */
quern_status qn_model_bytes(const struct quern_model *, void **bytes, size_t *size);
quern_status qn_model_save(const struct quern_model *, const char *path);
/* name: for messages. */
quern_status qn_model_parse(const char *name, const void *bytes, size_t size,
                            struct quern_model **out);
quern_status qn_model_load(const char *path, struct quern_model **out);

#endif
