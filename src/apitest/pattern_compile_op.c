/* Operators: for what they are, and their operands. */
#include "apitest/pattern_int.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

enum {
    TEXTS = SUBJECT_STRING | SUBJECT_TEXT | SUBJECT_JSON | SUBJECT_MASK,
    NUMBERS = SUBJECT_INTEGER | SUBJECT_FLOAT | SUBJECT_COUNT | SUBJECT_JSON | SUBJECT_TEXT,
    ORDERED = NUMBERS | SUBJECT_ENUM | SUBJECT_INSTANT | SUBJECT_SPAN | SUBJECT_MS,
    LISTS = SUBJECT_LIST | SUBJECT_JSON | SUBJECT_TEXT,
    MESSAGES = SUBJECT_MESSAGE | SUBJECT_ANY,
    EVERY = (SUBJECT_MS << 1) - 1,
};

struct operator_desc;
typedef struct apitest_pattern *(*compile_fn)(struct compiler *c, const struct operator_desc *o,
                                              const struct conf_node *node, struct subject s);

struct operator_desc {
    const char *name;
    int kinds;
    enum pattern_op op;
    compile_fn compile;
    const char *help; /* Markdown, for the reference */
};

static struct apitest_pattern *compile_same(struct compiler *c, const struct operator_desc *o,
                                            const struct conf_node *node, struct subject s)
{
    (void) o;
    return apitest_compile(c, node, s);
}

/* One below, in which plain maps are partial again. */
static struct apitest_pattern *wrap(struct compiler *c, enum pattern_op op,
                                    const struct conf_node *node, struct subject outer,
                                    struct subject inner)
{
    bool exact = c->exact;
    struct apitest_pattern *p = apitest_pattern_new(c, op, node, outer);
    if (p == NULL || !apitest_children(c, p, 1)) {
        return NULL;
    }
    c->exact = false;
    p->child[0] = apitest_compile(c, node, inner);
    c->exact = exact;
    return p->child[0] != NULL ? p : NULL;
}

static struct apitest_pattern *compile_not(struct compiler *c, const struct operator_desc *o,
                                           const struct conf_node *node, struct subject s)
{
    return wrap(c, o->op, node, s, s);
}

static bool want_kind(struct compiler *c, const struct operator_desc *o,
                      const struct conf_node *node, enum conf_kind kind, const char *right)
{
    char seen[64];
    if (node->kind == kind && (kind != CONF_LIST || node->len > 0)) {
        return true;
    }
    (void) conf_error(c->diags, node, "%s wants %s, not %s", o->name, right,
                      conf_describe(node, seen));
    return false;
}

static struct apitest_pattern *compile_choices(struct compiler *c, const struct operator_desc *o,
                                               const struct conf_node *node, struct subject s)
{
    if (!want_kind(c, o, node, CONF_LIST, "a list of at least one expectation")) {
        return NULL;
    }
    struct apitest_pattern *p = apitest_pattern_new(c, o->op, node, s);
    bool good = p != NULL && apitest_children(c, p, node->len), exact = c->exact;
    p = good ? p : NULL;
    c->exact = false;
    size_t least = SIZE_MAX, sum = 0;
    for (size_t i = 0; p != NULL && i < node->len; i++) {
        p->child[i] = apitest_compile(c, node->item[i], s);
        good = good && p->child[i] != NULL;
        size_t checks = p->child[i] != NULL ? p->child[i]->checks : 0;
        least = checks < least ? checks : least;
        sum += checks;
    }
    c->exact = exact;
    if (!good) {
        return NULL;
    }
    /* One that tests nothing makes a choice that tests nothing. */
    p->checks = o->op == PAT_ALL ? sum : least > 0 ? 1 : 0;
    return p;
}

