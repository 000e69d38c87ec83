/* Values out of a checked tree: see config_int.h. */
#include "base/num.h"
#include "release/config_int.h"

#include <inttypes.h>
#include <string.h>

enum { NAME_MAX_LEN = 64, CHOICES_MAX = 12 };

static struct conf_node *of_kind(const struct conf_node *map, const char *key, enum conf_kind kind)
{
    struct conf_node *node = conf_get(map, key);
    return node != NULL && node->kind == kind ? node : NULL;
}

struct conf_node *config_map(const struct conf_node *map, const char *key)
{
    return of_kind(map, key, CONF_MAP);
}

struct conf_node *config_list(const struct conf_node *map, const char *key)
{
    return of_kind(map, key, CONF_LIST);
}

const struct conf_node *config_scalar(const struct conf_node *map, const char *key)
{
    const struct conf_node *node = of_kind(map, key, CONF_SCALAR);
    return node == NULL || conf_is_null(node) || node->text.len == 0 ? NULL : node;
}

const struct conf_node *config_find(const struct conf_node *map, const char *const *path)
{
    for (; map != NULL && *path != NULL; path++) {
        map = conf_get(map, *path);
    }
    return map;
}

const char *config_text(const struct conf_node *map, const char *key)
{
    const struct conf_node *node = config_scalar(map, key);
    return node == NULL ? NULL : node->text.ptr;
}

bool config_is(const struct conf_node *map, const char *key, const char *word)
{
    const struct conf_node *node = config_scalar(map, key);
    return node != NULL && str_eq_cstr(node->text, word);
}

bool config_true(const struct conf_node *map, const char *key)
{
    return config_is(map, key, "true");
}

uint32_t config_share(const struct conf_node *map, const char *key)
{
    const struct conf_node *node = config_scalar(map, key);
    uint32_t ppm = 0;
    return node != NULL && num_share_ppm(node->text, &ppm, NULL) == 0 ? ppm : 0;
}

const struct conf_node *config_texts_at(const struct conf_node *map, const char *key, size_t i)
{
    const struct conf_node *node = conf_get(map, key);
    return node->kind == CONF_LIST ? node->item[i] : node;
}

struct release_texts config_texts(struct config_build *b, const struct conf_node *map,
                                  const char *key)
{
    const struct conf_node *one = config_scalar(map, key), *list = config_list(map, key);
    struct release_texts texts = {NULL, 0};
    size_t room = list == NULL ? 1 : list->len;
    if (one == NULL && list == NULL) {
        return texts;
    }
    texts.ptr = config_alloc(&b->c->arena, (room + 1) * sizeof *texts.ptr);
    if (one != NULL) {
        texts.ptr[texts.len++] = one->text.ptr;
        return texts;
    }
    for (size_t i = 0; i < room; i++) {
        /* An item of a wrong kind was told; its place is kept, so that indexes fit the list. */
        texts.ptr[texts.len++] = list->item[i]->kind == CONF_SCALAR ? list->item[i]->text.ptr : "";
    }
    return texts;
}

struct release_texts config_words(struct config_build *b, const struct conf_node *map,
                                  const char *key)
{
    struct release_texts words = config_texts(b, map, key);
    const struct conf_node *one = config_scalar(map, key);
    if (one != NULL && str_find_char(one->text, ' ') < one->text.len) {
        (void) conf_error(b->diags, one,
                          "\"%s\" is a list of words, as no shell splits it: [%.*s, ...]", key,
                          (int) str_find_char(one->text, ' '), one->text.ptr);
    } else if (words.len > 0 && words.ptr[0][0] == '\0') {
        (void) conf_error(b->diags, config_texts_at(map, key, 0),
                          "the first word of \"%s\" is the program: it may not be empty", key);
    }
    return words;
}

