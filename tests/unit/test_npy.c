/* SPDX-License-Identifier: Apache-2.0
 * NPY in and out, NPZ out. Headers are hostile input: each refusal has its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "tests/unit/table_text.h"

/* A file of version 1 with this dictionary and `n` bytes of values 0, 1, 2, … */
static size_t make_file(char *out, const char *dictionary, size_t n)
{
    size_t length = strlen(dictionary);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)(length & 0xff);
    out[9] = (char)(length >> 8);
    memcpy(out + 10, dictionary, length);
    for (size_t i = 0; i < n; i++) out[10 + length + i] = (char)i;
    return 10 + length + n;
}

static void arrays_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *dictionary;
        size_t bytes;
        const char *expected;
        int is_matrix;
    } cases[] = {
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", 6,
         ":uint8[0 3] :uint8[1 4] :uint8[2 5]", 1},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", 6,
         ":uint8[0 1] :uint8[2 3] :uint8[4 5]", 0},
        {"{\"shape\":(3,),'descr':\"|i1\",'fortran_order':False}  \n", 3, ":int8[0 1 2]", 1},
        {"{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }\n", 4, ":int16[256 770]", 1},
        {"{'descr': '<i2', 'fortran_order': False, 'shape': (2L, 1L), }\n", 99, ":int16[256 770]",
         1},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", 2, ":bool[F T]", 1},
        {"{'descr': '=u2', 'fortran_order': False, 'shape': (1, 2), }", 4,
         ":uint16[256] :uint16[770]", 1},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 2), }", 0, ":float64[] :float64[]",
         1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[300], got[TABLE_TEXT];
        struct quern_table *table;
        size_t n = make_file(bytes, cases[i].dictionary, cases[i].bytes);
        if (qn_npy_parse("t.npy", bytes, n, &table) != QUERN_OK) fail_msg("%s", qn_error_text());
        table_text(got, table);
        assert_string_equal(got, cases[i].expected);
        assert_int_equal(table->is_matrix, cases[i].is_matrix);
        qn_table_free(table);
    }
}

static void files_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *dictionary;
        size_t bytes;
        const char *expected;
    } cases[] = {
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 47,
         "t.npy: 2 x 3 values of type float64 are announced, 47 bytes are there"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 0,
         "t.npy: 4294967296 x 4294967296 values of type uint8 are announced, 0 bytes are there"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,), }", 0,
         "t.npy: NPY header, byte 80: the shape is too large"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 0), }", 0,
         "t.npy: a table cannot have 0 columns"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (0, 1445774143), }", 0,
         "t.npy: a table cannot have 1445774143 columns"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (), }", 1,
         "t.npy: a single value, not an array"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1), }", 1,
         "t.npy: the array has more than two dimensions"},
        {"{'descr': '>f8', 'fortran_order': False, 'shape': (1,), }", 8,
         "t.npy: values of NumPy type '>f8' are not supported (big-endian)"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8,
         "t.npy: values of NumPy type '|O' are not supported (Python objects)"},
        {"{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", 16,
         "t.npy: values of NumPy type '<U4' are not supported (text: use CSV)"},
        {"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,), }", 8,
         "t.npy: values of NumPy type '<M8[ns]' are not supported (convert to datetime64[us])"},
        {"{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }", 8,
         "t.npy: a structured array; plain numbers are expected"},
        {"{'descr': '|u1', 'fortran_order': False}", 1,
         "t.npy: NPY header, byte 50: descr, fortran_order or shape is not given"},
        {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", 1,
         "t.npy: NPY header, byte 35: an unknown or repeated key"},
        {"{'descr': '|u1', 'fortran_order': 0, 'shape': (1,)}", 1,
         "t.npy: NPY header, byte 44: True or False is expected"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}", 1,
         "t.npy: NPY header, byte 61: the shape is not made of integers"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1", 1,
         "t.npy: NPY header, byte 62: the shape has no end"},
        {"{'descr", 0, "t.npy: NPY header, byte 17: the word has no end"},
        {"__import__('os')", 0, "t.npy: NPY header, byte 10: a dictionary is expected"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)} + 1", 1,
         "t.npy: NPY header, byte 66: something follows the dictionary"},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", 3,
         "t.npy: byte 67 is 2, not a truth value"},
    };
    char bytes[300];
    struct quern_table *table;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = make_file(bytes, cases[i].dictionary, cases[i].bytes);
        if (qn_npy_parse("t.npy", bytes, n, &table) == QUERN_OK)
            fail_msg("was read: %s", cases[i].dictionary);
        assert_null(table);
        assert_string_equal(qn_error_text(), cases[i].expected);
    }
    /* every cut of a good file */
    size_t n = make_file(bytes, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", 6);
    for (size_t cut = 0; cut < n; cut++) {
        char *copy = qn_alloc(cut + 1, 1); /* of its own size: a sanitizer sees a byte too far */
        memcpy(copy, bytes, cut);
        char *exact = qn_realloc(copy, cut > 0 ? cut : 1, 1);
        assert_int_equal(qn_npy_parse("t.npy", exact, cut, &table), QUERN_CORRUPT);
        qn_free(exact);
    }
    bytes[6] = 9;
    assert_int_equal(qn_npy_parse("t.npy", bytes, n, &table), QUERN_UNSUPPORTED);
}