static struct apitest_pattern *compile_order(struct compiler *c, const struct operator_desc *o,
                                             const struct conf_node *node, struct subject s)
{
    struct subject operand = s;
    if (!want_kind(c, o, node, CONF_SCALAR, "a value")) {
        return NULL;
    }
    if (s.kind == SUBJECT_TEXT) {
        operand = (struct subject){.kind = SUBJECT_JSON}; /* a header that holds a number */
    }
    struct apitest_pattern *p = apitest_pattern_new(c, o->op, node, s);
    if (p == NULL || !apitest_operand(c, &operand, node, &p->operand)) {
        return NULL;
    }
    bool number = operand.kind != SUBJECT_JSON || !p->operand.constant ||
                  p->operand.value.json->kind == APITEST_JSON_NUMBER;
    if (!number) {
        (void) conf_error(c->diags, node, "%s compares numbers; \"" STR_FMT "\" is none", o->name,
                          STR_ARG(apitest_cut(node->text, 64)));
        return NULL;
    }
    p->second_subject = operand;
    return p;
}

static struct apitest_pattern *compile_text(struct compiler *c, const struct operator_desc *o,
                                            const struct conf_node *node, struct subject s)
{
    static const struct subject text = {.kind = SUBJECT_TEXT};
    if (!want_kind(c, o, node, CONF_SCALAR, "a text")) {
        return NULL;
    }
    struct apitest_pattern *p = apitest_pattern_new(c, o->op, node, s);
    return p != NULL && apitest_operand(c, &text, node, &p->operand) ? p : NULL;
}

static struct apitest_pattern *compile_regex(struct compiler *c, const struct operator_desc *o,
                                             const struct conf_node *node, struct subject s)
{
    struct apitest_pattern *p = compile_text(c, o, node, s);
    struct err err = {0};
    size_t at = 0;
    if (p == NULL || !p->operand.constant) {
        return p;
    }
    p->regex = apitest_regex_compile(p->operand.value.text, c->arena, &err, &at);
    if (p->regex == NULL) {
        struct conf_node place = *node;
        bool plain = str_find_char(node->text, '\n') == node->text.len && at <= node->text.len;
        size_t quote = node->style == CONF_PLAIN ? 0 : 1;
        if (plain && (node->style == CONF_PLAIN || node->style == CONF_SINGLE)) {
            place.pos.col += (unsigned) (at + quote);
            place.width = 0;
            place.text = (struct str){node->text.ptr + at, node->text.len - at};
        }
        (void) conf_error(c->diags, &place, "$regex: %s", err.msg);
        return NULL;
    }
    return p;
}

/* $contains: a part of a text, or elements of a list. */
static struct apitest_pattern *compile_contains(struct compiler *c, const struct operator_desc *o,
                                                const struct conf_node *node, struct subject s)
{
    bool list = node->kind == CONF_LIST;
    if (s.kind == SUBJECT_BYTES) {
        struct subject bytes = s;
        struct apitest_pattern *p = apitest_pattern_new(c, PAT_HAS, node, s);
        return want_kind(c, o, node, CONF_SCALAR, "bytes as base64") && p != NULL &&
                       apitest_operand(c, &bytes, node, &p->operand)
                   ? p
                   : NULL;
    }
    if (!list && (s.kind == SUBJECT_LIST || (s.kind == SUBJECT_JSON && node->kind == CONF_MAP))) {
        return wrap(c, PAT_CONTAINS, node, s, apitest_inner(s));
    }
    if (list) {
        return apitest_compile_items(c, node, s, PAT_CONTAINS);
    }
    if (s.kind == SUBJECT_JSON) {
        /* A text has it as a part, a list as an element: what is met says which. */
        struct apitest_pattern *p = wrap(c, PAT_HAS, node, s, apitest_inner(s));
        static const struct subject text = {.kind = SUBJECT_TEXT};
        return p != NULL && apitest_operand(c, &text, node, &p->operand) ? p : NULL;
    }
    return compile_text(c, o, node, s);
}

static struct apitest_pattern *compile_len(struct compiler *c, const struct operator_desc *o,
                                           const struct conf_node *node, struct subject s)
{
    struct subject count = {.kind = SUBJECT_COUNT};
    if (node->kind == CONF_LIST || conf_is_null(node)) {
        (void) want_kind(c, o, node, CONF_MAP, "a number or a comparison such as {$gte: 1}");
        return NULL;
    }
    return wrap(c, o->op, node, s, count);
}

