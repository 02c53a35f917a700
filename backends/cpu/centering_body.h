/* SPDX-License-Identifier: Apache-2.0
 * Centring of a tile of rows, compiled once for each type of values, QN_REAL. */

/* NumPy's sum of a row: eight running sums over a leaf, halves of longer rows (kernels/norm.h). */
static QN_REAL QN_CENTER(row_sum)(const QN_REAL *x, uint32_t n)
{
    if (n > QN_NORM_LEAF) {
        uint32_t first = qn_norm_split(n);
        return QN_CENTER(row_sum)(x, first) + QN_CENTER(row_sum)(x + first, n - first);
    }
    QN_REAL sum[8] = {0}, all;
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (uint32_t k = 0; k < 8; k++) sum[k] += x[i + k];
    all = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    for (; i < n; i++) all += x[i];
    return all;
}

/* The same where columns are added one after another. */
static QN_REAL QN_CENTER(running_sum)(const QN_REAL *x, uint32_t n)
{
    QN_REAL sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

/* Rows side by side. Columns of a row-major matrix are read along the rows, others along themselves. */
static void QN_CENTER(load)(const struct qn_rows_request *rq, uint64_t row, uint32_t rows,
                            QN_REAL *tile)
{
    uint32_t n = rq->op->n_in;
    const char *first = rq->in[0].data;
    int by_rows = 1;
    for (uint32_t j = 0; by_rows && j < n; j++)
        by_rows = (const char *)rq->in[j].data == first + j * sizeof(QN_REAL) &&
                  rq->in[j].stride == rq->in[0].stride;
    for (uint32_t i = 0; by_rows && i < rows; i++)
        memcpy(tile + (size_t)i * n, first + (int64_t)(row + i) * rq->in[0].stride,
               n * sizeof(QN_REAL));
    for (uint32_t j = 0; !by_rows && j < n; j++)
        for (uint32_t i = 0; i < rows; i++)
            memcpy(tile + (size_t)i * n + j,
                   (const char *)rq->in[j].data + (int64_t)(row + i) * rq->in[j].stride,
                   sizeof(QN_REAL));
}

static void QN_CENTER(center_rows)(const struct qn_rows_request *rq, uint64_t row, uint32_t rows,
                                   QN_REAL *tile)
{
    const struct qn_centering *c = rq->op->data;
    uint32_t n = rq->op->n_in;
    double means[TILE_ROWS];
    QN_CENTER(load)(rq, row, rows, tile);
    for (uint32_t i = 0; i < rows; i++) {
        const QN_REAL *x = tile + (size_t)i * n;
        QN_REAL sum =
            c->order == QN_ORDER_ROWS ? QN_CENTER(row_sum)(x, n) : QN_CENTER(running_sum)(x, n);
        means[i] = (double)(sum / (QN_REAL)n);
    }
    for (uint32_t j = 0; j < n; j++) {
        QN_REAL *out = (QN_REAL *)rq->out[j] + row;
        for (uint32_t i = 0; i < rows; i++) {
            QN_REAL x = (QN_REAL)((double)tile[(size_t)i * n + j] - c->columns[j]);
            x = (QN_REAL)((double)x - means[i]);
            out[i] = (QN_REAL)((double)x + c->all);
        }
    }
}
