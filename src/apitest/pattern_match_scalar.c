/* Patterns of scalars: equal, less, nearly equal; with notes about what often goes wrong. */
#include "apitest/pattern_int.h"

#include "base/num.h"
#include "proto/scalar.h"
#include "proto/wkt.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NANOS = 1000000000 };

/* A second and its nanoseconds, 0..999999999 also before 1970. */
struct instant {
    int64_t seconds;
    int32_t nanos;
};

static bool instant_of(const struct apitest_value *v, struct instant *ret)
{
    struct str text;
    if (v->kind == APITEST_MESSAGE) {
        const struct proto_msg *msg = v->proto.msg;
        int64_t seconds = proto_get(msg, proto_field_of(msg, 1)).i64;
        int32_t nanos = proto_get(msg, proto_field_of(msg, 2)).i32;
        if (seconds < INT64_MIN / 4 || seconds > INT64_MAX / 4 || nanos <= -NANOS ||
            nanos >= NANOS) {
            return false;
        }
        *ret =
            (struct instant){nanos < 0 ? seconds - 1 : seconds, nanos < 0 ? nanos + NANOS : nanos};
        return true;
    }
    return apitest_text_of(v, &text) &&
           proto_timestamp_parse(text, &ret->seconds, &ret->nanos, NULL) == 0;
}

static int order_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int order_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* NaN is equal to NaN and in no order with others. */
static int order_f64(double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return isnan(a) && isnan(b) ? 0 : 2;
    }
    return (a > b) - (a < b);
}

static int order_bytes(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    return order != 0 ? (order > 0) - (order < 0) : order_u64(a.len, b.len);
}

static int order_proto(const struct proto_field_desc *field, union proto_value a,
                       union proto_value b)
{
    switch (field->type) {
    case PROTO_DOUBLE:
        return order_f64(a.f64, b.f64);
    case PROTO_FLOAT:
        return order_f64((double) a.f32, (double) b.f32);
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64:
        return order_i64(a.i64, b.i64);
    case PROTO_UINT64:
    case PROTO_FIXED64:
        return order_u64(a.u64, b.u64);
    case PROTO_UINT32:
    case PROTO_FIXED32:
        return order_u64(a.u32, b.u32);
    case PROTO_BOOL:
        return (a.boolean ? 1 : 0) - (b.boolean ? 1 : 0);
    case PROTO_STRING:
    case PROTO_BYTES:
        return order_bytes(a.bytes, b.bytes);
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32:
    case PROTO_ENUM:
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        break;
    }
    return order_i64(a.i32, b.i32);
}

/* A variable's text against JSON of any kind. */
static int order_loose(const struct apitest_json *got, struct str text, struct arena *arena)
{
    const struct apitest_json *wanted = NULL;
    switch (got->kind) {
    case APITEST_JSON_STRING:
        return str_eq(got->text, text) ? 0 : 2;
    case APITEST_JSON_NUMBER:
        return num_is_decimal(text) ? apitest_json_order(got->text, text) : 2;
    case APITEST_JSON_BOOL:
        return str_eq_cstr(text, got->boolean ? "true" : "false") ? 0 : 2;
    case APITEST_JSON_NULL:
        return str_eq_cstr(text, "null") ? 0 : 2;
    case APITEST_JSON_LIST:
    case APITEST_JSON_OBJECT:
        break;
    }
    return apitest_json_parse(text, arena, &wanted, NULL) == 0 && apitest_json_equal(got, wanted)
               ? 0
               : 2;
}

static int order_json(struct match *m, const struct apitest_json *got, const struct scalar *scalar)
{
    const struct apitest_json *wanted = scalar->json;
    if (scalar->loose) {
        struct str text = wanted->text;
        return order_loose(got, text, &m->arena);
    }
    if (got->kind == APITEST_JSON_NUMBER && wanted->kind == APITEST_JSON_NUMBER) {
        return apitest_json_order(got->text, wanted->text);
    }
    return apitest_json_equal(got, wanted) ? 0 : 2;
}

static int order_instant(struct instant got, const struct scalar *scalar)
{
    int order = order_i64(got.seconds, scalar->number);
    return order != 0 ? order : order_i64(got.nanos, scalar->nanos);
}

