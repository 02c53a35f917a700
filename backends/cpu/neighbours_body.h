/* SPDX-License-Identifier: Apache-2.0
 * Squared distances from one row to a tile of donors. isa_each.h sets QN_SUFFIX, neighbours.c VEC_BYTES (of a
 * register) and includes this. Each donor's sum runs over the coordinates in their order, so that
 * vectors of any width give the same bits. */
#define NB(name) QN_PASTE(name, QN_SUFFIX)

typedef double NB(real) __attribute__((vector_size(VEC_BYTES), aligned(8), may_alias));
typedef int64_t NB(bits) __attribute__((vector_size(VEC_BYTES), aligned(8), may_alias));

enum { NB(LANES) = VEC_BYTES / 8, NB(RUN) = 8 * VEC_BYTES / 8 };

/* sums of the tile that starts at donor `first`; 1 where one of them is at most `limit`. */
static int NB(tile)(const struct qn_neighbours *d, uint64_t first, const struct receiver *r,
                    double limit, double *sums)
{
    NB(bits) near = {0};
    NB(real) most = limit - (NB(real)){0};
    for (uint32_t at = 0; at < QN_DONOR_TILE; at += NB(RUN)) {
        NB(real) acc[8] = {{0}};
        for (uint32_t k = 0; k < r->n_there; k++) {
            size_t from = (size_t)r->there[k] * d->n_padded + first + at;
            const NB(real) *y = (const NB(real) *)(d->values + from);
            const NB(bits) *mask = (const NB(bits) *)(d->masks + from);
            NB(real) x = r->x[k] - (NB(real)){0};
            for (uint32_t v = 0; v < 8; v++) {
                NB(real) t = (NB(real))((NB(bits))(y[v] - x) & mask[v]);
                acc[v] += t * t;
            }
        }
        for (uint32_t v = 0; v < 8; v++) {
            near |= acc[v] <= most;
            *(NB(real) *)(sums + at + v * NB(LANES)) = acc[v];
        }
    }
    int64_t any = 0;
    for (uint32_t v = 0; v < NB(LANES); v++) any |= near[v];
    return any != 0;
}

#undef NB
