/* What a table of keys says to others: JSON Schema and Markdown.  See schema.h. */
#include "conf/schema.h"

#include "base/json.h"

/* A table may contain itself (steps in steps); there, and this deep, the inner one is left out. */
enum { TABLES_MAX = 6 };

struct tables {
    const struct conf_key *table[TABLES_MAX];
    size_t len;
};

static bool enter(struct tables *open, const struct conf_key *table)
{
    for (size_t i = 0; i < open->len; i++) {
        if (open->table[i] == table) {
            return false;
        }
    }
    if (table == NULL || open->len == TABLES_MAX) {
        return false;
    }
    open->table[open->len++] = table;
    return true;
}

/* Scalars are read by their place, so a number or true is text too where text is wanted. */
static void write_text_type(struct json_writer *w, bool not_empty)
{
    json_key(w, "type");
    json_arr_begin(w);
    json_cstr(w, "string");
    json_cstr(w, "number");
    json_cstr(w, "boolean");
    json_arr_end(w);
    if (not_empty) {
        json_kv_u64(w, "minLength", 1);
    }
}

static void write_duration(struct json_writer *w)
{
    json_key(w, "anyOf");
    json_arr_begin(w);
    json_obj_begin(w);
    json_kv_u64(w, "const", 0);
    json_obj_end(w);
    json_obj_begin(w);
    json_kv_cstr(w, "type", "string");
    json_kv_cstr(w, "pattern", "^(0|(0|[1-9][0-9]*)(ms|s|m|h|d))$");
    json_obj_end(w);
    json_arr_end(w);
}

static void write_texts(struct json_writer *w, bool not_empty)
{
    json_key(w, "anyOf");
    json_arr_begin(w);
    json_obj_begin(w);
    write_text_type(w, not_empty);
    json_obj_end(w);
    json_obj_begin(w);
    json_kv_cstr(w, "type", "array");
    if (not_empty) {
        json_kv_u64(w, "minItems", 1);
    }
    json_key(w, "items");
    json_obj_begin(w);
    write_text_type(w, false);
    json_obj_end(w);
    json_obj_end(w);
    json_arr_end(w);
}

static void write_choice(struct json_writer *w, const struct conf_key *key)
{
    json_key(w, "enum");
    json_arr_begin(w);
    for (const struct conf_key *k = key->inner; k->name != NULL; k++) {
        json_cstr(w, k->name);
    }
    json_arr_end(w);
}

static void write_table(struct json_writer *w, const struct conf_key *key, struct tables *open);
static void write_value(struct json_writer *w, const struct conf_key *key, struct tables *open);

static void write_list(struct json_writer *w, const struct conf_key *key, struct tables *open)
{
    json_kv_cstr(w, "type", "array");
    if ((key->flags & CONF_NOT_EMPTY) != 0) {
        json_kv_u64(w, "minItems", 1);
    }
    if (enter(open, key->inner)) {
        json_key(w, "items");
        write_value(w, key, open);
        open->len--;
    }
}

static void write_map(struct json_writer *w, const struct conf_key *key, struct tables *open)
{
    if (enter(open, key->inner)) {
        write_table(w, key->inner, open);
        open->len--;
    } else {
        json_kv_cstr(w, "type", "object");
    }
    if ((key->flags & CONF_NOT_EMPTY) != 0) {
        json_kv_u64(w, "minProperties", 1);
    }
}

static void write_pattern(struct json_writer *w, const char *pattern)
{
    json_obj_begin(w);
    json_kv_cstr(w, "type", "string");
    json_kv_cstr(w, "pattern", pattern);
    json_obj_end(w);
}

static void write_share(struct json_writer *w)
{
    json_key(w, "anyOf");
    json_arr_begin(w);
    json_obj_begin(w);
    json_kv_u64(w, "const", 0);
    json_obj_end(w);
    write_pattern(w, "^(0|[0-9]+(\\.[0-9]{1,4})?%|[0-9]+ppm)$");
    json_arr_end(w);
}

static void write_bytes(struct json_writer *w)
{
    json_key(w, "anyOf");
    json_arr_begin(w);
    json_obj_begin(w);
    json_kv_cstr(w, "type", "integer");
    json_kv_u64(w, "minimum", 0);
    json_obj_end(w);
    write_pattern(w, "^[0-9]+([kKmMgG](iB)?)?$");
    json_arr_end(w);
}

/* What an item of a list or a value of a map of names is, when it has a table. */
static void write_value(struct json_writer *w, const struct conf_key *key, struct tables *open)
{
    json_obj_begin(w);
    if ((key->flags & CONF_OR_TEXT) == 0) {
        write_table(w, key->inner, open);
    } else {
        json_key(w, "anyOf");
        json_arr_begin(w);
        json_obj_begin(w);
        write_text_type(w, false);
        json_obj_end(w);
        json_obj_begin(w);
        write_table(w, key->inner, open);
        json_obj_end(w);
        json_arr_end(w);
    }
    json_obj_end(w);
}

static void write_names(struct json_writer *w, const struct conf_key *key, struct tables *open)
{
    json_kv_cstr(w, "type", "object");
    if ((key->flags & CONF_NOT_EMPTY) != 0) {
        json_kv_u64(w, "minProperties", 1);
    }
    if (key->inner == NULL) {
        json_key(w, "additionalProperties");
        json_obj_begin(w);
        write_text_type(w, false);
        json_obj_end(w);
    } else if (enter(open, key->inner)) {
        json_key(w, "additionalProperties");
        write_value(w, key, open);
        open->len--;
    }
}

