/* Maps with known keys, checked by their tables: see schema.h. */
#include "conf/schema.h"

#include "base/num.h"
#include "conf/text_int.h"

#include <inttypes.h>
#include <stdio.h>

enum { KEYS_MAX = 64, WHAT_MAX = 128 };

static bool is_plain(const struct conf_node *node)
{
    return node->kind == CONF_SCALAR && node->style == CONF_PLAIN;
}

static bool is_text(const struct conf_node *node)
{
    return node->kind == CONF_SCALAR && !conf_is_null(node);
}

/* `"name" has to be`, or `expected` for a value whose name is not known. */
static const char *subject(const char *name, char out[WHAT_MAX])
{
    if (name == NULL) {
        return "expected";
    }
    (void) snprintf(out, WHAT_MAX, "\"%.64s\" has to be", name);
    return out;
}

/* wanted: "true or false".  hint: ": write true", or "". */
static int refuse(struct conf_diags *diags, const char *name, const struct conf_node *node,
                  const char *wanted, const char *hint)
{
    char what[WHAT_MAX], seen[64];
    return conf_error(diags, node, "%s %s%s%s%s", subject(name, what), wanted,
                      name == NULL ? ", saw " : ", but is ", conf_describe(node, seen), hint);
}

/* What YAML 1.1 and other hands take for true (1) or false (0); -1: for neither. */
static int guess_bool(struct str word)
{
    static const char *const words[2][6] = {{"false", "no", "off", "n", "f", "0"},
                                            {"true", "yes", "on", "y", "t", "1"}};
    for (int value = 0; value < 2; value++) {
        for (size_t i = 0; i < 6; i++) {
            if (str_eq_nocase(word, str_of(words[value][i]))) {
                return value;
            }
        }
    }
    return -1;
}

static int read_bool(struct conf_diags *diags, const char *name, const struct conf_node *node,
                     bool *ret)
{
    if (is_plain(node) && str_eq_cstr(node->text, "true")) {
        *ret = true;
        return 0;
    }
    if (is_plain(node) && str_eq_cstr(node->text, "false")) {
        *ret = false;
        return 0;
    }
    int guess = node->kind == CONF_SCALAR ? guess_bool(node->text) : -1;
    const char *hint = "";
    if (guess >= 0) {
        bool quotes = !is_plain(node);
        hint = guess == 1 ? (quotes ? ": write true without quotes" : ": write true")
                          : (quotes ? ": write false without quotes" : ": write false");
    }
    return refuse(diags, name, node, "true or false", hint);
}

static int read_i64(struct conf_diags *diags, const char *name, const struct conf_node *node,
                    int64_t min, int64_t max, int64_t *ret)
{
    char what[WHAT_MAX];
    int64_t value = 0;
    int rc =
        node->kind == CONF_SCALAR ? num_i64(node->text, INT64_MIN, INT64_MAX, &value) : ERR_INVALID;
    if (rc == ERR_INVALID) {
        return refuse(diags, name, node, "a whole number", "");
    }
    if (!is_plain(node)) {
        return refuse(diags, name, node, "a whole number", ": write it without quotes");
    }
    if (rc < 0 || value < min || value > max) {
        return conf_error(diags, node, "%s a number from %" PRId64 " to %" PRId64 "%s" STR_FMT,
                          subject(name, what), min, max, name == NULL ? ", saw " : ", but is ",
                          (int) (node->text.len > 40 ? 40 : node->text.len), node->text.ptr);
    }
    *ret = value;
    return 0;
}

static int read_duration(struct conf_diags *diags, const char *name, const struct conf_node *node,
                         uint64_t *ret_ms)
{
    uint64_t value = 0, number = 0;
    int rc = node->kind == CONF_SCALAR ? num_duration_ms(node->text, &value) : ERR_INVALID;
    if (rc == ERR_FULL) {
        return refuse(diags, name, node, "a time such as 250ms, 10s, 5m", ", which is too long");
    }
    if (rc < 0) {
        bool bare = node->kind == CONF_SCALAR && num_u64(node->text, 0, UINT64_MAX, &number) == 0;
        return refuse(diags, name, node, "a time such as 250ms, 10s, 5m",
                      bare ? ", which has no unit" : "");
    }
    *ret_ms = value;
    return 0;
}

int conf_bool(struct conf_diags *diags, const struct conf_node *node, bool *ret)
{
    return read_bool(diags, NULL, node, ret);
}

int conf_i64(struct conf_diags *diags, const struct conf_node *node, int64_t min, int64_t max,
             int64_t *ret)
{
    return read_i64(diags, NULL, node, min, max, ret);
}

int conf_duration_ms(struct conf_diags *diags, const struct conf_node *node, uint64_t *ret_ms)
{
    return read_duration(diags, NULL, node, ret_ms);
}

