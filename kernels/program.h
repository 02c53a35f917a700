/* SPDX-License-Identifier: Apache-2.0
 * What a fitted pipeline is to a processor: lanes, ops and slots. Plain C, OpenCL C and CUDA read
 * this one file, so the host and every kernel agree on it.
 *
 *   lane   one input column seen through a chain of ops; a chain has one accumulator and no branches
 *   op     one step of a chain: the accumulator and up to two parameter words make the accumulator
 *   operand  one more input column with a chain of its own, which other chains take in by TAKE
 *   slot   one output column: where a lane's value is stored, or one column of a one-hot block
 *
 * Parameters live in a table of 64-bit words (doubles, int64 or uint64 by the op's need); they never
 * enter a kernel's source. A float32 parameter is stored as the double of the same value.
 *
 * The accumulator has a working type, known before the run: F32, F64, I64 or CODE. Every float32 op
 * rounds to float32; no op contracts. Missing is NaN in F32/F64. I64 has no missing.
 * CODE is uint32: 0 … k-1 a category, k missing, k+1 unknown. */
#ifndef QN_PROGRAM_H
#define QN_PROGRAM_H

#if defined(__OPENCL_VERSION__)
typedef uint qn_u32;
typedef int qn_i32;
typedef ulong qn_u64;
typedef long qn_i64;
#elif defined(__CUDACC__) || defined(__CUDACC_RTC__)
typedef unsigned int qn_u32;
typedef int qn_i32;
typedef unsigned long long qn_u64;
typedef long long qn_i64;
#else
#include <stdint.h>
typedef uint32_t qn_u32;
typedef int32_t qn_i32;
typedef uint64_t qn_u64;
typedef int64_t qn_i64;
#endif

/* Stored types: the numbers of quern_type. */
#define QN_T_BOOL 0u
#define QN_T_I8 1u
#define QN_T_I16 2u
#define QN_T_I32 3u
#define QN_T_I64 4u
#define QN_T_U8 5u
#define QN_T_U16 6u
#define QN_T_U32 7u
#define QN_T_U64 8u
#define QN_T_F32 9u
#define QN_T_F64 10u

/* Working types of the accumulator. */
#define QN_W_F32 0u
#define QN_W_F64 1u
#define QN_W_I64 2u
#define QN_W_CODE 3u

/* Ops. p0, p1 are words[arg], words[arg + 1]. `work` in the op is the working type that it acts on;
 * TO_*, FIND and VALUE leave another one behind. x is the accumulator.
 *
 *   FILL        x is NaN ? p0 : x
 *   FILL_EQ     x == p0 ? p1 : x                  (a marker other than NaN: -1, "0", …)
 *   SUB ADD MUL DIV   x op p0
 *   CLIP        NaN stays; x < p0 ? p0 : x, then > p1 ? p1
 *   GREATER     x > p0 ? 1 : 0
 *   MISSING     x is NaN ? 1 : 0
 *   EQUAL       x == p0 ? 1 : 0
 *   EXP EXPM1 LOG LOG1P SQRT RECIPROCAL ASINH SIN COS NCDF NQUANTILE LOG2 LOG10 ABS SQUARE
 *               that function of x; F32 and F64 only; NCDF and NQUANTILE: the normal distribution
 *               function and its inverse (kernels/functions.h, docs/numbers.md)
 *   RDIV        p0 / x; F32 and F64 only
 *   LOOK        x; that it is infinite is noted (QN_SEEN_MADE_INF); F32 and F64 only
 *   POW         x to the power of p0; F32 and F64 only
 *   YEO_JOHNSON BOX_COX   the power transforms with lambda = p0, and …_BACK the ways back; F32 and F64 only
 *   NORM        x / norm, the row's norm over the lanes of norm group `arg`; a norm below 10 epsilon
 *               of the working type counts as 1 (kernels/norm.h, docs/numbers-norms.md)
 *   TO_F32 TO_F64 TO_I64   convert (to I64: from F32/F64 by truncation, the plan knows it is exact)
 *   FIND        F32, F64, I64 -> CODE: place of x in the sorted words[p0 … p0+p1) (doubles for float
 *               work, int64 for I64; p0 and p1 are counts): its index; NaN -> p1; else p1 + 1
 *   REMAP       CODE -> CODE: words[p0 + x], x limited to p1 - 1, p1 entries
 *   VALUE       CODE -> F64: the double words[p0 + x], x limited to p1 - 1, p1 entries
 *   BIN         F32, F64 -> CODE: how many of the sorted doubles words[p0 … p0+p1) are not above x;
 *               NaN: p1
 *   INTERP      F32 (computed in F64, rounded once), F64: a piecewise linear map of x; its table is
 *               words[p0 … p0+p1) (kernels/bins.h); NaN stays
 *   INTERP_MEAN the same, and the same from the other side: the mean of both
 *   SPLINE      F32 (computed in F64, rounded once), F64: the value of a B-spline basis function at x, the
 *               one with the number words[arg + 2]; its table is words[p0 ... p0+p1) (kernels/spline.h);
 *               NaN becomes 0
 *   TAKE        sets x aside (F32, F64 or I64) and goes on with the final value of operand `arg`, which is of
 *               one of these types too, its own. An operand's chain has no NORM, TAKE or JOIN_*.
 *   JOIN_*      a is the value that was set aside last, of x's type: x becomes a + x, a - x, x - a (RSUB),
 *               a * x, a / x, x / a (RDIV), the smaller or the greater (a NaN where either is), a to the
 *               power of x, or 1 or 0 for a < x, a <= x, a > x, a >= x, a == x. I64 (wraps) has no DIV,
 *               RDIV and POW.
 *   JOIN_WHERE  a and b are the last two that were set aside, b before a: b is not 0 ? a : x. Both are
 *               gone then, and of x's type. A NaN is not 0.
 *               At most QN_ASIDE values are aside at once, and none at a chain's end. Such a chain has no
 *               NORM. */
