/* SPDX-License-Identifier: Apache-2.0
 * Text of unknown encoding on its way to where only UTF-8 may stand: names, JSON. */
#ifndef QN_UTF8_H
#define QN_UTF8_H

#include <stddef.h>

/* 1: well-formed UTF-8, without surrogates, overlong forms and what is beyond U+10FFFF. */
int qn_utf8_valid(const char *text, size_t bytes);

/* The bytes, read as Latin-1 (which takes any), in UTF-8; ends with a zero byte. NULL: no memory. Freed
 * by qn_free. */
char *qn_utf8_from_latin1(const char *text, size_t bytes, size_t *size);

#endif