static void write_key(struct json_writer *w, const struct conf_key *key, struct tables *open)
{
    bool not_empty = (key->flags & CONF_NOT_EMPTY) != 0;
    json_key(w, key->name);
    json_obj_begin(w);
    if (key->help != NULL) {
        json_kv_cstr(w, "description", key->help);
    }
    switch (key->want) {
    case CONF_WANT_TEXT:
        write_text_type(w, not_empty);
        break;
    case CONF_WANT_BOOL:
        json_kv_cstr(w, "type", "boolean");
        break;
    case CONF_WANT_INTEGER:
        json_kv_cstr(w, "type", "integer");
        break;
    case CONF_WANT_DURATION:
        write_duration(w);
        break;
    case CONF_WANT_LIST:
        write_list(w, key, open);
        break;
    case CONF_WANT_MAP:
        write_map(w, key, open);
        break;
    case CONF_WANT_TEXTS:
        write_texts(w, not_empty);
        break;
    case CONF_WANT_CHOICE:
        write_choice(w, key);
        break;
    case CONF_WANT_NAMES:
        write_names(w, key, open);
        break;
    case CONF_WANT_SHARE:
        write_share(w);
        break;
    case CONF_WANT_BYTES:
        write_bytes(w);
        break;
    case CONF_WANT_ANY:
    default:
        break;
    }
    json_obj_end(w);
}

static void write_table(struct json_writer *w, const struct conf_key *key, struct tables *open)
{
    bool required = false;
    json_kv_cstr(w, "type", "object");
    json_key(w, "properties");
    json_obj_begin(w);
    for (const struct conf_key *k = key; k->name != NULL; k++) {
        write_key(w, k, open);
        required = required || (k->flags & CONF_REQUIRED) != 0;
    }
    json_obj_end(w);
    if (required) {
        json_key(w, "required");
        json_arr_begin(w);
        for (const struct conf_key *k = key; k->name != NULL; k++) {
            if ((k->flags & CONF_REQUIRED) != 0) {
                json_cstr(w, k->name);
            }
        }
        json_arr_end(w);
    }
    json_kv_bool(w, "additionalProperties", false);
}

void conf_schema_json(const struct conf_key *key, struct json_writer *w)
{
    struct tables open = {.table = {key}, .len = 1};
    json_obj_begin(w);
    write_table(w, key, &open);
    json_obj_end(w);
}

static const char *want_text(enum conf_want want)
{
    switch (want) {
    case CONF_WANT_TEXT:
        return "text";
    case CONF_WANT_BOOL:
        return "true or false";
    case CONF_WANT_INTEGER:
        return "whole number";
    case CONF_WANT_DURATION:
        return "time (`250ms`, `10s`, `5m`)";
    case CONF_WANT_LIST:
        return "list";
    case CONF_WANT_MAP:
        return "map";
    case CONF_WANT_TEXTS:
        return "text or list of texts";
    case CONF_WANT_CHOICE:
        return "one word";
    case CONF_WANT_NAMES:
        return "map of names";
    case CONF_WANT_SHARE:
        return "share (`0`, `0.1%`, `250ppm`)";
    case CONF_WANT_BYTES:
        return "size (`512MiB`, `2GiB`)";
    case CONF_WANT_ANY:
    default:
        return "any value";
    }
}

/* A cell may have neither a bar nor a line break of its own. */
static void add_cell(struct buf *b, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '|') {
            buf_add_cstr(b, "\\|");
        } else if (*text == '\n') {
            buf_add_char(b, ' ');
        } else {
            buf_add_char(b, *text);
        }
    }
}

static const struct conf_key *choices_of(const struct conf_key *key)
{
    return key->want == CONF_WANT_CHOICE ? key->inner : NULL;
}

static void add_rows(struct buf *b, const struct conf_key *key, const char *prefix,
                     struct tables *open)
{
    for (; key->name != NULL; key++) {
        bool required = (key->flags & CONF_REQUIRED) != 0;
        buf_addf(b, "| `%s%s` | %s%s | ", prefix, key->name, want_text(key->want),
                 required ? ", required" : "");
        add_cell(b, key->help);
        for (const struct conf_key *k = choices_of(key); k != NULL && k->name != NULL; k++) {
            buf_addf(b, "%s`%s`%s", k == key->inner ? "; " : ", ", k->name,
                     k->help == NULL ? "" : ": ");
            add_cell(b, k->help);
        }
        buf_add_cstr(b, " |\n");
        if (choices_of(key) == NULL && enter(open, key->inner)) {
            struct buf inner;
            buf_init(&inner, 1024);
            buf_addf(&inner, "%s%s%s", prefix, key->name,
                     key->want == CONF_WANT_LIST    ? "[]."
                     : key->want == CONF_WANT_NAMES ? ".NAME."
                                                    : ".");
            add_rows(b, key->inner, inner.ptr, open);
            buf_done(&inner);
            open->len--;
        }
    }
}

void conf_schema_markdown(const struct conf_key *key, struct buf *b)
{
    struct tables open = {.table = {key}, .len = 1};
    buf_add_cstr(b, "| key | value | what it says |\n|---|---|---|\n");
    add_rows(b, key, "", &open);
}
