#include "apitest/scaffold.h"

#include "base/mem.h"
#include "conf/emit.h"
#include "proto/json.h"
#include "proto/scalar.h"
#include "proto/wkt.h"

#include <stdio.h>
#include <string.h>

#define EXAMPLE_DEPTH 3 /* messages in messages of a skeleton */
#define TEXT_MAX      ((size_t) 16 * 1024 * 1024)

static void key(struct yaml_writer *w, const char *name)
{
    yaml_key(w, str_of(name));
}

static void key_text(struct yaml_writer *w, const char *name, struct str text)
{
    key(w, name);
    yaml_text(w, text);
}

/* --- values --- */

/* What looks like a variable in a recorded text is none: "${" is written as "$${". */
static void add_literal(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '$' && i + 1 < text.len && text.ptr[i + 1] == '{') {
            buf_add_char(b, '$');
        }
        buf_add_char(b, text.ptr[i]);
    }
}

static void put_text(struct yaml_writer *w, struct str text)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    add_literal(&b, text);
    yaml_text(w, buf_str(&b));
    buf_done(&b);
}

static void put_message(struct yaml_writer *w, const struct proto_msg *msg);

static bool is_text(enum proto_type type)
{
    return type == PROTO_STRING || type == PROTO_BYTES;
}

static void put_scalar(struct yaml_writer *w, const struct proto_field_desc *field,
                       union proto_value value)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    proto_scalar_text(field, value, &b);
    bool number = field->type == PROTO_DOUBLE || field->type == PROTO_FLOAT;
    struct str text = buf_str(&b);
    if (number && (str_eq_cstr(text, "NaN") || str_ends_with(text, STR("Infinity")))) {
        yaml_plain(w, str_eq_cstr(text, "NaN") ? STR(".nan")
                      : text.ptr[0] == '-'     ? STR("-.inf")
                                               : STR(".inf"));
    } else if (is_text(field->type)) {
        put_text(w, text);
    } else {
        yaml_plain(w, text);
    }
    buf_done(&b);
}

static void put_value(struct yaml_writer *w, const struct proto_field_desc *field,
                      union proto_value value)
{
    if (field->message != NULL) {
        put_message(w, value.msg);
    } else {
        put_scalar(w, field, value);
    }
}

static void put_map(struct yaml_writer *w, const struct proto_field_desc *field,
                    const struct proto_list *list)
{
    const struct proto_field_desc *map_key = proto_map_key(field);
    const struct proto_field_desc *map_value = proto_map_value(field);
    yaml_map_begin(w);
    for (size_t i = 0; i < list->len; i++) {
        const struct proto_msg *entry = list->item[i].msg;
        struct buf b;
        buf_init(&b, TEXT_MAX);
        proto_scalar_text(map_key, proto_get(entry, map_key), &b);
        yaml_key(w, buf_str(&b));
        buf_done(&b);
        put_value(w, map_value, proto_get(entry, map_value));
    }
    yaml_map_end(w);
}

static void put_field(struct yaml_writer *w, const struct proto_field_desc *field,
                      union proto_value value)
{
    if (field->is_map) {
        put_map(w, field, value.list);
        return;
    }
    if (!field->repeated) {
        put_value(w, field, value);
        return;
    }
    yaml_list_begin(w);
    for (size_t i = 0; i < value.list->len; i++) {
        put_value(w, field, value.list->item[i]);
    }
    yaml_list_end(w);
}

/* Messages whose YAML is not their fields: what JSON has for them is YAML, too. */
static void put_as_json(struct yaml_writer *w, const struct proto_msg *msg)
{
    struct buf b, text;
    struct err err = {0};
    buf_init(&b, TEXT_MAX);
    buf_init(&text, TEXT_MAX);
    if (proto_json_write(msg, PROTO_JSON_PROTO_NAMES | PROTO_JSON_ANY_RAW, &b, &err) == 0) {
        add_literal(&text, buf_str(&b));
        yaml_plain(w, buf_str(&text));
    } else {
        yaml_map_begin(w);
        yaml_map_end(w);
    }
    buf_done(&text);
    buf_done(&b);
}

