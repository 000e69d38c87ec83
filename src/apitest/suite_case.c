/* What cases of both kinds have: names, tags, limits, saves, headers, facts of the wire, times. */
#include "apitest/run.h"
#include "apitest/suite_int.h"
#include "apitest/value_int.h"
#include "rpc/http.h"

#include <string.h>

#define DEADLINE_MS 10000
#define EVERY_MS    200
#define REPEAT_MAX  1000000

size_t suite_named_checks(const struct apitest_named_list *list)
{
    size_t n = 0;
    for (size_t i = 0; i < list->len; i++) {
        /* minVersion has no pattern of its own. */
        n += list->item[i].pattern == NULL ? 1 : apitest_pattern_checks(list->item[i].pattern);
    }
    return n;
}

static struct str lower_case(struct suite_reader *r, struct str name)
{
    char *lower = arena_strdup(r->suite->arena, name);
    for (char *c = lower; c != NULL && *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c |= 'a' - 'A';
        }
    }
    return str_of(lower);
}

static int check_metadata(struct suite_reader *r, struct str name, const struct apitest_text *text,
                          struct err *err)
{
    bool binary = str_ends_with(name, STR("-bin"));
    struct str bytes;
    if (binary && text->known &&
        apitest_bin_decode(text->text, r->suite->arena, &bytes, err) != 0) {
        return err_wrap(err, "metadata \"" STR_FMT "\"", STR_ARG(apitest_cut(name, 64)));
    }
    return rpc_metadata_check(name, text->known && !binary ? text->text : STR("x"), err);
}

static int check_header(struct str name, const struct apitest_text *text, struct err *err)
{
    struct rpc_header header = {name, text->known ? text->text : STR("x")};
    const struct rpc_http_request request = {.method = "GET", .path = "/", .headers = {&header, 1}};
    return rpc_http_check(&request, err);
}

void suite_meta(struct suite_reader *r, const struct conf_node *map,
                const struct apitest_scope *scope, struct apitest_meta_list *list)
{
    if (map == NULL || map->kind != CONF_MAP) {
        return;
    }
    struct apitest_meta *item = suite_alloc(r, list->len + map->len, sizeof *item);
    if (list->len > 0) {
        memcpy(item, list->item, list->len * sizeof *item);
    }
    for (size_t i = 0; i < map->len; i++) {
        const struct conf_node *key = map->entry[i].key, *value = map->entry[i].value;
        struct apitest_text text = {0};
        struct err err = {0};
        if (value->kind != CONF_SCALAR) {
            char seen[64];
            conf_error(r->diags, value, "header \"" STR_FMT "\" has to be one text, not %s",
                       STR_ARG(key->text), conf_describe(value, seen));
            continue;
        }
        if (apitest_expand(scope, value, r->suite->arena, r->diags, &text) != 0) {
            continue;
        }
        bool http = r->test->kind == APITEST_HTTP;
        struct str name = http ? lower_case(r, key->text) : key->text;
        if ((http ? check_header(name, &text, &err) : check_metadata(r, name, &text, &err)) != 0) {
            conf_error(r->diags, key, "%s", err.msg);
            continue;
        }
        item[list->len++] = (struct apitest_meta){name, value};
    }
    list->item = item;
}

static struct apitest_named *named_add(struct apitest_named_list *list, struct str name,
                                       const struct conf_node *node)
{
    struct apitest_named *named = &list->item[list->len++];
    *named = (struct apitest_named){.name = name, .node = node};
    return named;
}

/* Some field of type bytes, for values that are none of a message; NULL in a test of HTTP. */
static const struct proto_field_desc *bytes_field(const struct suite_reader *r)
{
    const struct proto_message_desc *wrapper =
        r->pool == NULL ? NULL : proto_pool_message(r->pool, STR("google.protobuf.BytesValue"));
    return wrapper == NULL ? NULL : &wrapper->field[0];
}

void suite_headers(struct suite_reader *r, const struct conf_node *map,
                   const struct apitest_scope *scope, struct apitest_named_list *ret)
{
    struct apitest_type type = {.subject = APITEST_OF_TEXT};
    if (map == NULL || map->kind != CONF_MAP) {
        return;
    }
    ret->item = suite_alloc(r, map->len, sizeof *ret->item);
    for (size_t i = 0; i < map->len; i++) {
        const struct conf_node *key = map->entry[i].key;
        struct apitest_named *named = named_add(ret, lower_case(r, key->text), map->entry[i].value);
        /* The values of metadata in -bin are bytes: base64 in the file, $hex, $utf8. */
        bool binary = str_ends_with(named->name, STR("-bin"));
        named->bytes = binary ? bytes_field(r) : NULL;
        type.subject = named->bytes != NULL ? APITEST_OF_FIELD : APITEST_OF_TEXT;
        type.field = named->bytes;
        named->pattern =
            apitest_pattern_compile(named->node, type, scope, r->suite->arena, r->diags);
    }
}