#define QN_OP_FILL 1u
#define QN_OP_FILL_EQ 2u
#define QN_OP_SUB 3u
#define QN_OP_ADD 4u
#define QN_OP_MUL 5u
#define QN_OP_DIV 6u
#define QN_OP_CLIP 7u
#define QN_OP_GREATER 8u
#define QN_OP_MISSING 9u
#define QN_OP_EQUAL 10u
#define QN_OP_EXP 11u
#define QN_OP_EXPM1 12u
#define QN_OP_LOG 13u
#define QN_OP_LOG1P 14u
#define QN_OP_SQRT 15u
#define QN_OP_RECIPROCAL 16u
#define QN_OP_ASINH 17u
#define QN_OP_SIN 18u
#define QN_OP_COS 19u
#define QN_OP_POW 20u
#define QN_OP_NCDF 21u
#define QN_OP_NQUANTILE 22u
#define QN_OP_YEO_JOHNSON 23u
#define QN_OP_YEO_JOHNSON_BACK 24u
#define QN_OP_BOX_COX 25u
#define QN_OP_BOX_COX_BACK 26u
#define QN_OP_LOG2 27u
#define QN_OP_LOG10 28u
#define QN_OP_ABS 29u
#define QN_OP_SQUARE 30u
#define QN_OP_RDIV 31u
#define QN_OP_LOOK 32u
#define QN_OP_NORM 33u
#define QN_OP_TO_F32 34u
#define QN_OP_TO_F64 35u
#define QN_OP_TO_I64 36u
#define QN_OP_FIND 37u
#define QN_OP_REMAP 38u
#define QN_OP_VALUE 39u
#define QN_OP_BIN 40u
#define QN_OP_INTERP 41u
#define QN_OP_INTERP_MEAN 42u
#define QN_OP_SPLINE 43u
#define QN_OP_LAST QN_OP_SPLINE /* of those that take in no other column */
/* BIN ... SPLINE: a table beside the value, F32 and F64 only. */
#define QN_OP_IS_BIN(code) ((code) >= QN_OP_BIN && (code) <= QN_OP_SPLINE)
#define QN_OP_TAKE 64u
#define QN_OP_JOIN_ADD 65u
#define QN_OP_JOIN_SUB 66u
#define QN_OP_JOIN_RSUB 67u
#define QN_OP_JOIN_MUL 68u
#define QN_OP_JOIN_DIV 69u
#define QN_OP_JOIN_RDIV 70u
#define QN_OP_JOIN_MIN 71u
#define QN_OP_JOIN_MAX 72u
#define QN_OP_JOIN_POW 73u
#define QN_OP_JOIN_LESS 74u
#define QN_OP_JOIN_LESS_EQUAL 75u
#define QN_OP_JOIN_GREATER 76u
#define QN_OP_JOIN_GREATER_EQUAL 77u
#define QN_OP_JOIN_EQUAL 78u
#define QN_OP_JOIN_WHERE 79u
#define QN_OP_IS_JOIN(code) ((code) >= QN_OP_JOIN_ADD && (code) <= QN_OP_JOIN_WHERE)
/* Of integers there is no quotient and no power. */
#define QN_OP_JOINS_WHOLE(code)                                                                    \
    ((code) != QN_OP_JOIN_DIV && (code) != QN_OP_JOIN_RDIV && (code) != QN_OP_JOIN_POW)