static void put_message(struct yaml_writer *w, const struct proto_msg *msg)
{
    struct proto_iter it = {.msg = msg};
    if (msg->desc->wkt != PROTO_WKT_NONE && msg->desc->wkt != PROTO_WKT_EMPTY) {
        put_as_json(w, msg);
        return;
    }
    yaml_map_begin(w);
    while (proto_next(&it)) {
        if (it.field->is_extension) {
            char name[512];
            buf_print(name, sizeof name, "[" STR_FMT "]", STR_ARG(it.field->full_name));
            key(w, name);
        } else {
            yaml_key(w, it.field->name);
        }
        put_field(w, it.field, it.value);
    }
    yaml_map_end(w);
}

/* --- examples by type --- */

static void example_message(struct yaml_writer *w, const struct proto_message_desc *desc,
                            unsigned depth);

static void example_enum(struct yaml_writer *w, const struct proto_enum_desc *desc)
{
    /* The first value mostly means "not said": the second is a better example. */
    yaml_plain(w, desc->value[desc->values > 1 ? 1 : 0].name);
}

static void example_scalar(struct yaml_writer *w, const struct proto_field_desc *field)
{
    switch (field->type) {
    case PROTO_BOOL:
        yaml_plain(w, STR("true"));
        break;
    case PROTO_STRING:
        yaml_text(w, field->name);
        break;
    case PROTO_BYTES:
        yaml_text(w, STR("AAEC"));
        break;
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
        yaml_plain(w, STR("1.5"));
        break;
    case PROTO_ENUM:
        example_enum(w, field->enumeration);
        break;
    case PROTO_INT64:
    case PROTO_UINT64:
    case PROTO_INT32:
    case PROTO_FIXED64:
    case PROTO_FIXED32:
    case PROTO_UINT32:
    case PROTO_SFIXED32:
    case PROTO_SFIXED64:
    case PROTO_SINT32:
    case PROTO_SINT64:
        yaml_plain(w, STR("1"));
        break;
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        break;
    }
}

/* Well-known types in their text form; false: the fields are written. */
static bool example_wkt(struct yaml_writer *w, const struct proto_message_desc *desc)
{
    switch (desc->wkt) {
    case PROTO_WKT_TIMESTAMP:
        yaml_text(w, STR("2030-01-31T12:00:00Z"));
        return true;
    case PROTO_WKT_DURATION:
        yaml_text(w, STR("1.5s"));
        return true;
    case PROTO_WKT_FIELD_MASK:
        yaml_text(w, STR("name"));
        return true;
    case PROTO_WKT_WRAPPER:
        example_scalar(w, &desc->field[0]);
        return true;
    case PROTO_WKT_VALUE:
        yaml_text(w, STR("value"));
        return true;
    case PROTO_WKT_LIST_VALUE:
        yaml_plain(w, STR("[]"));
        return true;
    case PROTO_WKT_ANY:
    case PROTO_WKT_STRUCT:
    case PROTO_WKT_EMPTY:
        yaml_plain(w, STR("{}"));
        return true;
    case PROTO_WKT_NONE:
        break;
    }
    return false;
}

static void example_value(struct yaml_writer *w, const struct proto_field_desc *field,
                          unsigned depth)
{
    if (field->message != NULL) {
        example_message(w, field->message, depth + 1);
    } else {
        example_scalar(w, field);
    }
}

static bool is_deep(const struct proto_field_desc *field, unsigned depth)
{
    return field->message != NULL && field->message->wkt == PROTO_WKT_NONE && !field->is_map &&
           depth + 1 >= EXAMPLE_DEPTH && !field->required;
}

static void example_field(struct yaml_writer *w, const struct proto_field_desc *field,
                          unsigned depth)
{
    yaml_key(w, field->name);
    if (field->is_map) {
        yaml_map_begin(w);
        yaml_key(w, proto_map_key(field)->type == PROTO_STRING ? STR("key")
                    : proto_map_key(field)->type == PROTO_BOOL ? STR("true")
                                                               : STR("1"));
        example_value(w, proto_map_value(field), depth);
        yaml_map_end(w);
    } else if (field->repeated) {
        yaml_list_begin(w);
        example_value(w, field, depth);
        yaml_list_end(w);
    } else {
        example_value(w, field, depth);
    }
}