static void headers_are_numpys(void **state)
{
    (void)state;
    static const char expected[] =
        "\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }"
        "                                                          \n";
    char got[256];
    size_t n = qn_npy_header(got, QUERN_FLOAT64, 3, 2);
    assert_int_equal(n, sizeof expected - 1);
    assert_memory_equal(got, expected, n);
    assert_int_equal(qn_npy_header(got, QUERN_DATETIME, UINT64_MAX, UINT64_MAX) % 64, 0);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    static const int32_t padded[3][4] = {{1, 2, 3, -9}, {4, 5, 6, -9}, {7, 8, 9, -9}};
    static const int64_t moments[] = {0, INT64_MIN, 5};
    char path[] = "/tmp/quern-test-XXXXXX", got[TABLE_TEXT];
    struct qn_outfile *file;
    struct quern_table *table;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(qn_outfile_open(path, &file), QUERN_OK);
    assert_int_equal(qn_npy_write(file, padded, QUERN_INT32, 3, 3, sizeof padded[0]), QUERN_OK);
    assert_int_equal(qn_outfile_commit(file), QUERN_OK);
    assert_int_equal(qn_npy_read(path, &table), QUERN_OK);
    table_text(got, table);
    assert_string_equal(got, ":int32[1 4 7] :int32[2 5 8] :int32[3 6 9]");
    qn_table_free(table);

    assert_int_equal(qn_outfile_open(path, &file), QUERN_OK);
    assert_int_equal(qn_npy_write(file, moments, QUERN_DATETIME, 3, 1, 0), QUERN_OK);
    assert_int_equal(qn_npy_write(file, moments, QUERN_STRING, 3, 1, 0), QUERN_UNSUPPORTED);
    assert_int_equal(qn_outfile_commit(file), QUERN_OK);
    assert_int_equal(qn_npy_read(path, &table), QUERN_OK);
    table_text(got, table);
    assert_string_equal(got, ":datetime[1970-01-01T00:00:00.000000 - 1970-01-01T00:00:00.000005]");
    qn_table_free(table);
    (void)unlink(path);
    assert_int_equal(qn_npy_read(path, &table), QUERN_IO);
}

static uint32_t field(const unsigned char *p, int bytes)
{
    uint32_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

/* Walks the archive by its central directory, as an unzip does. */
static void a_sparse_matrix_is_a_sound_archive(void **state)
{
    (void)state;
    static const int64_t indptr[] = {0, 2, 2, 3};
    static const int32_t indices[] = {0, 4, 2};
    static const float data[] = {1.5f, -2.0f, 3.0f};
    static const char *const names[] = {"indices.npy", "indptr.npy", "format.npy", "shape.npy",
                                        "data.npy"};
    char path[] = "/tmp/quern-test-XXXXXX";
    unsigned char bytes[4096];
    struct qn_outfile *file;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(qn_outfile_open(path, &file), QUERN_OK);
    assert_int_equal(qn_npz_write_csr(file, 3, 5, indptr, indices, data, QUERN_FLOAT32), QUERN_OK);
    assert_int_equal(qn_outfile_commit(file), QUERN_OK);
    FILE *in = fopen(path, "rb");
    size_t size = fread(bytes, 1, sizeof bytes, in);
    (void)fclose(in);
    (void)unlink(path);
    const unsigned char *end = bytes + size - 22;
    assert_int_equal(field(end, 4), 0x06054b50);
    assert_int_equal(field(end + 10, 2), 5);
    const unsigned char *entry = bytes + field(end + 16, 4);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(field(entry, 4), 0x02014b50);
        uint32_t n = field(entry + 28, 2), length = field(entry + 24, 4);
        assert_int_equal(n, strlen(names[i]));
        assert_memory_equal(entry + 46, names[i], n);
        const unsigned char *local = bytes + field(entry + 42, 4);
        assert_int_equal(field(local, 4), 0x04034b50);
        const unsigned char *body = local + 30 + n;
        assert_int_equal(crc32(0, body, length), field(entry + 16, 4));
        struct quern_table *table;
        char got[TABLE_TEXT];
        if (i == 0 || i == 1 || i == 4) {
            assert_int_equal(qn_npy_parse(names[i], body, length, &table), QUERN_OK);
            table_text(got, table);
            assert_string_equal(got, i == 0   ? ":int32[0 4 2]"
                                     : i == 1 ? ":int32[0 2 2 3]"
                                              : ":float32[1.5 -2.0 3.0]");
            qn_table_free(table);
        }
        entry += 46 + n;
    }
    assert_ptr_equal(entry, end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_read),
        cmocka_unit_test(files_that_lie_are_refused),
        cmocka_unit_test(headers_are_numpys),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_sparse_matrix_is_a_sound_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