struct release_pairs config_pairs(struct config_build *b, const struct conf_node *map,
                                  const char *key)
{
    const struct conf_node *names = config_map(map, key);
    struct release_pairs pairs = {NULL, 0};
    if (names == NULL) {
        return pairs;
    }
    pairs.ptr = config_alloc(&b->c->arena, (names->len + 1) * sizeof *pairs.ptr);
    for (size_t i = 0; i < names->len; i++) {
        const struct conf_entry *entry = &names->entry[i];
        if (!config_is_env_name(entry->key->text.ptr)) {
            (void) conf_error(b->diags, entry->key,
                              "\"%.64s\" cannot be the name of a variable: it has letters, digits "
                              "and \"_\" and begins with no digit",
                              entry->key->text.ptr);
        }
        if (entry->value->kind == CONF_SCALAR) {
            pairs.ptr[pairs.len++] = (struct release_pair){
                entry->key->text.ptr, entry->value->text.ptr, entry->value->pos};
        }
    }
    return pairs;
}

uint64_t config_ms(struct config_build *b, const struct conf_node *map, const char *key)
{
    const struct conf_node *node = config_scalar(map, key);
    uint64_t ms = 0;
    if (node == NULL || num_duration_ms(node->text, &ms) < 0) {
        return 0;
    }
    if (ms > CONFIG_MS_MAX) {
        (void) conf_error(b->diags, node, "\"%s\" has to be at most 90d, but is %.32s", key,
                          node->text.ptr);
        return 0;
    }
    return ms;
}

uint64_t config_number(struct config_build *b, const struct conf_node *map, const char *key,
                       uint64_t min, uint64_t max)
{
    const struct conf_node *node = config_scalar(map, key);
    int64_t number = 0;
    int rc = node == NULL ? ERR_INVALID : num_i64(node->text, INT64_MIN, INT64_MAX, &number);
    if (rc == ERR_INVALID) {
        return min;
    }
    if (rc < 0 || number < 0 || (uint64_t) number < min || (uint64_t) number > max) {
        (void) conf_error(b->diags, node,
                          "\"%s\" has to be a number from %" PRIu64 " to %" PRIu64 ", but is %.40s",
                          key, min, max, node->text.ptr);
        return min;
    }
    return (uint64_t) number;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool config_is_env_name(const char *name)
{
    bool right = is_letter(name[0]);
    for (; *name != '\0'; name++) {
        right = right && (is_letter(*name) || str_is_digit(*name));
    }
    return right;
}

bool config_name(struct config_build *b, const struct conf_node *node, const char *what)
{
    struct str s = node->text;
    bool right = s.len > 0 && s.len <= NAME_MAX_LEN && s.ptr[0] != '.' && s.ptr[0] != '-';
    for (size_t i = 0; i < s.len; i++) {
        right = right && (is_letter(s.ptr[i]) || str_is_digit(s.ptr[i]) || s.ptr[i] == '.' ||
                          s.ptr[i] == '-');
    }
    if (!right) {
        (void) conf_error(b->diags, node,
                          "\"%.64s\" cannot be the name of %s: it has letters, digits, \".\", "
                          "\"_\" and \"-\", at most %d, and begins with no \".\" or \"-\"",
                          s.ptr, what, NAME_MAX_LEN);
    }
    return right;
}

bool config_has(struct release_texts texts, const char *word)
{
    for (size_t i = 0; i < texts.len; i++) {
        if (strcmp(texts.ptr[i], word) == 0) {
            return true;
        }
    }
    return false;
}

void config_unknown(struct config_build *b, const struct conf_node *node, const char *what,
                    const char *const *choice, size_t n)
{
    const char *near = str_nearest(node->text, choice, n);
    char list[1024];
    struct buf known;
    if (near != NULL) {
        (void) conf_error(b->diags, node, "unknown %s \"%.64s\": did you mean \"%s\"?", what,
                          node->text.ptr, near);
        return;
    }
    buf_init_fixed(&known, list, sizeof list);
    for (size_t i = 0; i < n && i < CHOICES_MAX; i++) {
        buf_addf(&known, "%s%s", i == 0 ? "" : ", ", choice[i]);
    }
    buf_add_cstr(&known, n > CHOICES_MAX ? ", ..." : "");
    (void) conf_error(b->diags, node, "unknown %s \"%.64s\": %s%s", what, node->text.ptr,
                      n == 0   ? "there are none"
                      : n == 1 ? "there is only "
                               : "one of ",
                      list);
}
