/* SPDX-License-Identifier: Apache-2.0
 * NPY in and out, CSR NPZ out. NPY 1.0, 2.0 and 3.0 headers; little-endian values; C or Fortran
 * order; one or two dimensions (one: n × 1). The header is hostile input: bounded by the file's
 * size, parsed without eval, refused with the reason. */
#ifndef QN_NPY_H
#define QN_NPY_H

#include "host/core/os.h"
#include "host/data/table.h"

/* The file mapped as an owned table (is_matrix for C order). */
quern_status qn_npy_read(const char *path, struct quern_table **out);
quern_status qn_npy_parse(const char *name, const void *bytes, uint64_t size,
                          struct quern_table **out); /* a view of bytes */

/* The header for n × d values of a type ("<f8", "|b1", "<M8[us]"), padded to 64 bytes; into out,
 * at least 256 bytes; returns its length. */
size_t qn_npy_header(char *out, quern_type type, uint64_t rows, uint64_t columns);
quern_status qn_npy_write(struct qn_outfile *, const void *data, quern_type type, uint64_t rows,
                          uint64_t columns, int64_t row_stride);

/* As scipy.sparse.save_npz writes it (stored, not compressed): indices, indptr, format, shape, data.
 * indices int32; indptr int32 when it fits, else int64. */
quern_status qn_npz_write_csr(struct qn_outfile *, uint64_t rows, uint64_t columns,
                              const int64_t *indptr, const int32_t *indices, const void *data,
                              quern_type type);

/* CSV out: header of names (quoted where needed), shortest round-trip numbers as Python's repr
 * writes them, empty for missing. Values by column. */
quern_status qn_csv_write_header(struct qn_outfile *, const char *const *names, uint32_t n);
quern_status qn_csv_write_rows(struct qn_outfile *, const quern_column *columns, uint32_t n,
                               uint64_t rows);
/* Shortest text that reads back as the same value, as Python's repr: "0.1", "1e-07", "nan", "inf".
 * out: at least 32 bytes. Returns the length. */
size_t qn_format_f64(char *out, double value);
size_t qn_format_f32(char *out, float value); /* shortest for float32, as NumPy's str */
size_t qn_format_i64(char *out, int64_t value);
size_t qn_format_u64(char *out, uint64_t value);
size_t qn_format_datetime(char *out, int64_t microseconds); /* 2013-01-01T05:00:00.000000 */

#endif