/* The two values of {a: .., b: ..}; false with the error told. */
static bool two_keys(struct compiler *c, const struct operator_desc *o,
                     const struct conf_node *node, const char *a, const char *b,
                     const struct conf_node **ret_a, const struct conf_node **ret_b)
{
    char right[64];
    (void) snprintf(right, sizeof right, "{%s: .., %s: ..}", a, b);
    if (!want_kind(c, o, node, CONF_MAP, right)) {
        return false;
    }
    for (size_t i = 0; i < node->len; i++) {
        const char *const choice[] = {a, b};
        if (!str_eq_cstr(node->entry[i].key->text, a) &&
            !str_eq_cstr(node->entry[i].key->text, b)) {
            (void) conf_error_unknown(c->diags, node->entry[i].key, o->name, choice, 2);
            return false;
        }
    }
    *ret_a = conf_get(node, a);
    *ret_b = conf_get(node, b);
    if (*ret_a == NULL || *ret_b == NULL) {
        (void) conf_error(c->diags, node, "%s wants %s: \"%s\" is missing", o->name, right,
                          *ret_a == NULL ? a : b);
        return false;
    }
    return true;
}

static struct apitest_pattern *compile_approx(struct compiler *c, const struct operator_desc *o,
                                              const struct conf_node *node, struct subject s)
{
    static const struct subject json = {.kind = SUBJECT_JSON};
    const struct conf_node *value = NULL, *tol = NULL;
    if (!two_keys(c, o, node, "value", "tol", &value, &tol)) {
        return NULL;
    }
    struct apitest_pattern *p = apitest_pattern_new(c, o->op, node, s);
    if (p == NULL || !apitest_operand(c, &json, value, &p->operand) ||
        !apitest_operand(c, &json, tol, &p->second)) {
        return NULL;
    }
    const struct operand *both[] = {&p->operand, &p->second};
    for (size_t i = 0; i < 2; i++) {
        const struct apitest_json *number = both[i]->value.json;
        if (both[i]->constant && number->kind != APITEST_JSON_NUMBER) {
            (void) conf_error(c->diags, both[i]->node, "$approx: \"" STR_FMT "\" is no number",
                              STR_ARG(both[i]->node->text));
            return NULL;
        }
    }
    if (p->second.constant && apitest_json_order(p->second.value.json->text, STR("0")) < 0) {
        (void) conf_error(c->diags, tol, "$approx: a tolerance is not below 0");
        return NULL;
    }
    p->second_subject = json;
    return p;
}

static struct apitest_pattern *compile_within(struct compiler *c, const struct operator_desc *o,
                                              const struct conf_node *node, struct subject s)
{
    const struct conf_node *of = NULL, *by = NULL;
    struct subject when = {.kind = s.kind == SUBJECT_SPAN ? SUBJECT_SPAN : SUBJECT_INSTANT};
    if (!two_keys(c, o, node, "of", "by", &of, &by)) {
        return NULL;
    }
    struct apitest_pattern *p = apitest_pattern_new(c, o->op, node, s);
    p = p != NULL && apitest_operand(c, &when, of, &p->operand) ? p : NULL;
    struct subject span = {.kind = SUBJECT_SPAN};
    if (p == NULL || !apitest_operand(c, &span, by, &p->second)) {
        return NULL;
    }
    p->second_subject = when;
    return p;
}

