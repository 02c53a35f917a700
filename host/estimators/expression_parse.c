/* SPDX-License-Identifier: Apache-2.0
 * Text to a tree, by recursive descent. Precedence as in Python: or, and, not, comparisons, + -, * /, the
 * signs, **; ** binds to the right and before a sign at its left. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/core/nearest.h"
#include "host/data/decimal.h"
#include "host/estimators/expression.h"

/* ---- words ---- */

static const struct function {
    const char *name;
    enum qn_expr_code code;
    uint32_t op, least, most; /* arguments; min and max are of two, again and again */
} FUNCTIONS[] = {
    {"abs", QN_EXPR_ABS, 0, 1, 1},
    {"arcsinh", QN_EXPR_FUNCTION, QN_OP_ASINH, 1, 1},
    {"asinh", QN_EXPR_FUNCTION, QN_OP_ASINH, 1, 1},
    {"clip", QN_EXPR_CLIP, 0, 3, 3},
    {"cos", QN_EXPR_FUNCTION, QN_OP_COS, 1, 1},
    {"exp", QN_EXPR_FUNCTION, QN_OP_EXP, 1, 1},
    {"expm1", QN_EXPR_FUNCTION, QN_OP_EXPM1, 1, 1},
    {"float32", QN_EXPR_FLOAT32, 0, 1, 1},
    {"float64", QN_EXPR_FLOAT64, 0, 1, 1},
    {"isfinite", QN_EXPR_ISFINITE, 0, 1, 1},
    {"isinf", QN_EXPR_ISINF, 0, 1, 1},
    {"isnan", QN_EXPR_ISNAN, 0, 1, 1},
    {"log", QN_EXPR_FUNCTION, QN_OP_LOG, 1, 1},
    {"log10", QN_EXPR_FUNCTION, QN_OP_LOG10, 1, 1},
    {"log1p", QN_EXPR_FUNCTION, QN_OP_LOG1P, 1, 1},
    {"log2", QN_EXPR_FUNCTION, QN_OP_LOG2, 1, 1},
    {"max", QN_EXPR_MAX, 0, 2, 64},
    {"maximum", QN_EXPR_MAX, 0, 2, 2},
    {"min", QN_EXPR_MIN, 0, 2, 64},
    {"minimum", QN_EXPR_MIN, 0, 2, 2},
    {"pow", QN_EXPR_POW, 0, 2, 2},
    {"power", QN_EXPR_POW, 0, 2, 2},
    {"reciprocal", QN_EXPR_FUNCTION, QN_OP_RECIPROCAL, 1, 1},
    {"sin", QN_EXPR_FUNCTION, QN_OP_SIN, 1, 1},
    {"sqrt", QN_EXPR_FUNCTION, QN_OP_SQRT, 1, 1},
    {"square", QN_EXPR_SQUARE, 0, 1, 1},
    {"where", QN_EXPR_WHERE, 0, 3, 3},
};
enum { N_FUNCTIONS = sizeof FUNCTIONS / sizeof *FUNCTIONS };

enum token {
    END,
    NUMBER,
    NAME,
    QUOTED, /* in backticks or quotation marks */
    AND,
    OR,
    NOT,
    ADD,
    SUB,
    MUL,
    DIV,
    POW,
    LESS,
    LESS_EQUAL,
    GREATER,
    GREATER_EQUAL,
    EQUAL,
    DIFFERENT,
    OPEN,
    CLOSE,
    COMMA,
    BAD
};

static const struct {
    const char *text;
    enum token token;
} SIGNS[] = {/* longer ones first */
             {"**", POW},    {"<=", LESS_EQUAL}, {">=", GREATER_EQUAL},
             {"==", EQUAL},  {"!=", DIFFERENT},  {"<", LESS},
             {">", GREATER}, {"+", ADD},         {"-", SUB},
             {"*", MUL},     {"/", DIV},         {"(", OPEN},
             {")", CLOSE},   {",", COMMA}};

struct parser {
    struct qn_arena *arena;
    const char *who;
    struct qn_expr *expr;
    uint32_t room, nested;
    /* the token at hand */
    enum token token;
    uint32_t at, size;
};

/* ---- errors ---- */

