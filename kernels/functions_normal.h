/* SPDX-License-Identifier: Apache-2.0
 * The normal distribution function and its inverse in float64. */
#ifndef QN_FUNCTIONS_NORMAL_H
#define QN_FUNCTIONS_NORMAL_H

#include "kernels/functions_log.h"

/* Below -t it is exp(-t t / 2) p(q) / (1 + 0.8125 t), q = (t - 5.75) / (t + 5.75): one polynomial for all t.
 * Everything that is rounded on the way has a second word. */
QN_MATH double qn_ncdf(double x)
{
    double t = qn_magnitude(x);
    t = t > 39.0 ? 39.0 : t;
    double q = (t - 5.75) / (t + 5.75);
    double p = 3.939289279538669e-10;
    p = QN_FMA(p, q, 1.2131698500894048e-09);
    p = QN_FMA(p, q, -2.769873109237102e-09);
    p = QN_FMA(p, q, -1.055314024585272e-08);
    p = QN_FMA(p, q, 2.1302427174572602e-08);
    p = QN_FMA(p, q, 6.074948705526861e-08);
    p = QN_FMA(p, q, -1.9870206334916913e-07);
    p = QN_FMA(p, q, -2.1140178445503832e-07);
    p = QN_FMA(p, q, 1.7736252128034739e-06);
    p = QN_FMA(p, q, -1.3869423024288178e-06);
    p = QN_FMA(p, q, -1.1512780097263707e-05);
    p = QN_FMA(p, q, 3.998548921576203e-05);
    p = QN_FMA(p, q, -1.4236198803279347e-05);
    p = QN_FMA(p, q, -0.00032718723114357585);
    p = QN_FMA(p, q, 0.001512503125512063);
    p = QN_FMA(p, q, -0.0041510823075366415);
    p = QN_FMA(p, q, 0.008294487331828014);
    p = QN_FMA(p, q, -0.012473974904440188);
    p = QN_FMA(p, q, 0.013066756320055517);
    p = QN_FMA(p, q, -0.004912357484963488);
    p = QN_FMA(p, q, -0.016393109031485525);
    p = QN_FMA(p, q, 0.05133285571870138);
    p = QN_FMA(p, q, -0.09438618119982421);
    double high = QN_FMA(p, q, 0.38256360907155473),
           high_low = QN_FMA(p, q, 0.38256360907155473 - high);
    double d = QN_FMA(0.8125, t, 1.0), d_low = QN_FMA(0.8125, t, 1.0 - d), inverse = 1.0 / d;
    double g = high * inverse, g_low = inverse * (QN_FMA(-g, d, high) + (high_low - g * d_low));
    double square = t * t;
    struct qn_exp_parts e = qn_exp_parts_of(-0.5 * square, -0.5 * QN_FMA(t, t, -square));
    double power = 1.0 + e.r, power_low = (e.r - (power - 1.0)) + e.rest;
    double y = power * g, y_low = QN_FMA(power, g, -y) + QN_FMA(power, g_low, power_low * g);
    double below = qn_scaled(y + y_low, e.n);
    double first = qn_scaled(y, e.n), rest = 1.0 - first;
    double above = rest + (((1.0 - rest) - first) - qn_scaled(y_low, e.n));
    double r = x > 0.0 ? above : below;
    return x == 0.0 ? 0.5 : r;
}

/* For p between 1/4 and 3/4: x = c (sqrt(2 pi) + z R(z)), c = p - 1/2, z = c c. */
QN_MATH double qn_nquantile_centre(double p)
{
    double c = p - 0.5, z = c * c;
    double r = 21501473.366699543;
    r = QN_FMA(r, z, -3618321.288572854);
    r = QN_FMA(r, z, 872436.7583536493);
    r = QN_FMA(r, z, 24989.67264461605);
    r = QN_FMA(r, z, 23424.805231143284);
    r = QN_FMA(r, z, 5773.446287211483);
    r = QN_FMA(r, z, 1692.4931170477018);
    r = QN_FMA(r, z, 496.22620676981705);
    r = QN_FMA(r, z, 149.83037138951363);
    r = QN_FMA(r, z, 47.03578302066645);
    r = QN_FMA(r, z, 15.667608983658678);
    r = QN_FMA(r, z, 5.772533538564934);
    r = QN_FMA(r, z, 2.6249349909537742);
    return QN_FMA(c, 2.5066282746310007, c * QN_FMA(z, r, -1.8328579980459167e-16));
}

