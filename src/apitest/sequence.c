/*
 * The messages of a stream: see pattern.h.
 *
 * Without $repeat it is a list of messages and matched as one.  With it the items are tried like a
 * regular expression: which messages each item can have taken is found for all at once, item by
 * item.
 */
#include "apitest/pattern_int.h"

#include "base/mem.h"
#include "conf/schema.h"

struct item {
    struct apitest_pattern *pattern; /* NULL: any message */
    size_t min, max;
};

struct apitest_sequence {
    const struct conf_node *node;
    struct apitest_pattern *list; /* of the patterns of all items that have one */
    struct item *item;
    size_t items, checks;
    size_t min, max;
    bool repeats; /* an item other than a message or a $rest at the end */
};

static size_t add(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static bool compile_bound(struct compiler *c, const struct conf_node *map, const char *key,
                          size_t *ret)
{
    const struct conf_node *node = conf_get(map, key);
    int64_t value = 0;
    if (node == NULL) {
        return true;
    }
    if (conf_i64(c->diags, node, 0, INT32_MAX, &value) < 0) {
        return false;
    }
    *ret = (size_t) value;
    return true;
}

static bool compile_repeat(struct compiler *c, const struct conf_node *node, struct subject s,
                           struct item *ret)
{
    static const struct conf_key keys[] = {
        {"min", CONF_WANT_INTEGER, 0, "at least so many messages", NULL},
        {"max", CONF_WANT_INTEGER, 0, "at most so many", NULL},
        {"of", CONF_WANT_ANY, CONF_REQUIRED, "what each of them is", NULL},
        {NULL, CONF_WANT_ANY, 0, NULL, NULL},
    };
    struct item item = {.min = 1, .max = SIZE_MAX};
    if (conf_check_keys(c->diags, node, "$repeat", keys) < 0 ||
        !compile_bound(c, node, "min", &item.min) || !compile_bound(c, node, "max", &item.max)) {
        return false;
    }
    if (item.max < item.min || item.max == 0) {
        (void) conf_error(c->diags, node, "$repeat: max has to be at least min, and at least 1");
        return false;
    }
    item.pattern = apitest_compile(c, conf_get(node, "of"), s);
    *ret = item;
    return item.pattern != NULL;
}

static bool compile_rest(struct compiler *c, const struct conf_node *node, bool last,
                         struct item *ret)
{
    if (node->kind != CONF_SCALAR || !str_eq_cstr(node->text, "any")) {
        (void) conf_error(c->diags, node,
                          "$rest is always \"any\"; for more of a kind write $repeat");
        return false;
    }
    if (!last) {
        (void) conf_error(c->diags, node, "$rest has to be the last");
        return false;
    }
    *ret = (struct item){.min = 0, .max = SIZE_MAX};
    return true;
}

static bool compile_item(struct compiler *c, const struct conf_node *node, struct subject s,
                         bool last, struct item *ret)
{
    const struct conf_node *rest = conf_get(node, "$rest"), *repeat = conf_get(node, "$repeat");
    if ((rest != NULL || repeat != NULL) && node->len != 1) {
        (void) conf_error(c->diags, node, "%s has to stand alone in its item",
                          rest != NULL ? "$rest" : "$repeat");
        return false;
    }
    if (rest != NULL) {
        return compile_rest(c, rest, last, ret);
    }
    if (repeat != NULL) {
        return compile_repeat(c, repeat, s, ret);
    }
    *ret = (struct item){apitest_compile(c, node, s), 1, 1};
    return ret->pattern != NULL;
}

/* The bounds, the checks and the list of what has a pattern. */
static bool sum_up(struct compiler *c, struct apitest_sequence *q, struct subject s, bool unordered)
{
    bool rest = false;
    q->list = apitest_pattern_new(c, PAT_LIST, q->node, s);
    if (q->list == NULL || !apitest_children(c, q->list, q->items)) {
        return false;
    }
    q->list->children = 0;
    for (size_t i = 0; i < q->items; i++) {
        const struct item *item = &q->item[i];
        rest = rest || item->pattern == NULL;
        q->repeats = q->repeats || (item->pattern != NULL && (item->min != 1 || item->max != 1));
        q->min = add(q->min, item->min);
        q->max = add(q->max, item->max);
        if (item->pattern != NULL) {
            q->checks += item->pattern->checks;
            q->list->child[q->list->children++] = item->pattern;
        }
    }
    /* That there is just one message says little; another count does. */
    bool counts = q->max != SIZE_MAX ? q->min != 1 || q->max != 1 : q->min > 1;
    q->checks += counts ? 1 : 0;
    q->list->op = unordered ? (rest ? PAT_CONTAINS : PAT_UNORDERED) : rest ? PAT_PREFIX : PAT_LIST;
    if (unordered && q->repeats) {
        (void) conf_error(c->diags, q->node,
                          "$repeat has no place in match: unordered: write each message, or $rest");
        return false;
    }
    return true;
}

struct apitest_sequence *apitest_sequence_compile(const struct conf_node *list,
                                                  const struct proto_message_desc *desc,
                                                  bool unordered, const struct apitest_scope *scope,
                                                  struct arena *arena, struct conf_diags *diags)
{
    struct compiler c = {.scope = scope, .arena = arena, .diags = diags};
    struct subject s = apitest_subject_of_message(desc);
    char seen[64];
    s.element = true;
    if (list->kind != CONF_LIST) {
        (void) conf_error(diags, list, "responses are a list of messages, not %s",
                          conf_describe(list, seen));
        return NULL;
    }
    struct apitest_sequence *q = arena_alloc(arena, sizeof *q);
    struct item *item = arena_alloc(arena, (list->len + 1) * sizeof *item);
    if (q == NULL || item == NULL) {
        (void) conf_error(diags, list, "no memory is left for expectations");
        return NULL;
    }
    *q = (struct apitest_sequence){.node = list, .item = item, .items = list->len};
    bool good = true;
    for (size_t i = 0; i < list->len; i++) {
        good = compile_item(&c, list->item[i], s, i + 1 == list->len, &item[i]) && good;
    }
    return good && sum_up(&c, q, s, unordered) ? q : NULL;
}

size_t apitest_sequence_checks(const struct apitest_sequence *sequence)
{
    return sequence == NULL ? 0 : sequence->checks;
}

void apitest_sequence_bounds(const struct apitest_sequence *sequence, size_t *ret_min,
                             size_t *ret_max)
{
    *ret_min = sequence->min;
    *ret_max = sequence->max;
}

static bool fits(struct match *m, const struct item *item, struct proto_msg *msg)
{
    struct apitest_value v = apitest_value_of_message(msg);
    return item->pattern == NULL || apitest_match_silent(m, item->pattern, &v, NULL);
}

/*
 * to[j]: the items up to this one can have taken just the first j messages.  It takes from min to
 * max messages that all fit, so it begins at one of the places j - most .. j - min where the items
 * before can have ended; how many those are is a difference of two sums.
 */
static void advance(struct match *m, const struct item *item, struct proto_msg *const *msg,
                    size_t n, const bool *from, bool *to, size_t *sum)
{
    size_t run = 0; /* messages before j that all fit */
    sum[0] = 0;
    for (size_t j = 0; j <= n; j++) {
        sum[j + 1] = sum[j] + (from[j] ? 1 : 0);
        to[j] = false;
    }
    for (size_t j = 0; j <= n && !m->broken; j++) {
        run = j > 0 && fits(m, item, msg[j - 1]) ? run + 1 : 0;
        size_t most = item->max < run ? item->max : run;
        to[j] = item->min <= most && sum[j - item->min + 1] > sum[j - most];
    }
}

static bool match_items(struct match *m, const struct apitest_sequence *q,
                        struct proto_msg *const *msg, size_t n)
{
    bool *from = mem_array(n + 1, sizeof *from), *to = mem_array(n + 1, sizeof *to);
    size_t *sum = mem_array(n + 2, sizeof *sum);
    from[0] = true;
    for (size_t i = 0; i < q->items && !m->broken; i++) {
        advance(m, &q->item[i], msg, n, from, to, sum);
        bool *swap = from;
        from = to;
        to = swap;
    }
    bool matched = from[n];
    mem_free(from);
    mem_free(to);
    mem_free(sum);
    return matched && !m->broken;
}

/* Where it went wrong when every item takes as much as it can. */
static bool tell(struct match *m, const struct apitest_sequence *q, struct proto_msg *const *msg,
                 size_t n)
{
    size_t j = 0, back = m->path.len;
    for (size_t i = 0; i < q->items; i++) {
        const struct item *item = &q->item[i];
        size_t taken = 0;
        while (j < n && taken < item->max && fits(m, item, msg[j])) {
            taken++;
            j++;
        }
        if (taken >= item->min) {
            continue;
        }
        struct apitest_value v = {.kind = APITEST_ABSENT};
        if (j < n) {
            v = apitest_value_of_message(msg[j]);
            (void) apitest_path_index(m, j);
            (void) apitest_pattern_match(m, item->pattern, &v);
            apitest_path_back(m, back);
            return false;
        }
        return apitest_differs(m, item->pattern, &v, NULL, "no more messages",
                               "%zu came; here %zu more %s expected", n, item->min - taken,
                               item->min - taken == 1 ? "is" : "are");
    }
    if (j < n) {
        struct apitest_value v = apitest_value_of_message(msg[j]);
        (void) apitest_path_index(m, j);
        (void) apitest_differs(m, q->list, &v, "no more messages", NULL, "%zu more than expected",
                               n - j);
        apitest_path_back(m, back);
        return false;
    }
    struct apitest_value v = {.kind = APITEST_ABSENT};
    return apitest_differs(m, q->list, &v, NULL, "", "%s",
                           "no way to give all messages to the items in their order");
}

bool apitest_sequence_match(const struct apitest_sequence *sequence, struct proto_msg *const *msg,
                            size_t n, const struct apitest_scope *scope,
                            struct apitest_diffs *diffs)
{
    struct match m;
    bool matched;
    apitest_match_begin(&m, scope, diffs, "responses");
    if (!sequence->repeats) {
        struct proto_list list = {.item = mem_array(n + 1, sizeof *list.item), .len = n, .cap = n};
        for (size_t i = 0; i < n; i++) {
            list.item[i].msg = msg[i];
        }
        struct apitest_value v = {.kind = APITEST_REPEATED, .proto = {.list = &list}};
        matched = apitest_pattern_match(&m, sequence->list, &v);
        mem_free(list.item);
    } else {
        diffs->checks += sequence->checks;
        matched = match_items(&m, sequence, msg, n);
        if (!matched && !m.broken) {
            (void) tell(&m, sequence, msg, n);
        }
    }
    return apitest_match_end(&m, matched);
}