/* Characters, not bytes: those that continue one do not count. */
static uint32_t character(const char *text, uint32_t at)
{
    uint32_t n = 1;
    for (uint32_t i = 0; i < at; i++) n += ((unsigned char)text[i] & 0xc0u) != 0x80u;
    return n;
}

quern_status qn_expr_error(const char *who, const struct qn_expr *e, uint32_t at,
                           const char *format, ...)
{
    char said[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(said, sizeof said, format, args);
    va_end(args);
    return qn_error(QUERN_INVALID, "%s: character %u of \"%.200s\": %s", who,
                    character(e->text, at), e->text, said);
}

#define WRONG(p, at_, ...) qn_expr_error((p)->who, (p)->expr, (at_), __VA_ARGS__)

/* ---- tokens ---- */

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Letters of any language: whatever is beyond ASCII counts as one. */
static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static uint32_t number_size(const char *s)
{
    uint32_t n = 0;
    while (is_digit(s[n])) n++;
    if (s[n] == '.') n++;
    while (is_digit(s[n])) n++;
    if (s[n] != 'e' && s[n] != 'E') return n;
    uint32_t sign = s[n + 1] == '+' || s[n + 1] == '-';
    if (!is_digit(s[n + 1 + sign])) return n;
    for (n += 1 + sign; is_digit(s[n]);) n++;
    return n;
}

/* With both marks; 0 where the second is missing. */
static uint32_t quoted_size(const char *s)
{
    for (uint32_t n = 1; s[n] != '\0'; n++) {
        if (s[n] == *s) return n + 1;
        if (s[n] == '\\' && s[n + 1] != '\0') n++;
    }
    return 0;
}

static enum token word(const char *s, uint32_t size)
{
    static const struct {
        const char *text;
        enum token token;
    } words[] = {{"and", AND}, {"or", OR}, {"not", NOT}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].text) == size && memcmp(words[i].text, s, size) == 0)
            return words[i].token;
    return NAME;
}