int apitest_order(struct match *m, const struct subject *s, const struct apitest_value *v,
                  const struct scalar *scalar)
{
    struct instant at;
    if (v->kind == APITEST_FIELD) {
        return order_proto(v->field, v->proto, scalar->proto);
    }
    if (v->kind == APITEST_JSON) {
        return order_json(m, v->json, scalar);
    }
    if (v->kind == APITEST_MESSAGE && (s->kind == SUBJECT_INSTANT || s->kind == SUBJECT_SPAN) &&
        instant_of(v, &at)) {
        return order_instant(at, scalar);
    }
    if (v->kind == APITEST_NUMBER || v->kind == APITEST_MS) {
        return order_i64(v->number, scalar->number);
    }
    if (v->kind == APITEST_BOOL) {
        return (v->boolean ? 1 : 0) - (scalar->proto.boolean ? 1 : 0);
    }
    if (v->kind == APITEST_TEXT && s->kind == SUBJECT_JSON) {
        struct str text = str_trim(v->text); /* a header that should hold a number */
        return num_is_decimal(text) && num_is_decimal(scalar->json->text)
                   ? apitest_json_order(text, scalar->json->text)
                   : 2;
    }
    return v->kind == APITEST_TEXT ? order_bytes(v->text, scalar->text) : 2;
}

/* What kind of mistake makes one integer of the other. */
static const char *integer_note(const struct proto_field_desc *field, union proto_value got,
                                union proto_value wanted)
{
    bool wide = field->type == PROTO_INT64 || field->type == PROTO_UINT64 ||
                field->type == PROTO_SINT64 || field->type == PROTO_FIXED64 ||
                field->type == PROTO_SFIXED64;
    if (!wide) {
        return "";
    }
    bool is_unsigned = field->type == PROTO_UINT64 || field->type == PROTO_FIXED64;
    /* The bits are compared, so that no value is converted out of its range. */
    uint64_t wanted_bits = is_unsigned ? wanted.u64 : (uint64_t) wanted.i64;
    uint64_t got_bits = is_unsigned ? got.u64 : (uint64_t) got.i64;
    uint64_t low = wanted_bits & UINT32_MAX,
             low_signed = low | (low >> 31 != 0 ? ~(uint64_t) UINT32_MAX : 0);
    if (got_bits == low || got_bits == low_signed) {
        return "the low 32 bits of the expected one: did you mean int64 where this is made?";
    }
    double a = is_unsigned ? (double) wanted.u64 : (double) wanted.i64;
    double b = is_unsigned ? (double) got.u64 : (double) got.i64;
    if (a == b && fabs(a) > 9007199254740991.0) {
        return "the same as a double: did it go through a float64 (JavaScript, JSON)?";
    }
    return "";
}

static void text_note(struct str got, struct str wanted, char *out, size_t size)
{
    size_t at = 0;
    if (str_eq(str_trim(got), str_trim(wanted))) {
        (void) snprintf(out, size, "only the blanks at the ends differ");
        return;
    }
    if (str_eq_nocase(got, wanted)) {
        (void) snprintf(out, size, "only capital letters differ");
        return;
    }
    while (at < got.len && at < wanted.len && got.ptr[at] == wanted.ptr[at]) {
        at++;
    }
    if (got.len > 64 && wanted.len > 64) {
        (void) snprintf(out, size, "%zu and %zu bytes; the first difference is at byte %zu",
                        wanted.len, got.len, at);
    }
}

static void json_note(const struct apitest_json *got, const struct apitest_json *wanted, char *out,
                      size_t size)
{
    if (got->kind == wanted->kind) {
        if (got->kind == APITEST_JSON_STRING) {
            text_note(got->text, wanted->text, out, size);
        }
        return;
    }
    bool scalar = got->kind != APITEST_JSON_LIST && got->kind != APITEST_JSON_OBJECT;
    (void) snprintf(out, size, "a %s, not a %s%s", apitest_json_kind_name(got->kind),
                    apitest_json_kind_name(wanted->kind),
                    scalar && got->kind == APITEST_JSON_STRING      ? " (in YAML: with quotes)"
                    : scalar && wanted->kind == APITEST_JSON_STRING ? " (in YAML: without quotes)"
                                                                    : "");
}

