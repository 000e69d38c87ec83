/* Patterns of lists.  $unordered and $contains give every expectation an element of its own. */
#include "apitest/matching.h"
#include "apitest/pattern_int.h"

#include "base/cleanup.h"

#include <stdio.h>

enum { EXPLAINED = 10, NEAREST_MAX = 200, SHORT_MAX = 120, REORDER_MAX = 100 };

/* The messages of a stream come as a list without a field. */
static bool is_messages(const struct apitest_value *v)
{
    return v->kind == APITEST_REPEATED && v->field == NULL;
}

static const char *noun(const struct apitest_value *v)
{
    return is_messages(v) ? "message" : "element";
}

/* A list and what was found out about which expectation fits which element. */
struct pairing {
    const struct apitest_pattern *p;
    const struct apitest_value *v;
    size_t expectations, elements, pairs;
    uint8_t *edge;
    size_t *of_expectation, *of_element;
};

static void pairing_done(struct pairing *g)
{
    mem_free(g->edge);
    mem_free(g->of_expectation);
    mem_free(g->of_element);
}

/* False: too large, or given up. */
static bool pair(struct match *m, struct pairing *g)
{
    size_t l = g->expectations, r = g->elements;
    if (l > 0 && r > APITEST_MATCHING_EDGES_MAX / l) {
        return false;
    }
    g->edge = mem_alloc(l * r + 1);
    g->of_expectation = mem_array(l + 1, sizeof *g->of_expectation);
    g->of_element = mem_array(r + 1, sizeof *g->of_element);
    for (size_t i = 0; i < l; i++) {
        for (size_t j = 0; j < r; j++) {
            struct apitest_value item = apitest_list_item(g->v, j);
            g->edge[i * r + j] = apitest_match_silent(m, g->p->child[i], &item, NULL);
        }
        if (m->broken) {
            return false;
        }
    }
    g->pairs = apitest_matching(g->edge, l, r, g->of_expectation, g->of_element);
    return true;
}

static void show_short(const struct match *m, const struct apitest_value *v, struct buf *b)
{
    apitest_value_show_safe(m->secrets, v, SHORT_MAX, b);
}

/* What matches the expectation but is taken by another one; false: nothing does. */
static bool explain_taken(const struct pairing *g, size_t i, struct buf *b)
{
    for (size_t j = 0; j < g->elements; j++) {
        if (g->edge[i * g->elements + j] == 0) {
            continue;
        }
        size_t other = g->of_element[j];
        buf_addf(b, "[%zu] matches, but it is the %s of expectation %zu: ", j, noun(g->v),
                 other + 1);
        apitest_node_show(g->p->child[other]->node, SHORT_MAX, b);
        buf_add_cstr(b, "; every expectation needs its own");
        return true;
    }
    return false;
}

/* The element that is left over and differs least. */
static void explain_nearest(struct match *m, const struct pairing *g, size_t i, struct buf *b)
{
    size_t best = SIZE_MAX, least = SIZE_MAX;
    for (size_t j = 0; j < g->elements && j < NEAREST_MAX; j++) {
        struct apitest_value item = apitest_list_item(g->v, j);
        size_t fails = 0;
        if (g->of_element[j] == APITEST_UNMATCHED &&
            !apitest_match_silent(m, g->p->child[i], &item, &fails) && fails < least) {
            least = fails;
            best = j;
        }
    }
    buf_addf(b, "did not match any of %zu %s%s", g->elements, noun(g->v),
             g->elements == 1 ? "" : "s");
    if (best != SIZE_MAX) {
        char name[32];
        struct apitest_value item = apitest_list_item(g->v, best);
        (void) snprintf(name, sizeof name, "[%zu]", best);
        struct str first = apitest_match_first(m, g->p->child[i], &item, name);
        buf_addf(b, "; nearest is " STR_FMT, STR_ARG(first.len > 0 ? first : str_of(name)));
    }
}

static bool tell_missing(struct match *m, const struct pairing *g)
{
    size_t told = 0;
    for (size_t i = 0; i < g->expectations; i++) {
        if (g->of_expectation[i] != APITEST_UNMATCHED) {
            continue;
        }
        _cleanup_(buf_done) struct buf note;
        buf_init(&note, 4096);
        if (m->silent || told++ >= EXPLAINED) {
            buf_add_cstr(&note, "did not match");
        } else if (!explain_taken(g, i, &note)) {
            explain_nearest(m, g, i, &note);
        }
        _cleanup_(buf_done) struct buf got;
        buf_init(&got, 4096);
        show_short(m, g->v, &got);
        (void) apitest_differs(m, g->p->child[i], g->v, NULL, got.ptr, STR_FMT,
                               STR_ARG(buf_str(&note)));
    }
    return g->pairs == g->expectations;
}

static bool tell_left_over(struct match *m, const struct pairing *g)
{
    for (size_t j = 0; j < g->elements; j++) {
        if (g->of_element[j] == APITEST_UNMATCHED) {
            struct apitest_value item = apitest_list_item(g->v, j);
            size_t back = apitest_path_index(m, j);
            char expected[64];
            (void) snprintf(expected, sizeof expected, "no more %ss", noun(g->v));
            (void) apitest_differs(m, g->p, &item, expected, NULL,
                                   "%zu expectation%s for %zu %s%s, and none is left for this",
                                   g->expectations, g->expectations == 1 ? "" : "s", g->elements,
                                   noun(g->v), g->elements == 1 ? "" : "s");
            apitest_path_back(m, back);
        }
    }
    return g->pairs == g->elements;
}

