/* SPDX-License-Identifier: Apache-2.0
 * QN_BODY, a header in quotes, compiled once per instruction set. It finds QN_SUFFIX for its names, QN_LEVEL
 * (an enum qn_isa) and QN_VECTOR_BYTES. To be included as often as there are bodies; forgets QN_BODY. */
#include "backends/cpu/isa.h"

#define QN_SUFFIX baseline
#define QN_LEVEL 0
#define QN_VECTOR_BYTES 16
#include QN_BODY
#undef QN_SUFFIX
#undef QN_LEVEL
#undef QN_VECTOR_BYTES
#if QN_X86
QN_TARGET_BEGIN(QN_FEATURES_AVX2)
#define QN_SUFFIX avx2
#define QN_LEVEL 1
#define QN_VECTOR_BYTES 32
#include QN_BODY
#undef QN_SUFFIX
#undef QN_LEVEL
#undef QN_VECTOR_BYTES
QN_TARGET_END
QN_TARGET_BEGIN(QN_FEATURES_AVX512)
#define QN_SUFFIX avx512
#define QN_LEVEL 2
#define QN_VECTOR_BYTES 64
#include QN_BODY
#undef QN_SUFFIX
#undef QN_LEVEL
#undef QN_VECTOR_BYTES
QN_TARGET_END
#endif
#undef QN_BODY