static void next(struct parser *p)
{
    const char *s = p->expr->text + p->at + p->size;
    while (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r') s++;
    p->at = (uint32_t)(s - p->expr->text);
    p->size = 0;
    p->token = END;
    if (*s == '\0') return;
    if (is_digit(*s) || (*s == '.' && is_digit(s[1]))) {
        p->token = NUMBER;
        p->size = number_size(s);
        return;
    }
    if (is_letter(*s)) {
        while (is_letter(s[p->size]) || is_digit(s[p->size])) p->size++;
        p->token = word(s, p->size);
        return;
    }
    if (*s == '`' || *s == '"' || *s == '\'') {
        p->size = quoted_size(s);
        p->token = p->size != 0 ? QUOTED : BAD;
        return;
    }
    p->token = BAD;
    for (size_t i = 0; i < sizeof SIGNS / sizeof *SIGNS; i++) {
        size_t n = strlen(SIGNS[i].text);
        if (strncmp(s, SIGNS[i].text, n) != 0) continue;
        p->token = SIGNS[i].token;
        p->size = (uint32_t)n;
        return;
    }
}

/* What stands where something else was expected. */
static quern_status unexpected(struct parser *p, const char *wanted)
{
    const char *s = p->expr->text + p->at;
    if (p->token == END) return WRONG(p, p->at, "%s is missing", wanted);
    if (p->token == BAD && (*s == '`' || *s == '"' || *s == '\''))
        return WRONG(p, p->at, "%c has no second one", *s);
    if (*s == '"' || *s == '\'')
        return WRONG(p, p->at, "a text; a column is `its name` or col(\"its name\")");
    if (*s == '^') return WRONG(p, p->at, "there is no ^; powers are written **");
    if (*s == '&' || *s == '|' || *s == '~')
        return WRONG(p, p->at, "there is no %c; write and, or, not", *s);
    if (*s == '=') return WRONG(p, p->at, "there is no =; equality is ==");
    if (*s == '%') return WRONG(p, p->at, "there is no %%");
    uint32_t size = p->size != 0 ? p->size : 1;
    return WRONG(p, p->at, "\"%.*s\" where %s was expected", size > 40 ? 40 : (int)size, s, wanted);
}

/* ---- nodes ---- */

static quern_status add(struct parser *p, struct qn_expr_node node, uint32_t *out)
{
    struct qn_expr *e = p->expr;
    if (e->n_nodes == QN_EXPR_MOST_NODES)
        return WRONG(p, node.at, "more than %d numbers, names and operations", QN_EXPR_MOST_NODES);
    if (e->n_nodes == p->room) {
        uint32_t room = p->room ? 2 * p->room : 16;
        struct qn_expr_node *more = qn_arena_alloc(p->arena, room, sizeof *more);
        if (more == NULL) return qn_error_memory_while("reading an expression");
        if (e->n_nodes != 0) memcpy(more, e->nodes, e->n_nodes * sizeof *more);
        e->nodes = more;
        p->room = room;
    }
    *out = e->n_nodes;
    e->nodes[e->n_nodes++] = node;
    return QUERN_OK;
}

static quern_status add_two(struct parser *p, enum qn_expr_code code, uint32_t at, uint32_t a,
                            uint32_t b, uint32_t *out)
{
    return add(p, (struct qn_expr_node){.code = code, .at = at, .n_args = 2, .args = {a, b}}, out);
}

static quern_status enter(struct parser *p)
{
    if (++p->nested <= QN_EXPR_MOST_NESTED) return QUERN_OK;
    return WRONG(p, p->at, "nested more than %d times", QN_EXPR_MOST_NESTED);
}

static quern_status parse_or(struct parser *p, uint32_t *out);
static quern_status parse_signed(struct parser *p, uint32_t *out);

/* ---- numbers and names ---- */

static quern_status parse_number(struct parser *p, uint32_t *out)
{
    const char *s = p->expr->text + p->at;
    struct qn_expr_node node = {.code = QN_EXPR_NUMBER, .at = p->at};
    node.is_whole = qn_parse_i64(s, p->size, &node.whole);
    if (!qn_parse_f64(s, p->size, &node.number) || node.number - node.number != 0)
        return WRONG(p, p->at, "%.*s is not a number, or too large",
                     p->size > 40 ? 40 : (int)p->size, s);
    if (is_letter(s[p->size]))
        return WRONG(p, p->at + p->size, "a name begins right behind a number; is a * missing?");
    next(p);
    return add(p, node, out);
}

/* What stands between quotation marks; a backslash takes the next character as it is. */
static char *unquote(struct parser *p)
{
    char *name = qn_arena_strndup(p->arena, p->expr->text + p->at + 1, p->size - 2), *to = name;
    if (name == NULL) return NULL;
    for (const char *from = name; *from != '\0'; from++) {
        if (*from == '\\' && from[1] != '\0') from++;
        *to++ = *from;
    }
    *to = '\0';
    return name;
}

static quern_status parse_quoted(struct parser *p, uint32_t *out)
{
    struct qn_expr_node node = {
        .code = QN_EXPR_COLUMN, .at = p->at, .size = p->size, .name = unquote(p)};
    if (node.name == NULL) return qn_error_memory_while("reading an expression");
    next(p);
    return add(p, node, out);
}

/* ---- calls ---- */

static const struct function *find_function(const char *name)
{
    for (size_t i = 0; i < N_FUNCTIONS; i++)
        if (strcmp(FUNCTIONS[i].name, name) == 0) return &FUNCTIONS[i];
    return NULL;
}

static quern_status no_function(struct parser *p, const char *name, uint32_t at)
{
    const char *names[N_FUNCTIONS + 1];
    char hint[96];
    for (size_t i = 0; i < N_FUNCTIONS; i++) names[i] = FUNCTIONS[i].name;
    names[N_FUNCTIONS] = "col";
    return WRONG(p, at, "there is no function \"%.60s\"%s", name,
                 qn_did_you_mean(hint, sizeof hint, name, names, N_FUNCTIONS + 1));
}

/* min(a, b, c) is min(min(a, b), c). */
static quern_status parse_arguments(struct parser *p, const struct function *f, uint32_t at,
                                    uint32_t *out)
{
    struct qn_expr_node node = {.code = f->code, .op = f->op, .at = at};
    uint32_t given = 0, one = 0;
    while (p->token != CLOSE || given != 0) {
        QN_TRY(parse_or(p, &one));
        if (given++ < 3) node.args[given - 1] = one;
        if (given > f->most) break;
        if (given > 1 && f->most > 3)
            QN_TRY(add_two(p, f->code, at, node.args[0], one, &node.args[0]));
        if (p->token != COMMA) break;
        next(p);
    }
    if (given < f->least || given > f->most)
        return WRONG(p, at, "%s takes %u argument%s%s", f->name, f->least, f->least == 1 ? "" : "s",
                     f->most > 3 ? " or more" : "");
    if (p->token != CLOSE) return unexpected(p, "a comma or a closing parenthesis");
    next(p);
    *out = node.args[0];
    if (f->most > 3) return QUERN_OK;
    node.n_args = given;
    return add(p, node, out);
}

/* col("name") */
static quern_status parse_column(struct parser *p, uint32_t *out)
{
    if (p->token != QUOTED) return unexpected(p, "a column's name in quotation marks");
    QN_TRY(parse_quoted(p, out));
    if (p->token != CLOSE) return unexpected(p, "a closing parenthesis");
    next(p);
    return QUERN_OK;
}

static quern_status parse_name(struct parser *p, uint32_t *out)
{
    uint32_t at = p->at, size = p->size;
    char *name = qn_arena_strndup(p->arena, p->expr->text + at, size);
    if (name == NULL) return qn_error_memory_while("reading an expression");
    next(p);
    if (p->token != OPEN)
        return add(p, (struct qn_expr_node){QN_EXPR_NAME, .at = at, .size = size, .name = name},
                   out);
    QN_TRY(enter(p));
    next(p);
    const struct function *f = find_function(name);
    quern_status status = QUERN_OK;
    if (strcmp(name, "col") == 0)
        status = parse_column(p, out);
    else if (f == NULL)
        status = no_function(p, name, at);
    else
        status = parse_arguments(p, f, at, out);
    p->nested--;
    return status;
}

/* ---- operators ---- */

static quern_status parse_atom(struct parser *p, uint32_t *out)
{
    if (p->token == NUMBER) return parse_number(p, out);
    if (p->token == NAME) return parse_name(p, out);
    if (p->token == QUOTED && p->expr->text[p->at] == '`') return parse_quoted(p, out);
    if (p->token != OPEN) return unexpected(p, "a number, a name or a parenthesis");
    QN_TRY(enter(p));
    next(p);
    QN_TRY(parse_or(p, out));
    if (p->token != CLOSE) return unexpected(p, "a closing parenthesis");
    next(p);
    p->nested--;
    return QUERN_OK;
}

static quern_status parse_power(struct parser *p, uint32_t *out)
{
    uint32_t at, exponent = 0;
    QN_TRY(parse_atom(p, out));
    if (p->token != POW) return QUERN_OK;
    at = p->at;
    QN_TRY(enter(p));
    next(p);
    QN_TRY(parse_signed(p, &exponent));
    p->nested--;
    return add_two(p, QN_EXPR_POW, at, *out, exponent, out);
}

static quern_status parse_signed(struct parser *p, uint32_t *out)
{
    if (p->token != SUB && p->token != ADD) return parse_power(p, out);
    int negative = p->token == SUB;
    uint32_t at = p->at;
    QN_TRY(enter(p));
    next(p);
    QN_TRY(parse_signed(p, out));
    p->nested--;
    if (!negative) return QUERN_OK;
    return add(p,
               (struct qn_expr_node){.code = QN_EXPR_NEGATE, .at = at, .n_args = 1, .args = {*out}},
               out);
}

static quern_status parse_product(struct parser *p, uint32_t *out)
{
    QN_TRY(parse_signed(p, out));
    while (p->token == MUL || p->token == DIV) {
        enum qn_expr_code code = p->token == MUL ? QN_EXPR_MUL : QN_EXPR_DIV;
        uint32_t at = p->at, right = 0;
        next(p);
        QN_TRY(parse_signed(p, &right));
        QN_TRY(add_two(p, code, at, *out, right, out));
    }
    return QUERN_OK;
}

static quern_status parse_sum(struct parser *p, uint32_t *out)
{
    QN_TRY(parse_product(p, out));
    while (p->token == ADD || p->token == SUB) {
        enum qn_expr_code code = p->token == ADD ? QN_EXPR_ADD : QN_EXPR_SUB;
        uint32_t at = p->at, right = 0;
        next(p);
        QN_TRY(parse_product(p, &right));
        QN_TRY(add_two(p, code, at, *out, right, out));
    }
    return QUERN_OK;
}

static quern_status parse_comparison(struct parser *p, uint32_t *out)
{
    QN_TRY(parse_sum(p, out));
    if (p->token < LESS || p->token > DIFFERENT) return QUERN_OK;
    enum qn_expr_code code = (enum qn_expr_code)(QN_EXPR_LESS + (p->token - LESS));
    uint32_t at = p->at, right = 0;
    next(p);
    QN_TRY(parse_sum(p, &right));
    if (p->token >= LESS && p->token <= DIFFERENT)
        return WRONG(p, p->at, "a second comparison; that is (a < b) and (b < c)");
    return add_two(p, code, at, *out, right, out);
}

static quern_status parse_not(struct parser *p, uint32_t *out)
{
    if (p->token != NOT) return parse_comparison(p, out);
    uint32_t at = p->at;
    QN_TRY(enter(p));
    next(p);
    QN_TRY(parse_not(p, out));
    p->nested--;
    return add(p, (struct qn_expr_node){.code = QN_EXPR_NOT, .at = at, .n_args = 1, .args = {*out}},
               out);
}

static quern_status parse_and(struct parser *p, uint32_t *out)
{
    QN_TRY(parse_not(p, out));
    while (p->token == AND) {
        uint32_t at = p->at, right = 0;
        next(p);
        QN_TRY(parse_not(p, &right));
        QN_TRY(add_two(p, QN_EXPR_AND, at, *out, right, out));
    }
    return QUERN_OK;
}

static quern_status parse_or(struct parser *p, uint32_t *out)
{
    QN_TRY(parse_and(p, out));
    while (p->token == OR) {
        uint32_t at = p->at, right = 0;
        next(p);
        QN_TRY(parse_and(p, &right));
        QN_TRY(add_two(p, QN_EXPR_OR, at, *out, right, out));
    }
    return QUERN_OK;
}

quern_status qn_expr_parse(struct qn_arena *arena, const char *who, const char *text,
                           struct qn_expr *out)
{
    struct parser p = {.arena = arena, .who = who, .expr = out};
    uint32_t root = 0;
    *out = (struct qn_expr){.text = text};
    if (strlen(text) > UINT16_MAX)
        return qn_error(QUERN_INVALID, "%s: an expression of more than 65535 bytes", who);
    next(&p);
    QN_TRY(parse_or(&p, &root));
    return p.token == END ? QUERN_OK : unexpected(&p, "an operator or the end");
}

/* ---- x ---- */

static int is_x(const struct qn_expr_node *node)
{
    return node->code == QN_EXPR_NAME && strcmp(node->name, "x") == 0;
}

int qn_expr_has_x(const struct qn_expr *e)
{
    for (uint32_t i = 0; i < e->n_nodes; i++)
        if (is_x(&e->nodes[i])) return 1;
    return 0;
}

static int is_identifier(const char *name)
{
    if (!is_letter(*name)) return 0;
    while (is_letter(*name) || is_digit(*name)) name++;
    return *name == '\0';
}

const char *qn_expr_name_for(struct qn_arena *arena, const struct qn_expr *e, const char *column)
{
    const char *text = "", *mark = is_identifier(column) ? "" : "`";
    uint32_t from = 0;
    for (uint32_t i = 0; i < e->n_nodes && text != NULL; i++) { /* names are in the text's order */
        const struct qn_expr_node *node = &e->nodes[i];
        if (!is_x(node)) continue;
        text = qn_arena_printf(arena, "%s%.*s%s%s%s", text, (int)(node->at - from), e->text + from,
                               mark, column, mark);
        from = node->at + node->size;
    }
    return text != NULL ? qn_arena_printf(arena, "%s%s", text, e->text + from) : NULL;
}