/* What a fact of the wire or a time is. */
static enum apitest_subject subject_of(struct str name)
{
    static const struct {
        const char *name;
        enum apitest_subject subject;
    } rows[] = {
        {"trailersOnly", APITEST_OF_BOOL}, {"goaway", APITEST_OF_BOOL},
        {"compressed", APITEST_OF_BOOL},   {"httpStatus", APITEST_OF_NUMBER},
        {"connects", APITEST_OF_NUMBER},   {"tls.expiresIn", APITEST_OF_MS},
        {"total", APITEST_OF_MS},          {"headers", APITEST_OF_MS},
        {"firstMessage", APITEST_OF_MS},   {"gap", APITEST_OF_MS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (str_eq_cstr(name, rows[i].name)) {
            return rows[i].subject;
        }
    }
    return APITEST_OF_TEXT;
}

static void facts_add(struct suite_reader *r, const struct conf_node *map, const char *prefix,
                      const struct apitest_scope *scope, struct apitest_named_list *ret)
{
    for (size_t i = 0; map != NULL && map->kind == CONF_MAP && i < map->len; i++) {
        const struct conf_node *key = map->entry[i].key, *value = map->entry[i].value;
        if (str_eq_cstr(key->text, "tls") && prefix[0] == '\0') {
            facts_add(r, value, "tls.", scope, ret);
            continue;
        }
        const char *name = arena_printf(r->suite->arena, "%s" STR_FMT, prefix, STR_ARG(key->text));
        struct apitest_named *named = named_add(ret, str_of(name), value);
        if (str_eq_cstr(named->name, "tls.minVersion")) {
            static const char *const versions[] = {"1.0", "1.1", "1.2", "1.3"};
            bool known = false;
            for (size_t v = 0; v < 4; v++) {
                known |= str_eq_cstr(value->text, versions[v]);
            }
            if (!known) {
                conf_error(r->diags, value, "minVersion \"" STR_FMT "\": write \"1.2\" or \"1.3\"",
                           STR_ARG(value->text));
            }
            continue;
        }
        struct apitest_type type = {.subject = subject_of(named->name)};
        if (str_eq_cstr(named->name, "compressed") && value->kind == CONF_LIST) {
            type.subject = APITEST_OF_JSON; /* a flag for each message */
        }
        named->pattern = apitest_pattern_compile(value, type, scope, r->suite->arena, r->diags);
    }
}

/* Facts that one kind of test has not: they could never be compared. */
static void refuse_facts(struct suite_reader *r, const struct conf_node *map,
                         const char *const *name, size_t n, const char *why)
{
    for (size_t i = 0; i < n; i++) {
        const struct conf_node *key = suite_key(map, name[i]);
        if (key != NULL) {
            conf_error(r->diags, key, "%s %s", name[i], why);
        }
    }
}

static void facts(struct suite_reader *r, const struct conf_node *map,
                  const struct apitest_scope *scope, struct apitest_named_list *ret)
{
    const struct conf_node *tls = conf_get(map, "tls");
    if (map != NULL) {
        ret->item = suite_alloc(r, map->len + (tls == NULL ? 0 : tls->len), sizeof *ret->item);
        facts_add(r, map, "", scope, ret);
    }
}

void suite_wire(struct suite_reader *r, const struct conf_node *map,
                const struct apitest_scope *scope, struct apitest_named_list *ret)
{
    static const char *const of_grpc[] = {"trailersOnly", "encoding", "compressed", "rst"};
    static const char *const as_header[] = {"contentType"};
    if (r->test->kind == APITEST_HTTP) {
        refuse_facts(r, map, of_grpc, 4, "is a fact of gRPC; this test is http");
        refuse_facts(r, map, as_header, 1, "is a fact of gRPC: write headers: {content-type: ...}");
    }
    facts(r, map, scope, ret);
}

void suite_timing(struct suite_reader *r, const struct conf_node *map,
                  const struct proto_method_desc *method, const struct apitest_scope *scope,
                  struct apitest_named_list *ret)
{
    static const char *const of_messages[] = {"gap", "firstMessage"};
    if (method == NULL) {
        refuse_facts(r, map, of_messages, 2, "is of messages of gRPC: HTTP has total and headers");
    } else if (!method->server_streaming) {
        refuse_facts(r, map, of_messages, 1, "is between two messages: this method sends one");
    }
    facts(r, map, scope, ret);
}

static void read_eventually(struct suite_reader *r, struct apitest_case *c)
{
    const struct conf_node *node = suite_inherit(r, c->node, "eventually");
    const struct conf_node *every = conf_get(node, "every");
    if (node == NULL) {
        return;
    }
    c->every_ms = EVERY_MS;
    (void) conf_duration_ms(r->diags, conf_get(node, "within"), &c->eventually_ms);
    if (every != NULL) {
        (void) conf_duration_ms(r->diags, every, &c->every_ms);
    }
}

static void read_limits(struct suite_reader *r, struct apitest_case *c)
{
    const struct conf_node *repeat = conf_get(c->node, "repeat");
    const struct conf_node *deadline = suite_inherit(r, c->node, "deadline");
    const struct conf_node *allow = suite_inherit(r, c->node, "allowSideEffects");
    int64_t times = 1;
    c->deadline_ms = DEADLINE_MS;
    if (repeat != NULL && conf_i64(r->diags, repeat, INT64_MIN, INT64_MAX, &times) == 0 &&
        (times < 1 || times > REPEAT_MAX)) {
        conf_error(r->diags, repeat, "repeat " STR_FMT ": write a number from 1 to %d",
                   STR_ARG(repeat->text), REPEAT_MAX);
        times = 1;
    }
    c->repeat = (uint32_t) times;
    if (deadline != NULL && conf_duration_ms(r->diags, deadline, &c->deadline_ms) == 0 &&
        c->deadline_ms == 0) {
        conf_error(r->diags, deadline, "deadline 0: every call has one, write 1ms or more");
    }
    if (allow != NULL) {
        (void) conf_bool(r->diags, allow, &c->allow_side_effects);
    }
    read_eventually(r, c);
    suite_texts(r, suite_inherit(r, c->node, "ignore"), &c->ignore, &c->ignores);
}

static void read_skip(struct suite_reader *r, struct apitest_case *c)
{
    const struct conf_node *skip = conf_get(c->node, "skip");
    if (skip == NULL) {
        return;
    }
    if (skip->style == CONF_PLAIN &&
        (str_eq_nocase(skip->text, STR("true")) || str_eq_nocase(skip->text, STR("false")))) {
        conf_error(r->diags, skip,
                   "skip: write the reason, such as \"needs a card of the test bank\"");
        return;
    }
    c->skip = skip->text;
}

/* Names that later cases may use. */
static void declare_saves(struct suite_reader *r, const struct apitest_case *c,
                          struct apitest_scope *scope)
{
    for (size_t i = 0; i < c->saves; i++) {
        (void) apitest_scope_set(scope, c->save[i].name, (struct str){"", 0}, false,
                                 c->save[i].secret);
    }
    for (size_t s = 0; s < c->steps; s++) {
        for (size_t i = 0; i < c->step[s].saves; i++) {
            const struct apitest_save *save = &c->step[s].save[i];
            (void) apitest_scope_set(scope, save->name, (struct str){"", 0}, false, save->secret);
        }
    }
    if (c->saves + c->steps > 0 && r->test->parallel && c->role == APITEST_ROLE_TEST &&
        c->saves > 0) {
        conf_error(
            r->diags, suite_key(c->node, "save"),
            "the cases of a parallel test do not depend on each other: nothing can be saved here");
    }
}

static void count_checks(struct suite_reader *r, struct apitest_case *c)
{
    c->checks += suite_named_checks(&c->headers) + suite_named_checks(&c->trailers) +
                 suite_named_checks(&c->either) + suite_named_checks(&c->wire) +
                 suite_named_checks(&c->timing);
    if (c->checks == 0) {
        conf_error(&r->suite->hollow, conf_get(c->node, "name"),
                   "case \"" STR_FMT "\" tests nothing: write what must come (%s)",
                   STR_ARG(c->name),
                   c->kind == APITEST_GRPC ? "responses, error, headers, ..." : "expect");
    }
}

/* `if` asks whether something is there: only variables of the file have to be known, not the
 * environment's. */
static void check_condition(struct suite_reader *r, const struct conf_node *node,
                            const struct apitest_scope *scope)
{
    struct conf_template tpl;
    struct err err = {0};
    if (conf_template_parse(node->text, r->suite->arena, &tpl, &err) != 0) {
        conf_error(r->diags, node, "%s", err.msg);
        return;
    }
    bool asks_outside = false;
    for (size_t i = 0; i < tpl.len; i++) {
        asks_outside |= tpl.part[i].kind == CONF_PART_ENV || tpl.part[i].kind == CONF_PART_SECRET;
    }
    struct apitest_text text = {0};
    if (!asks_outside) {
        (void) apitest_expand(scope, node, r->suite->arena, r->diags, &text);
    }
}

struct apitest_case *suite_case(struct suite_reader *r, const struct conf_node *node,
                                enum apitest_role role, struct apitest_scope *scope)
{
    if (conf_check_keys(r->diags, node, "a case", apitest_case_keys) != 0) {
        return NULL;
    }
    struct apitest_case *c = suite_alloc(r, 1, sizeof *c);
    c->name = conf_get(node, "name")->text;
    c->pos = node->pos;
    c->test = r->test;
    c->node = node;
    c->kind = r->test->kind;
    c->role = role;
    c->condition = conf_get(node, "if");
    c->vars = conf_get(node, "vars");
    suite_texts(r, conf_get(node, "tags"), &c->tag, &c->tags);
    read_skip(r, c);
    read_limits(r, c);
    struct apitest_scope own;
    apitest_scope_init(&own, scope, r->load->secrets, r->suite->arena, true);
    (void) apitest_vars_scope(c->vars, &own, r->diags);
    if (c->condition != NULL) {
        check_condition(r, c->condition, &own);
    }
    int status =
        c->kind == APITEST_GRPC ? suite_case_grpc(r, c, &own) : suite_case_http(r, c, &own);
    apitest_scope_done(&own);
    declare_saves(r, c, scope);
    if (status == 0) {
        count_checks(r, c);
    }
    return c;
}
