/* SPDX-License-Identifier: Apache-2.0
 * What cmake/python.cmake renames the archive's stdin to. */
#include <stddef.h>

extern void *qn_py_no_stdin;
void *qn_py_no_stdin = NULL;