/* Absent where the default was written: the two are often taken for the same. */
static bool wants_default(const struct apitest_pattern *p, const struct apitest_value *v,
                          const struct scalar *wanted)
{
    const struct proto_field_desc *field = p->subject.field;
    return v->kind == APITEST_ABSENT && field != NULL && p->subject.desc == NULL &&
           !field->repeated && proto_value_equal(field, wanted->proto, field->fallback);
}

static void equal_note(const struct apitest_pattern *p, const struct apitest_value *v,
                       const struct scalar *wanted, char *out, size_t size)
{
    if (wants_default(p, v, wanted)) {
        (void) snprintf(out, size,
                        "not set, which is not the same as its default: null expects that");
    } else if (v->kind == APITEST_FIELD && p->subject.kind == SUBJECT_INTEGER) {
        (void) snprintf(out, size, "%s", integer_note(v->field, v->proto, wanted->proto));
    } else if (v->kind == APITEST_JSON && !wanted->loose) {
        json_note(v->json, wanted->json, out, size);
    } else if (v->kind == APITEST_FIELD && p->subject.kind == SUBJECT_STRING) {
        text_note(v->proto.bytes, wanted->proto.bytes, out, size);
    } else if (v->kind == APITEST_TEXT && p->subject.kind == SUBJECT_TEXT) {
        text_note(v->text, wanted->text, out, size);
    }
}

static bool differs(struct match *m, const struct apitest_pattern *p, const struct apitest_value *v,
                    const struct scalar *wanted)
{
    char note[200] = "";
    if (m->silent) {
        m->fails++;
        return false;
    }
    if (p->op == PAT_EQ) {
        equal_note(p, v, wanted, note, sizeof note);
    } else if (v->kind == APITEST_TEXT && !num_is_decimal(str_trim(v->text))) {
        (void) snprintf(note, sizeof note, "it is no number");
    }
    return apitest_differs(m, p, v, NULL, NULL, "%s", note);
}

static bool holds(enum pattern_op op, int order)
{
    if (op == PAT_GT || op == PAT_LT) {
        return order == (op == PAT_GT ? 1 : -1);
    }
    if (op == PAT_GE || op == PAT_LE) {
        return order == (op == PAT_GE ? 1 : -1) || order == 0;
    }
    return order == 0;
}

static bool match_order(struct match *m, const struct apitest_pattern *p,
                        const struct apitest_value *v)
{
    const struct subject *s = p->op == PAT_EQ ? &p->subject : &p->second_subject;
    struct scalar wanted;
    if (!apitest_operand_now(m, p, s, &p->operand, &wanted)) {
        return false;
    }
    if (v->kind == APITEST_SET) {
        for (size_t i = 0; i < v->items; i++) {
            struct apitest_value one = apitest_value_of_text(v->item[i]);
            if (holds(p->op, apitest_order(m, s, &one, &wanted))) {
                return true;
            }
        }
        return apitest_differs(m, p, v, NULL, NULL, "none of its %zu values", v->items);
    }
    return holds(p->op, apitest_order(m, s, v, &wanted)) || differs(m, p, v, &wanted);
}

/* An integer that a double cannot hold is compared as an integer. */
static bool number_of(const struct apitest_value *v, struct str *ret, struct arena *arena)
{
    struct buf b;
    char text[64];
    buf_init_fixed(&b, text, sizeof text);
    if (v->kind == APITEST_FIELD) {
        proto_scalar_text(v->field, v->proto, &b);
    } else if (v->kind == APITEST_NUMBER) {
        buf_add_i64(&b, v->number);
    } else if (v->kind == APITEST_JSON && v->json->kind == APITEST_JSON_NUMBER) {
        *ret = v->json->text;
        return true;
    } else if (v->kind == APITEST_TEXT) {
        *ret = str_trim(v->text);
        return num_is_decimal(*ret);
    } else {
        return false;
    }
    *ret = (struct str){arena_strdup(arena, buf_str(&b)), b.len};
    return ret->ptr != NULL && !b.failed;
}