int conf_bytes(struct str text, uint64_t *ret_bytes)
{
    /* num_bytes knows k, m, g: "2GiB" is its "2G" */
    if (str_ends_with(text, STR("iB"))) {
        text.len -= 2;
        if (text.len == 0 || str_is_digit(text.ptr[text.len - 1])) {
            return ERR_INVALID;
        }
    }
    return num_bytes(text, ret_bytes);
}

static int read_share(struct conf_diags *diags, const char *name, const struct conf_node *node)
{
    struct err err = {.code = ERR_NONE};
    uint32_t ppm;
    if (!is_text(node)) {
        return refuse(diags, name, node, "a share such as 0, 0.1%, 250ppm", "");
    }
    return num_share_ppm(node->text, &ppm, &err) == 0
               ? 0
               : conf_error(diags, node, "\"%.64s\": %s", name, err.msg);
}

static int read_bytes(struct conf_diags *diags, const char *name, const struct conf_node *node)
{
    uint64_t bytes;
    if (node->kind == CONF_SCALAR && conf_bytes(node->text, &bytes) == 0) {
        return 0;
    }
    return refuse(diags, name, node, "a size such as 512MiB, 2GiB", "");
}

/* Values of free names, when they are texts. */
static int check_names(struct conf_diags *diags, const struct conf_node *node,
                       const struct conf_key *key)
{
    int rc = 0;
    if (node->kind != CONF_MAP) {
        return refuse(diags, key->name, node, "a map of names", "");
    }
    for (size_t i = 0; key->inner == NULL && i < node->len; i++) {
        char seen[64], name[64];
        if (!is_text(node->entry[i].value)) {
            rc = conf_error(diags, node->entry[i].value,
                            "each value of \"%.64s\" has to be text, but %s is %s", key->name,
                            text_quote(node->entry[i].key->text, name),
                            conf_describe(node->entry[i].value, seen));
        }
    }
    return rc;
}

static int check_texts(struct conf_diags *diags, const struct conf_node *node, const char *name)
{
    if (is_text(node)) {
        return 0;
    }
    if (node->kind != CONF_LIST) {
        return refuse(diags, name, node, "a text or a list of texts", "");
    }
    int rc = 0;
    for (size_t i = 0; i < node->len; i++) {
        char seen[64];
        if (!is_text(node->item[i])) {
            rc = conf_error(diags, node->item[i],
                            "each item of \"%.64s\" has to be text, but this is %s", name,
                            conf_describe(node->item[i], seen));
        }
    }
    return rc;
}

static const struct conf_key *find_key(const struct conf_key *key, struct str name)
{
    for (; key->name != NULL; key++) {
        if (str_eq_cstr(name, key->name)) {
            return key;
        }
    }
    return NULL;
}

/* "ordered or unordered" */
static int check_choice(struct conf_diags *diags, const struct conf_node *node,
                        const struct conf_key *key)
{
    char list[256];
    struct buf b;
    if (node->kind == CONF_SCALAR && find_key(key->inner, node->text) != NULL) {
        return 0;
    }
    buf_init_fixed(&b, list, sizeof list);
    for (const struct conf_key *k = key->inner; k->name != NULL; k++) {
        buf_addf(&b, "%s%s", k == key->inner ? "" : k[1].name == NULL ? " or " : ", ", k->name);
    }
    return refuse(diags, key->name, node, list, "");
}

static int check_kind(struct conf_diags *diags, const struct conf_node *node,
                      const struct conf_key *key)
{
    bool truth;
    int64_t number;
    uint64_t ms;
    switch (key->want) {
    case CONF_WANT_TEXT:
        return is_text(node) ? 0 : refuse(diags, key->name, node, "text", "");
    case CONF_WANT_BOOL:
        return read_bool(diags, key->name, node, &truth);
    case CONF_WANT_INTEGER:
        return read_i64(diags, key->name, node, INT64_MIN, INT64_MAX, &number);
    case CONF_WANT_DURATION:
        return read_duration(diags, key->name, node, &ms);
    case CONF_WANT_LIST:
        return node->kind == CONF_LIST
                   ? 0
                   : refuse(diags, key->name, node, "a list",
                            node->kind == CONF_MAP ? ": begin each item with \"- \"" : "");
    case CONF_WANT_MAP:
        return node->kind == CONF_MAP ? 0 : refuse(diags, key->name, node, "a map", "");
    case CONF_WANT_TEXTS:
        return check_texts(diags, node, key->name);
    case CONF_WANT_CHOICE:
        return check_choice(diags, node, key);
    case CONF_WANT_NAMES:
        return check_names(diags, node, key);
    case CONF_WANT_SHARE:
        return read_share(diags, key->name, node);
    case CONF_WANT_BYTES:
        return read_bytes(diags, key->name, node);
    case CONF_WANT_ANY:
    default:
        return 0;
    }
}