static void example_message(struct yaml_writer *w, const struct proto_message_desc *desc,
                            unsigned depth)
{
    if (example_wkt(w, desc)) {
        return;
    }
    yaml_map_begin(w);
    for (size_t i = 0; i < desc->fields && depth < 20; i++) {
        const struct proto_field_desc *field = &desc->field[i];
        /* Of a oneof its first member stands for all. */
        bool other = field->oneof != NULL && field->oneof->field[0] != field;
        bool deep_map = field->is_map && depth + 1 >= EXAMPLE_DEPTH;
        if (!other && !deep_map && !is_deep(field, depth)) {
            example_field(w, field, depth);
        }
    }
    yaml_map_end(w);
}

/* --- files --- */

static void source_keys(struct yaml_writer *w, const struct apitest_source *source)
{
    if (source->n == 0 && source->proto_set == NULL) {
        key(w, "reflection");
        yaml_plain(w, STR("true"));
        return;
    }
    if (source->proto_set != NULL) {
        key_text(w, "protoSet", str_of(source->proto_set));
    }
    if (source->n == 1) {
        key_text(w, "proto", str_of(source->proto[0]));
    } else if (source->n > 1) {
        key(w, "proto");
        yaml_list_begin(w);
        for (size_t i = 0; i < source->n; i++) {
            yaml_text(w, str_of(source->proto[i]));
        }
        yaml_list_end(w);
    }
}

static void new_detail(struct yaml_writer *w, const struct proto_method_desc *method)
{
    key(w, "detail");
    yaml_map_begin(w);
    key(w, "requests");
    yaml_list_begin(w);
    example_message(w, method->input, 0);
    yaml_list_end(w);
    if (method->server_streaming) {
        yaml_comment(w, STR("What must come; so far anything, at least one message."));
    } else {
        yaml_comment(w, STR("What must come; so far only that an answer comes."));
    }
    key(w, "responses");
    yaml_list_begin(w);
    yaml_map_begin(w);
    yaml_map_end(w);
    if (method->server_streaming) {
        yaml_map_begin(w);
        key(w, "$rest");
        yaml_plain(w, STR("any"));
        yaml_map_end(w);
    }
    yaml_list_end(w);
    yaml_map_end(w);
}

static void new_case(struct yaml_writer *w, const struct proto_method_desc *method)
{
    char text[300];
    yaml_map_begin(w);
    key_text(w, "name", method->name);
    key_text(w, "methodName", method->name);
    buf_print(text, sizeof text, "%s: " STR_FMT " in, " STR_FMT " out", proto_method_kind(method),
              STR_ARG(method->input->full_name), STR_ARG(method->output->full_name));
    yaml_comment(w, str_of(text));
    if (method->idempotency != PROTO_NO_SIDE_EFFECTS) {
        key_text(w, "skip",
                 STR("may have side effects: look at the request, then delete this line"));
    }
    new_detail(w, method);
    yaml_map_end(w);
}

static void new_test(struct yaml_writer *w, const struct proto_service_desc *service,
                     const struct apitest_source *source)
{
    yaml_map_begin(w);
    key_text(w, "testName", service->name);
    source_keys(w, source);
    key_text(w, "serviceName", service->full_name);
    key(w, "cases");
    yaml_list_begin(w);
    for (size_t i = 0; i < service->methods; i++) {
        new_case(w, &service->method[i]);
    }
    yaml_list_end(w);
    yaml_map_end(w);
}

static bool is_wanted(const struct proto_service_desc *service, const char *name)
{
    if (service->methods == 0) {
        return false;
    }
    return name == NULL ? !str_starts_with(service->full_name, STR("grpc."))
                        : str_eq_cstr(service->full_name, name) || str_eq_cstr(service->name, name);
}