#define QN_ASIDE 4u
/* EXP ... RDIV; some have a number beside x, p0. */
#define QN_OP_LAST_FUNCTION QN_OP_RDIV
#define QN_OP_IS_FUNCTION(code) ((code) >= QN_OP_EXP && (code) <= QN_OP_LAST_FUNCTION)
#define QN_OP_HAS_EXPONENT(code)                                                                   \
    ((code) == QN_OP_POW || (code) == QN_OP_RDIV ||                                                \
     ((code) >= QN_OP_YEO_JOHNSON && (code) <= QN_OP_BOX_COX_BACK))

struct qn_op {
    qn_u32 code, work; /* QN_OP_*, and the QN_W_* that it acts on                                */
    qn_u32 arg;        /* index of p0 in the words; NORM: norm group; TAKE: operand              */
    qn_u32 reserved;   /* 0                                                                      */
};

/* A lane for a kernel. Bytes count from the base of the input buffer. work is the type after the
 * load: the stored value converted to F32, F64, I64, or CODE (stored as U8, U16 or U32). A cleared
 * validity bit reads as NaN (F32, F64 only). */
struct qn_lane_desc {
    qn_u64 offset, stride; /* of row 0, and from row to row                                      */
    qn_u64 valid_bit;      /* first bit's number from the base; QN_NO_VALIDITY: all present      */
    qn_u32 type, work;     /* QN_T_*, QN_W_*                                                     */
    qn_u32 first_op, n_ops;
};
#define QN_NO_VALIDITY 0xffffffffffffffffu

/* A slot for a kernel. The lane's final value is converted to `type` (F64 to F32 rounds; CODE stores
 * its number) and NaN is stored in canonical form (0x7fc00000, 0x7ff8000000000000).
 * match != QN_MATCH_VALUE: the slot is column `match` of a one-hot block of a CODE lane and gets
 * (code == match ? 1 : 0). */
struct qn_slot_desc {
    qn_u64 offset, stride;
    qn_u32 type, lane;
    qn_u32 match, reserved;
};
#define QN_MATCH_VALUE 0xffffffffu

/* A norm group: lanes first_lane … first_lane + n_lanes - 1, all of one working type (F32 or F64),
 * each with exactly one NORM op naming the group. The sum runs over the values before that op.
 *   kind   1: sum |x|     2: sqrt(sum x*x)     3: max |x|
 *   order  COLUMNS: one running sum, lane by lane. ROWS: the order NumPy uses on C-contiguous rows,
 *          so that both equal scikit-learn's bits for the memory layout that the data came in
 *          (docs/numbers.md). Everything is rounded to the working type after each operation. */
struct qn_norm_desc {
    qn_u32 first_lane, n_lanes, kind, order;
};
#define QN_NORM_L1 1u
#define QN_NORM_L2 2u
#define QN_NORM_MAX 3u
#define QN_ORDER_COLUMNS 0u
#define QN_ORDER_ROWS 1u

/* What a run saw in a lane's loaded values, before any op; OR-ed into one word per lane. */
#define QN_SEEN_INF 1u
#define QN_SEEN_NAN 2u
#define QN_SEEN_UNKNOWN 4u  /* a FIND found nothing; a SPLINE has no value there */
#define QN_SEEN_MADE_INF 8u /* LOOK: of a value on its way, not as loaded        */

/* Canonical moments (docs/numbers.md): rows per block, lanes of a block, blocks per returned node. */
#define QN_BLOCK_ROWS 1024u
#define QN_BLOCK_LANES 16u
#define QN_GROUP_BLOCKS 64u
#define QN_GROUP_ROWS 65536u

#endif