static bool too_large(struct match *m, const struct pairing *g)
{
    if (m->broken) {
        return false;
    }
    m->broken = true;
    return apitest_differs(m, g->p, g->v, NULL, NULL,
                           "given up: %zu expectations for %zu elements in any order are too many "
                           "to try",
                           g->expectations, g->elements);
}

static bool match_any_order(struct match *m, const struct apitest_pattern *p,
                            const struct apitest_value *v, size_t len)
{
    struct pairing g = {.p = p, .v = v, .expectations = p->children, .elements = len};
    bool matched;
    if (!pair(m, &g)) {
        matched = too_large(m, &g);
    } else {
        matched = tell_missing(m, &g);
        matched = (p->op == PAT_CONTAINS || tell_left_over(m, &g)) && matched;
    }
    pairing_done(&g);
    return matched;
}

/* Whether another order would have matched: worth a note, as $unordered is easily forgotten. */
static bool is_reordered(struct match *m, const struct apitest_pattern *p,
                         const struct apitest_value *v, size_t len)
{
    struct pairing g = {.p = p, .v = v, .expectations = p->children, .elements = len};
    if (p->op != PAT_LIST || len != p->children || len < 2 || len > REORDER_MAX) {
        return false;
    }
    bool all = pair(m, &g) && g.pairs == len;
    pairing_done(&g);
    return all;
}

static bool match_places(struct match *m, const struct apitest_pattern *p,
                         const struct apitest_value *v, size_t len)
{
    size_t n = len < p->children ? len : p->children;
    bool matched = true;
    for (size_t i = 0; i < n; i++) {
        struct apitest_value item = apitest_list_item(v, i);
        size_t back = apitest_path_index(m, i);
        matched = apitest_pattern_match(m, p->child[i], &item) && matched;
        apitest_path_back(m, back);
    }
    return matched;
}

static bool wrong_length(struct match *m, const struct apitest_pattern *p,
                         const struct apitest_value *v, size_t len)
{
    char expected[64], got[64];
    struct buf note;
    buf_init(&note, 4096);
    const char *what = noun(v);
    (void) snprintf(expected, sizeof expected, "%s%zu %s%s", p->op == PAT_PREFIX ? "at least " : "",
                    p->children, what, p->children == 1 ? "" : "s");
    (void) snprintf(got, sizeof got, "%zu %s%s", len, what, len == 1 ? "" : "s");
    if (m->silent) {
        buf_add_cstr(&note, "");
    } else if (len > p->children) {
        struct apitest_value item = apitest_list_item(v, p->children);
        buf_addf(&note, "more than expected: [%zu] ", p->children);
        show_short(m, &item, &note);
    } else {
        buf_addf(&note, "missing: [%zu] ", len);
        apitest_node_show(p->child[len]->node, SHORT_MAX, &note);
    }
    (void) apitest_differs(m, p, v, expected, got, STR_FMT, STR_ARG(buf_str(&note)));
    buf_done(&note);
    return false;
}

static bool match_order(struct match *m, const struct apitest_pattern *p,
                        const struct apitest_value *v, size_t len)
{
    bool length = p->op == PAT_PREFIX ? len >= p->children : len == p->children;
    if (m->silent || !length) {
        bool places = match_places(m, p, v, len);
        return (length || wrong_length(m, p, v, len)) && places;
    }
    bool silent = m->silent;
    size_t fails = m->fails;
    m->silent = true;
    bool matched = match_places(m, p, v, len) && !m->broken;
    m->silent = silent;
    m->fails = fails;
    if (!matched && !m->broken && is_reordered(m, p, v, len)) {
        return apitest_differs(m, p, v, NULL, NULL, "the same %ss in another order: %s would match",
                               noun(v), is_messages(v) ? "match: unordered" : "$unordered");
    }
    /* Once more, now telling: also when all is well, as this counts what was asserted. */
    return match_places(m, p, v, len);
}

static bool match_each(struct match *m, const struct apitest_pattern *p,
                       const struct apitest_value *v, size_t len)
{
    bool matched = true;
    for (size_t i = 0; i < len; i++) {
        struct apitest_value item = apitest_list_item(v, i);
        size_t back = m->path.len;
        if (v->kind == APITEST_REPEATED && v->field != NULL && v->field->is_map) {
            _cleanup_(buf_done) struct buf key;
            buf_init(&key, 1024);
            apitest_key_text(v->field, v->proto.list->item[i].msg, &key);
            apitest_path_key(&m->path, buf_str(&key));
        } else {
            (void) apitest_path_index(m, i);
        }
        matched = apitest_pattern_match(m, p->child[0], &item) && matched;
        apitest_path_back(m, back);
    }
    return matched;
}

bool apitest_match_list(struct match *m, const struct apitest_pattern *p,
                        const struct apitest_value *v)
{
    size_t len = 0;
    if (!apitest_list_of(v, &len)) {
        return apitest_differs(m, p, v, NULL, NULL, "a %s, not a list",
                               v->kind == APITEST_JSON ? apitest_json_kind_name(v->json->kind)
                                                       : "value that is absent");
    }
    if (p->op == PAT_EACH) {
        return match_each(m, p, v, len);
    }
    if (p->op == PAT_UNORDERED || p->op == PAT_CONTAINS) {
        return match_any_order(m, p, v, len);
    }
    return match_order(m, p, v, len);
}
