/* SPDX-License-Identifier: Apache-2.0 */
#include "host/data/csv_cell.h"

#include <string.h>

#include "host/core/checked.h"
#include "host/data/decimal.h"
#include "host/data/npy.h"

int qn_parse_bool(const char *text, size_t size, uint8_t *out)
{
    static const char *const words[2] = {"false", "true"};
    if (size != 4 && size != 5) return 0;
    unsigned value = size == 4;
    for (size_t i = 0; i < size; i++)
        if ((text[i] | 0x20) != words[value][i]) return 0;
    *out = (uint8_t)value;
    return 1;
}

/* Two digits; *bad gets bits other than 0 when they are none, so that the caller asks once. */
static unsigned two(const char *text, unsigned *bad)
{
    unsigned high = (unsigned char)text[0] - (unsigned)'0',
             low = (unsigned char)text[1] - (unsigned)'0';
    *bad |= (high > 9) | (low > 9);
    return high * 10 + low;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, year 1 or later. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    unsigned y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    unsigned in_era = y % 400, day_of_year = (153 * m + 2) / 5 + day - 1; /* both from March on */
    unsigned days = y / 400 * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + day_of_year;
    return (int64_t)days - 719468;
}

static int parse_date(const char *text, int64_t *days)
{
    static const uint8_t lengths[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned bad = (text[4] != '-') | (text[7] != '-');
    unsigned year = two(text, &bad) * 100;
    year += two(text + 2, &bad);
    unsigned month = two(text + 5, &bad), day = two(text + 8, &bad);
    if (bad | (year < 1) | (month < 1) | (month > 12) | (day < 1)) return 0;
    if (day > 28) {
        unsigned leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (day > lengths[month] + (month == 2 ? leap : 0)) return 0;
    }
    *days = days_of(year, month, day);
    return 1;
}

int qn_parse_datetime(const char *text, size_t size, int64_t *out)
{
    int64_t days, fraction = 0;
    if (size < 10 || size > 26 || !parse_date(text, &days)) return 0;
    unsigned hour = 0, minute = 0, second = 0, bad = 0;
    if (size > 10) {
        if ((text[10] != ' ' && text[10] != 'T') || size < 16 || text[13] != ':') return 0;
        hour = two(text + 11, &bad);
        minute = two(text + 14, &bad);
        if (size > 16) {
            if (size < 19 || text[16] != ':') return 0;
            second = two(text + 17, &bad);
        }
        if (size > 19) {
            if (text[19] != '.' || size == 20) return 0;
            for (size_t i = 20; i < 26; i++) {
                unsigned digit = i < size ? (unsigned char)text[i] - (unsigned)'0' : 0;
                bad |= digit > 9;
                fraction = fraction * 10 + digit;
            }
        }
        if (bad | (hour > 23) | (minute > 59) | (second > 59)) return 0;
    }
    int64_t seconds = days * 86400 + hour * 3600 + minute * 60 + second;
    *out = seconds * 1000000 + fraction;
    return 1;
}

/* pandas 3.1's own list; the empty cell is the flag. */
static const char *const default_markers[] = {
    "NA",   "NaN", "nan",  "null", "NULL",     "N/A",    "None",    "n/a",     "<NA>",
    "#N/A", "#NA", "-NaN", "-nan", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
};

static quern_status add_text(struct qn_csv_missing *m, const char *text, size_t size)
{
    char *copy = qn_strndup(text, size);
    if (copy == NULL) return qn_error_memory("missing markers", size);
    m->texts[m->n] = copy;
    m->lengths[m->n++] = size;
    m->sizes[(unsigned char)*text] |= UINT64_C(1) << (size < 63 ? size : 63);
    return QUERN_OK;
}

/* A number stands for its value; a whole one also for its texts with and without ".0", as in pandas. */
static quern_status add_marker(struct qn_csv_missing *m, const char *text)
{
    size_t size = strlen(text);
    double value;
    char whole[32];
    if (size == 0) {
        m->empty = 1;
        return QUERN_OK;
    }
    QN_TRY(add_text(m, text, size));
    if (!qn_parse_f64(text, size, &value)) return QUERN_OK;
    m->numeric = 1;
    m->values[m->n_values++] = value;
    if (!(value > -1e18 && value < 1e18) || value != (double)(int64_t)value) return QUERN_OK;
    size = qn_format_i64(whole, (int64_t)value);
    QN_TRY(add_text(m, whole, size));
    whole[size] = '.';
    whole[size + 1] = '0';
    return add_text(m, whole, size + 2);
}

quern_status qn_csv_missing_open(int drop_defaults, const char *const *extra, uint32_t n_extra,
                                 struct qn_csv_missing *out)
{
    const uint32_t n_default = sizeof default_markers / sizeof *default_markers;
    quern_status status = QUERN_OK;
    memset(out, 0, sizeof *out);
    size_t room;
    if (qn_mul_size(n_extra, 3, &room) || qn_add_size(room, n_default, &room)) room = SIZE_MAX;
    out->texts = qn_zalloc(room, sizeof *out->texts);
    out->lengths = qn_zalloc(room, sizeof *out->lengths);
    out->values = qn_zalloc(room, sizeof *out->values);
    if (out->texts == NULL || out->lengths == NULL || out->values == NULL) {
        status = qn_error_memory("missing markers", room * sizeof *out->texts);
        goto cleanup;
    }
    if (!drop_defaults) {
        out->empty = 1;
        for (uint32_t i = 0; i < n_default; i++) QN_GO(add_marker(out, default_markers[i]));
    }
    for (uint32_t i = 0; i < n_extra; i++) QN_GO(add_marker(out, extra[i]));
cleanup:
    if (status != QUERN_OK) qn_csv_missing_close(out);
    return status;
}

void qn_csv_missing_close(struct qn_csv_missing *missing)
{
    for (uint32_t i = 0; i < missing->n; i++) qn_free(missing->texts[i]);
    qn_free(missing->texts);
    qn_free(missing->lengths);
    qn_free(missing->values);
    memset(missing, 0, sizeof *missing);
}

int qn_csv_missing_find(const struct qn_csv_missing *missing, const char *text, size_t size)
{
    for (uint32_t i = 0; i < missing->n; i++)
        if (missing->lengths[i] == size && memcmp(missing->texts[i], text, size) == 0) return 1;
    return 0;
}

int qn_csv_missing_value(const struct qn_csv_missing *missing, double value)
{
    for (uint32_t i = 0; i < missing->n_values; i++)
        if (missing->values[i] == value) return 1;
    return 0;
}