static struct apitest_pattern *compile_type(struct compiler *c, const struct operator_desc *o,
                                            const struct conf_node *node, struct subject s)
{
    static const char *const names[] = {"null", "bool", "number", "string",
                                        "list", "map",  "integer"};
    if (!want_kind(c, o, node, CONF_SCALAR, "the name of a type")) {
        return NULL;
    }
    struct str name = str_eq_cstr(node->text, "array")    ? STR("list")
                      : str_eq_cstr(node->text, "object") ? STR("map")
                                                          : node->text;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_eq_cstr(name, names[i])) {
            struct apitest_pattern *p = apitest_pattern_new(c, o->op, node, s);
            if (p != NULL) {
                p->type_name = str_of(names[i]);
            }
            return p;
        }
    }
    (void) conf_error(c->diags, node,
                      "$type: \"" STR_FMT
                      "\" is no type of JSON: null, bool, number, integer, string, list or map",
                      STR_ARG(apitest_cut(node->text, 64)));
    return NULL;
}

bool apitest_hex_bytes(struct str text, struct arena *arena, struct str *ret)
{
    char *bytes = arena_alloc(arena, text.len / 2 + 1);
    size_t digits = 0;
    unsigned value = 0;
    for (size_t i = 0; bytes != NULL && i < text.len; i++) {
        char ch = text.ptr[i];
        if (ch == ' ' || ch == ':') {
            continue;
        }
        int digit = str_hex_digit(ch);
        if (digit < 0) {
            return false;
        }
        value = (value << 4 | (unsigned) digit) & 0xff;
        if (++digits % 2 == 0) {
            bytes[digits / 2 - 1] = (char) value;
        }
    }
    *ret = (struct str){bytes, digits / 2};
    return bytes != NULL && digits % 2 == 0;
}

/* $hex and $utf8: bytes in another notation; read once, so without variables saved later. */
static struct apitest_pattern *compile_bytes(struct compiler *c, const struct operator_desc *o,
                                             const struct conf_node *node, struct subject s)
{
    struct apitest_text text = {.known = false};
    if (!want_kind(c, o, node, CONF_SCALAR, "a text") ||
        apitest_expand(c->scope, node, c->arena, c->diags, &text) < 0) {
        return NULL;
    }
    struct apitest_pattern *p = apitest_pattern_new(c, PAT_EQ, node, s);
    if (p == NULL) {
        return NULL;
    }
    p->operand = (struct operand){.node = node, .constant = true};
    if (!text.constant) {
        (void) conf_error(c->diags, node, "%s takes no variable: write base64 for the field itself",
                          o->name);
        return NULL;
    }
    p->operand.value.proto.bytes = text.text;
    if (str_eq_cstr(str_of(o->name), "$hex") &&
        !apitest_hex_bytes(text.text, c->arena, &p->operand.value.proto.bytes)) {
        (void) conf_error(c->diags, node,
                          "$hex: \"" STR_FMT "\" is not pairs of hexadecimal digits",
                          STR_ARG(apitest_cut(text.text, 64)));
        return NULL;
    }
    return p;
}

static struct apitest_pattern *compile_inside(struct compiler *c, const struct operator_desc *o,
                                              const struct conf_node *node, struct subject s)
{
    struct subject json = {.kind = SUBJECT_JSON, .element = true};
    return wrap(c, o->op, node, s, json);
}

static struct apitest_pattern *compile_oneof(struct compiler *c, const struct operator_desc *o,
                                             const struct conf_node *node, struct subject s)
{
    if (!want_kind(c, o, node, CONF_SCALAR, "the name of a member of a oneof")) {
        return NULL;
    }
    struct buf b;
    char members[256];
    buf_init_fixed(&b, members, sizeof members);
    const struct proto_field_desc *branch = NULL;
    for (size_t i = 0; i < s.desc->fields; i++) {
        const struct proto_field_desc *field = &s.desc->field[i];
        if (field->oneof == NULL) {
            continue;
        }
        buf_add_cstr(&b, b.len > 0 ? ", " : "");
        buf_add_str(&b, field->name);
        bool it = str_eq(field->name, node->text) || str_eq(field->json_name, node->text);
        branch = it ? field : branch;
    }
    if (branch == NULL) {
        (void) conf_error(c->diags, node,
                          "$oneof: \"" STR_FMT "\" is in no oneof of " STR_FMT ": %s%s",
                          STR_ARG(apitest_cut(node->text, 64)), STR_ARG(s.desc->full_name),
                          b.len > 0 ? "members are " : "it has none", members);
        return NULL;
    }
    struct apitest_pattern *p = apitest_pattern_new(c, o->op, node, s);
    if (p != NULL) {
        p->branch = branch;
    }
    return p;
}