static bool is_near(struct str got, struct str wanted, struct str tolerance)
{
    int64_t a = 0, b = 0, tol = 0;
    double x = 0, y = 0, z = 0;
    if (apitest_json_order(got, wanted) == 0) {
        return true;
    }
    if (num_i64(got, INT64_MIN, INT64_MAX, &a) == 0 &&
        num_i64(wanted, INT64_MIN, INT64_MAX, &b) == 0 &&
        num_i64(tolerance, 0, INT64_MAX, &tol) == 0) {
        uint64_t distance = a > b ? (uint64_t) a - (uint64_t) b : (uint64_t) b - (uint64_t) a;
        return distance <= (uint64_t) tol;
    }
    /* A decimal such as 0.3 is not exact: what rounding alone makes of it does not count. */
    return num_double(got, &x) == 0 && num_double(wanted, &y) == 0 &&
           num_double(tolerance, &z) == 0 &&
           fabs(x - y) <= z + 4 * DBL_EPSILON * (fabs(x) > fabs(y) ? fabs(x) : fabs(y));
}

static bool match_approx(struct match *m, const struct apitest_pattern *p,
                         const struct apitest_value *v)
{
    struct scalar wanted, tolerance;
    struct str got = {NULL, 0};
    if (!apitest_operand_now(m, p, &p->second_subject, &p->operand, &wanted) ||
        !apitest_operand_now(m, p, &p->second_subject, &p->second, &tolerance)) {
        return false;
    }
    if (!number_of(v, &got, &m->arena)) {
        return apitest_differs(m, p, v, NULL, NULL, "%s",
                               v->kind == APITEST_ABSENT ? "" : "it is no number");
    }
    return is_near(got, wanted.json->text, tolerance.json->text) ||
           apitest_differs(m, p, v, NULL, NULL, "%s", "");
}

static bool match_type(struct match *m, const struct apitest_pattern *p,
                       const struct apitest_value *v)
{
    if (v->kind == APITEST_JSON) {
        const char *kind = apitest_json_kind_name(v->json->kind);
        bool integer = v->json->kind == APITEST_JSON_NUMBER &&
                       str_eq_cstr(p->type_name, "integer") &&
                       str_find_char(v->json->text, '.') == v->json->text.len &&
                       str_find_char(v->json->text, 'e') == v->json->text.len &&
                       str_find_char(v->json->text, 'E') == v->json->text.len;
        if (integer || str_eq_cstr(p->type_name, kind)) {
            return true;
        }
        return apitest_differs(m, p, v, NULL, NULL, "a %s", kind);
    }
    return apitest_differs(m, p, v, NULL, NULL, "%s", "");
}

static struct instant minus(struct instant a, struct instant b)
{
    struct instant d = {a.seconds - b.seconds, a.nanos - b.nanos};
    if (d.nanos < 0) {
        d.nanos += NANOS;
        d.seconds--;
    }
    return d;
}

static bool match_within(struct match *m, const struct apitest_pattern *p,
                         const struct apitest_value *v)
{
    static const struct subject span = {.kind = SUBJECT_SPAN};
    struct scalar of, by;
    struct instant got = {0, 0};
    if (!apitest_operand_now(m, p, &p->second_subject, &p->operand, &of) ||
        !apitest_operand_now(m, p, &span, &p->second, &by)) {
        return false;
    }
    if (!instant_of(v, &got)) {
        return apitest_differs(m, p, v, NULL, NULL, "%s",
                               v->kind == APITEST_ABSENT ? "" : "it is no time of RFC 3339");
    }
    struct instant wanted = {of.number, of.nanos};
    bool later = order_instant(got, &of) > 0;
    struct instant distance = later ? minus(got, wanted) : minus(wanted, got);
    if (order_instant(distance, &by) <= 0) {
        return true;
    }
    return apitest_differs(m, p, v, NULL, NULL, "%lld.%03ds %s", (long long) distance.seconds,
                           (int) (distance.nanos / 1000000), later ? "later" : "earlier");
}

bool apitest_match_scalar(struct match *m, const struct apitest_pattern *p,
                          const struct apitest_value *v)
{
    if (p->op == PAT_APPROX) {
        return match_approx(m, p, v);
    }
    if (p->op == PAT_TYPE) {
        return match_type(m, p, v);
    }
    return p->op == PAT_WITHIN ? match_within(m, p, v) : match_order(m, p, v);
}