static bool is_empty(const struct conf_node *node)
{
    return node->kind == CONF_SCALAR ? conf_is_null(node) || node->text.len == 0 : node->len == 0;
}

/* Of CONF_OR_TEXT, when it is no map. */
static int check_text_or_map(struct conf_diags *diags, const struct conf_node *node,
                             const struct conf_key *key)
{
    char seen[64];
    return is_text(node)
               ? 0
               : conf_error(diags, node,
                            "each %s of \"%.64s\" has to be text or a map, but this is %s",
                            key->want == CONF_WANT_LIST ? "item" : "value", key->name,
                            conf_describe(node, seen));
}

/* The table of each value of a map of names. */
static int check_named(struct conf_diags *diags, const struct conf_node *node,
                       const struct conf_key *key)
{
    char what[WHAT_MAX], name[64];
    int rc = 0;
    for (size_t i = 0; i < node->len; i++) {
        const struct conf_entry *entry = &node->entry[i];
        if ((key->flags & CONF_OR_TEXT) != 0 && entry->value->kind != CONF_MAP) {
            rc = check_text_or_map(diags, entry->value, key) < 0 ? ERR_INVALID : rc;
            continue;
        }
        (void) snprintf(what, sizeof what, "%s of \"%.40s\"", text_quote(entry->key->text, name),
                        key->name);
        rc = conf_check_keys(diags, entry->value, what, key->inner) < 0 ? ERR_INVALID : rc;
    }
    return rc;
}

/* The tables inside: of a map, or of each item of a list. */
static int check_inner(struct conf_diags *diags, const struct conf_node *node,
                       const struct conf_key *key)
{
    char what[WHAT_MAX];
    int rc = 0;
    if (key->want == CONF_WANT_NAMES) {
        return check_named(diags, node, key);
    }
    if (node->kind == CONF_MAP && key->want != CONF_WANT_LIST) {
        (void) snprintf(what, sizeof what, "\"%.64s\"", key->name);
        return conf_check_keys(diags, node, what, key->inner);
    }
    (void) snprintf(what, sizeof what, "an item of \"%.64s\"", key->name);
    for (size_t i = 0; node->kind == CONF_LIST && i < node->len; i++) {
        if ((key->flags & CONF_OR_TEXT) != 0 && node->item[i]->kind != CONF_MAP) {
            rc = check_text_or_map(diags, node->item[i], key) < 0 ? ERR_INVALID : rc;
            continue;
        }
        rc = conf_check_keys(diags, node->item[i], what, key->inner) < 0 ? ERR_INVALID : rc;
    }
    return rc;
}

static int check_entry(struct conf_diags *diags, const struct conf_entry *entry,
                       const struct conf_key *key)
{
    if (check_kind(diags, entry->value, key) < 0) {
        return ERR_INVALID;
    }
    if ((key->flags & CONF_NOT_EMPTY) != 0 && is_empty(entry->value)) {
        return conf_error(diags, entry->value, "\"%.64s\" may not be empty: give %s", key->name,
                          key->help == NULL ? "a value" : key->help);
    }
    bool has_inner = key->inner != NULL && key->want != CONF_WANT_CHOICE;
    return has_inner ? check_inner(diags, entry->value, key) : 0;
}

static int refuse_unknown(struct conf_diags *diags, const struct conf_node *node, const char *what,
                          const struct conf_key *key)
{
    const char *choice[KEYS_MAX];
    size_t n = 0;
    for (; n < KEYS_MAX && key[n].name != NULL; n++) {
        choice[n] = key[n].name;
    }
    return conf_error_unknown(diags, node, what, choice, n);
}

int conf_check_keys(struct conf_diags *diags, const struct conf_node *node, const char *what,
                    const struct conf_key *key)
{
    int rc = 0;
    char seen[64];
    if (node->kind != CONF_MAP) {
        return conf_error(diags, node, "%s has to be a map of keys and values, but is %s", what,
                          conf_describe(node, seen));
    }
    for (size_t i = 0; i < node->len; i++) {
        const struct conf_key *known = find_key(key, node->entry[i].key->text);
        int one = known == NULL ? refuse_unknown(diags, node->entry[i].key, what, key)
                                : check_entry(diags, &node->entry[i], known);
        rc = one < 0 ? ERR_INVALID : rc;
    }
    for (; key->name != NULL; key++) {
        if ((key->flags & CONF_REQUIRED) != 0 && conf_get(node, key->name) == NULL) {
            rc = conf_error(diags, node, "%s needs \"%s\"%s%s", what, key->name,
                            key->help == NULL ? "" : ": ", key->help == NULL ? "" : key->help);
        }
    }
    return rc;
}