static struct apitest_pattern *compile_exact(struct compiler *c, const struct operator_desc *o,
                                             const struct conf_node *node, struct subject s)
{
    bool exact = c->exact;
    if (node->kind == CONF_SCALAR) {
        (void) want_kind(c, o, node, CONF_MAP, "a map of all that may be set, or a list");
        return NULL;
    }
    c->exact = true;
    struct apitest_pattern *p = apitest_compile(c, node, s);
    c->exact = exact;
    return p;
}

/* What is a choice of words: true and false, deny and allow. */
static struct apitest_pattern *compile_switch(struct compiler *c, const struct operator_desc *o,
                                              const struct conf_node *node, struct subject s)
{
    bool unknown = o->op == PAT_UNKNOWN;
    const char *yes = unknown ? "deny" : "true", *no = unknown ? "allow" : "false";
    bool on = node->kind == CONF_SCALAR && str_eq_cstr(node->text, yes);
    bool off = node->kind == CONF_SCALAR && str_eq_cstr(node->text, no);
    if (!on && !off) {
        char seen[64];
        bool text = node->kind == CONF_SCALAR;
        (void) conf_error(c->diags, node, "%s is %s or %s, not %s%s" STR_FMT "%s", o->name, yes, no,
                          text ? "" : conf_describe(node, seen), text ? "\"" : "",
                          STR_ARG(text ? apitest_cut(node->text, 64) : STR("")), text ? "\"" : "");
        return NULL;
    }
    enum pattern_op op = o->op;
    if (!unknown && off) {
        op = op == PAT_ABSENT ? PAT_PRESENT : PAT_ABSENT;
    }
    struct apitest_pattern *p = apitest_pattern_new(c, unknown && off ? PAT_ALL : op, node, s);
    if (p != NULL && unknown && off) {
        p->checks = 0;
    }
    return p;
}

static struct apitest_pattern *compile_items(struct compiler *c, const struct operator_desc *o,
                                             const struct conf_node *node, struct subject s)
{
    bool good = node->kind == CONF_LIST || want_kind(c, o, node, CONF_LIST, "a list of elements");
    return good ? apitest_compile_items(c, node, s, o->op) : NULL;
}

static struct apitest_pattern *compile_each(struct compiler *c, const struct operator_desc *o,
                                            const struct conf_node *node, struct subject s)
{
    struct apitest_pattern *p = wrap(c, o->op, node, s, apitest_inner(s));
    if (p != NULL) {
        p->checks = p->child[0]->checks;
    }
    return p;
}