/* For p up to 1/4: -x = w - C(q), w = sqrt(-2 log p), q = (v - 2.25) / (v + 2.25), v = sqrt(w). */
QN_MATH double qn_nquantile_tail(double p)
{
    int tiny = p < QN_SMALLEST_NORMAL;
    struct qn_log_parts l =
        qn_log_parts_of(tiny ? p * 18014398509481984.0 : p, 0.0, tiny ? -54.0 : 0.0);
    double n = -2.0 * (l.high + l.low), n_low = -2.0 * (l.low - ((l.high + l.low) - l.high));
    double w = QN_SQRT_F64(n), v = QN_SQRT_F64(w), inverse = 0.5 / v;
    double w_low = (QN_FMA(-w, w, n) + n_low) * (2.0 * inverse * inverse);
    double v_low = (QN_FMA(-v, v, w) + w_low) * inverse;
    double d = v + 2.25, d_low = (v - (d - 2.25)) + v_low, q = (v - 2.25) / d;
    double q_low = (QN_FMA(-q, d, v - 2.25) + (v_low - q * d_low)) / d;
    double c = -12.843621942585996;
    c = QN_FMA(c, q, 55.114744329783285);
    c = QN_FMA(c, q, -77.85676868654537);
    c = QN_FMA(c, q, 25.28393572469927);
    c = QN_FMA(c, q, 41.568610390556934);
    c = QN_FMA(c, q, -38.68244063486553);
    c = QN_FMA(c, q, -5.620432455841445);
    c = QN_FMA(c, q, 21.67342137214458);
    c = QN_FMA(c, q, -5.107786298559836);
    c = QN_FMA(c, q, -8.253396053965217);
    c = QN_FMA(c, q, 5.179150707521274);
    c = QN_FMA(c, q, 2.0170602264909636);
    c = QN_FMA(c, q, -3.2517638134749016);
    c = QN_FMA(c, q, 0.3948885436859195);
    c = QN_FMA(c, q, 1.357657656126814);
    c = QN_FMA(c, q, -0.733472144407548);
    c = QN_FMA(c, q, -0.4503500296521728);
    c = QN_FMA(c, q, 0.7517537855558539);
    c = QN_FMA(c, q, -0.2882042489923424);
    c = QN_FMA(c, q, -0.17304109794035838);
    c = QN_FMA(c, q, 0.20795217076843572);
    c = QN_FMA(c, q, 0.16335149169367538);
    c = QN_FMA(c, q, -0.7347502785465582);
    c = QN_FMA(c, q, 1.336196398202654);
    c = QN_FMA(c, q, -1.3345812987328964);
    double less = QN_FMA(c, q, 0.5155276893649737),
           less_low = QN_FMA(c, q, 0.5155276893649737 - less);
    double slope = QN_FMA(QN_FMA(-2.2, q, 2.67), q, -1.335); /* C', to a few bits */
    less_low = QN_FMA(q_low, slope, less_low);
    double x = w - less;
    return x + (((w - x) - less) + (w_low - less_low));
}

QN_MATH double qn_nquantile(double p)
{
    int upper = p > 0.5, centre = p >= 0.25 && p <= 0.75;
    double below = upper ? 1.0 - p : p; /* exact */
    double x = qn_nquantile_tail(below);
    x = below == 0.0 ? QN_INFINITY : x;
    x = upper ? x : -x;
    x = centre ? qn_nquantile_centre(p) : x;
    return p >= 0.0 && p <= 1.0 ? x : QN_NOT_A_NUMBER;
}

#endif