int apitest_scaffold_new(const struct proto_pool *pool, const struct apitest_source *source,
                         const char *service, struct buf *b, struct err *err)
{
    struct yaml_writer w;
    size_t n = 0;
    yaml_writer_init(&w, b);
    yaml_list_begin(&w);
    for (size_t i = 0; i < proto_pool_files(pool); i++) {
        const struct proto_file_desc *file = proto_pool_file_at(pool, i);
        for (size_t s = 0; s < file->services; s++) {
            if (is_wanted(file->service[s], service)) {
                new_test(&w, file->service[s], source);
                n++;
            }
        }
    }
    yaml_list_end(&w);
    if (n > 0) {
        return 0;
    }
    return service == NULL ? err_set(err, ERR_NOT_FOUND, "there is no service with methods")
                           : err_set(err, ERR_NOT_FOUND, "there is no service \"%s\"", service);
}

static void messages(struct yaml_writer *w, const char *name, struct proto_msg *const *msg,
                     size_t n)
{
    key(w, name);
    yaml_list_begin(w);
    for (size_t i = 0; i < n; i++) {
        put_message(w, msg[i]);
    }
    yaml_list_end(w);
}

static bool contains(struct str text, const char *part)
{
    size_t len = strlen(part);
    bool found = false;
    for (size_t i = 0; !found && i + len <= text.len; i++) {
        found = memcmp(text.ptr + i, part, len) == 0;
    }
    return found;
}

static bool is_credential(struct str name)
{
    static const char *const words[] = {"authorization", "cookie",  "token", "secret",
                                        "password",      "api-key", "apikey"};
    bool found = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        found |= contains(name, words[i]);
    }
    return found;
}

/*
 * Files of tests are shared: what lets somebody in is not written into them but asked for as a
 * secret, unless the author has named one already.
 */
static void put_metadata(struct yaml_writer *w, const struct rpc_header *header)
{
    struct str value = header->value;
    if (!is_credential(header->name) || contains(value, "${")) {
        yaml_text(w, value);
        return;
    }
    size_t blank = str_find_char(value, ' ');
    bool scheme = contains(header->name, "authorization") && blank < value.len;
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_add(&b, value.ptr, scheme ? blank + 1 : 0);
    buf_add_cstr(&b, "${secret.TOKEN}");
    yaml_text(w, buf_str(&b));
    buf_done(&b);
}

static void recorded_detail(struct yaml_writer *w, const struct apitest_recorded *call)
{
    key(w, "detail");
    yaml_map_begin(w);
    if (call->metadata.len > 0) {
        key(w, "metadata");
        yaml_map_begin(w);
        for (size_t i = 0; i < call->metadata.len; i++) {
            yaml_key(w, call->metadata.item[i].name);
            put_metadata(w, &call->metadata.item[i]);
        }
        yaml_map_end(w);
    }
    messages(w, "requests", call->request, call->requests);
    if (call->code == RPC_OK || call->responses > 0) {
        messages(w, "responses", call->response, call->responses);
    }
    if (call->code != RPC_OK) {
        key(w, "error");
        yaml_map_begin(w);
        key_text(w, "code", str_of(rpc_code_name(call->code)));
        key(w, "message");
        put_text(w, call->message);
        yaml_map_end(w);
    }
    yaml_map_end(w);
}

void apitest_scaffold_recorded(const struct apitest_recorded *call,
                               const struct apitest_source *source, struct buf *b)
{
    struct yaml_writer w;
    yaml_writer_init(&w, b);
    yaml_list_begin(&w);
    yaml_map_begin(&w);
    key_text(&w, "testName", call->method->service->name);
    source_keys(&w, source);
    key_text(&w, "serviceName", call->method->service->full_name);
    key(&w, "cases");
    yaml_list_begin(&w);
    yaml_map_begin(&w);
    key_text(&w, "name", call->method->name);
    key_text(&w, "methodName", call->method->name);
    recorded_detail(&w, call);
    yaml_map_end(&w);
    yaml_list_end(&w);
    yaml_map_end(&w);
    yaml_list_end(&w);
}