static const struct operator_desc operators[] = {
    {"$eq", EVERY, PAT_EQ, compile_same, "equal to the value, as a plain value is: `{$eq: 3}`"},
    {"$ne", EVERY, PAT_NOT, compile_not, "not equal to the value: `{$ne: FAILED}`"},
    {"$not", EVERY, PAT_NOT, compile_not,
     "the expectation does not hold: `{$not: {$contains: error}}`"},
    {"$gt", ORDERED, PAT_GT, compile_order, "above the value: `{$gt: 0}`"},
    {"$gte", ORDERED, PAT_GE, compile_order, "the value or above"},
    {"$lt", ORDERED, PAT_LT, compile_order, "below the value: `{$lt: 200ms}`"},
    {"$lte", ORDERED, PAT_LE, compile_order, "the value or below"},
    {"$in", EVERY, PAT_SOME, compile_choices, "one of the values: `{$in: [PAID, SHIPPED]}`"},
    {"$any", EVERY, PAT_SOME, compile_choices,
     "at least one of the expectations holds: `{$any: [{$lt: 0}, {$gt: 9}]}`"},
    {"$all", EVERY, PAT_ALL, compile_choices, "all of the expectations hold"},
    {"$regex", TEXTS, PAT_REGEX, compile_regex,
     "the regular expression (PCRE2) is found in it; `^` and `$` for the whole: `{$regex: "
     "'^ord_[0-9]+$'}`"},
    {"$startsWith", TEXTS, PAT_STARTS, compile_text, "begins with the text"},
    {"$endsWith", TEXTS, PAT_ENDS, compile_text, "ends with the text"},
    {"$contains", TEXTS | SUBJECT_BYTES | SUBJECT_LIST, PAT_HAS, compile_contains,
     "has the text, or the bytes, inside; a list: elements that match, each another one: "
     "`{$contains: [{sku: A-100}]}`"},
    {"$len", TEXTS | SUBJECT_BYTES | SUBJECT_LIST | SUBJECT_MAP, PAT_LEN, compile_len,
     "the length, in characters of text, bytes, elements or entries: `{$len: {$gte: 1}}`"},
    {"$approx", NUMBERS, PAT_APPROX, compile_approx,
     "a number near another: `{$approx: {value: 0.3, tol: 0.01}}`"},
    {"$type", SUBJECT_JSON, PAT_TYPE, compile_type,
     "the type: null, bool, number, integer, string, list or map"},
    {"$hex", SUBJECT_BYTES, PAT_EQ, compile_bytes,
     "the bytes as hexadecimal digits: `{$hex: 00ff}`"},
    {"$utf8", SUBJECT_BYTES, PAT_EQ, compile_bytes, "the bytes of the text"},
    {"$json", SUBJECT_STRING | SUBJECT_BYTES | SUBJECT_TEXT | SUBJECT_JSON, PAT_INSIDE,
     compile_inside, "the text is JSON and like this: `{$json: {ok: true}}`"},
    {"$within", SUBJECT_INSTANT | SUBJECT_SPAN | SUBJECT_STRING | SUBJECT_TEXT | SUBJECT_JSON,
     PAT_WITHIN, compile_within, "a time near another: `{$within: {of: now, by: 5s}}`"},
    {"$oneof", SUBJECT_MESSAGE, PAT_ONEOF, compile_oneof,
     "the member of a oneof that is set: `{$oneof: card}`"},
    {"$exact", MESSAGES | SUBJECT_MAP | SUBJECT_LIST | SUBJECT_JSON, PAT_FIELDS, compile_exact,
     "nothing but what is listed is set, also further inside: `{$exact: {id: x}}`"},
    {"$unknown", MESSAGES, PAT_UNKNOWN, compile_switch,
     "`deny`: no field that the descriptors do not know, also further inside"},
    {"$absent", EVERY, PAT_ABSENT, compile_switch, "`true`: not set, the contrary of `$present`"},
    {"$present", EVERY, PAT_PRESENT, compile_switch,
     "`true`: set; of a field without presence: not its default; of a list or a map: not empty"},
    {"$unordered", LISTS, PAT_UNORDERED, compile_items, "the same elements in any order"},
    {"$prefix", LISTS, PAT_PREFIX, compile_items, "begins with these elements"},
    {"$each", LISTS | SUBJECT_MAP, PAT_EACH, compile_each,
     "every element, or every value of a map, is like this: `{$each: {ok: true}}`"},
};

enum { OPERATORS = sizeof operators / sizeof operators[0] };

/* Groups of kinds as the reference names them; TEXT and the like go with what they resemble. */
bool apitest_operator_at(size_t i, struct apitest_operator *ret)
{
    static const struct {
        const char *word;
        int kinds;
    } words[] = {
        {"numbers", SUBJECT_INTEGER | SUBJECT_FLOAT | SUBJECT_COUNT},
        {"enums", SUBJECT_ENUM},
        {"text", SUBJECT_STRING | SUBJECT_MASK},
        {"headers", SUBJECT_TEXT},
        {"bytes", SUBJECT_BYTES},
        {"lists", SUBJECT_LIST},
        {"maps", SUBJECT_MAP},
        {"messages", SUBJECT_MESSAGE | SUBJECT_ANY},
        {"instants", SUBJECT_INSTANT},
        {"durations", SUBJECT_SPAN | SUBJECT_MS},
        {"JSON", SUBJECT_JSON},
    };
    if (i >= OPERATORS) {
        return false;
    }
    struct buf b;
    buf_init_fixed(&b, ret->subjects, sizeof ret->subjects);
    ret->name = operators[i].name;
    ret->help = operators[i].help;
    if (operators[i].kinds == EVERY) {
        buf_add_cstr(&b, "everything");
        return true;
    }
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        if ((operators[i].kinds & words[w].kinds) != 0) {
            buf_addf(&b, "%s%s", b.len > 0 ? ", " : "", words[w].word);
        }
    }
    return true;
}

static void no_sense(struct compiler *c, const struct conf_node *key, const struct subject *s)
{
    struct buf b;
    char list[256], what[128];
    buf_init_fixed(&b, list, sizeof list);
    for (size_t i = 0; i < OPERATORS; i++) {
        if ((operators[i].kinds & (int) s->kind) != 0) {
            buf_add_cstr(&b, b.len > 0 ? " " : "");
            buf_add_cstr(&b, operators[i].name);
        }
    }
    (void) conf_error(c->diags, key, STR_FMT " makes no sense for %s: there are %s",
                      STR_ARG(key->text), apitest_subject_text(s, what), list);
}

struct apitest_pattern *apitest_compile_operator(struct compiler *c, const struct conf_node *key,
                                                 const struct conf_node *node, struct subject s)
{
    const char *names[OPERATORS];
    for (size_t i = 0; i < OPERATORS; i++) {
        names[i] = operators[i].name;
        if (!str_eq_cstr(key->text, names[i])) {
            continue;
        }
        if ((operators[i].kinds & (int) s.kind) == 0) {
            no_sense(c, key, &s);
            return NULL;
        }
        struct apitest_pattern *p = operators[i].compile(c, &operators[i], node, s);
        if (p != NULL && p->word == NULL) {
            p->word = operators[i].name;
        }
        return p;
    }
    const char *near = str_nearest(key->text, names, OPERATORS);
    (void) conf_error(c->diags, key, "unknown operator \"" STR_FMT "\"%s%s%s",
                      STR_ARG(apitest_cut(key->text, 64)), near != NULL ? ": did you mean \"" : "",
                      near != NULL ? near : "", near != NULL ? "\"?" : "");
    return NULL;
}

/* The library's memory is the arena's: patterns die with it. */
static void *take(size_t size, void *arena)
{
    return arena_alloc(arena, size);
}

static void leave(void *ptr, void *arena)
{
    (void) ptr;
    (void) arena;
}

void *apitest_regex_compile(struct str text, struct arena *arena, struct err *err, size_t *ret_at)
{
    enum { PATTERN_MAX = 64 * 1024 };
    int code = 0;
    PCRE2_SIZE at = 0;
    if (text.len > PATTERN_MAX) {
        (void) err_set(err, ERR_FULL, "a pattern of %zu bytes: at most %d", text.len, PATTERN_MAX);
        return NULL;
    }
    pcre2_general_context *general = pcre2_general_context_create(take, leave, arena);
    pcre2_compile_context *context = general == NULL ? NULL : pcre2_compile_context_create(general);
    if (context == NULL) {
        (void) err_set(err, ERR_FULL, "no memory is left for a pattern");
        return NULL;
    }
    pcre2_code *regex = pcre2_compile((PCRE2_SPTR) text.ptr, text.len,
                                      PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                                      &code, &at, context);
    if (regex == NULL) {
        PCRE2_UCHAR message[160];
        (void) pcre2_get_error_message(code, message, sizeof message);
        (void) err_set(err, ERR_INVALID, "%s (at character %zu of the pattern)",
                       (const char *) message, at + 1);
        *ret_at = at;
    }
    return regex;
}
