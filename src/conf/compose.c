/*
 * libyaml's events made into nodes.  Open lists and maps are frames of a stack; the children that
 * they have so far lie one behind the other in `child`, keys and values of maps by turns, and move
 * into the arena when the frame is closed.
 *
 * Each node knows through its anchor how many nodes it stands for with all aliases followed, and
 * how deep it is.  So an alias is refused before it makes a tree that is too large to walk, though
 * in memory it is one node that shares its children.
 */
#include "conf/compose_int.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "conf/soften_int.h"
#include "conf/text_int.h"

#include <string.h>

/* Above this length keys are looked up in a map; below, one by one. */
enum { KEYS_LINEAR = 16 };
/* Scalars' texts are cut from pieces of the arena, which aligns each of its own. */
enum { PIECE_BYTES = 4096 };

struct anchor {
    const struct conf_node *node;
    size_t nodes;  /* what it stands for, itself too */
    size_t height; /* lists and maps from it down; 0: a scalar */
    bool open;     /* its end was not seen yet */
};

/* A child of an open list or map, or a document. */
struct child {
    struct conf_node *node;
};

struct frame {
    struct conf_node *node;
    struct anchor *anchor; /* or NULL */
    size_t first;          /* its first child in composer.child */
    size_t nodes_before;   /* composer.nodes when it began, itself not counted */
    size_t height;         /* of the children so far */
};

struct composer {
    yaml_parser_t parser;
    struct conf_file *file;
    struct err *err;
    VEC(struct child) child;
    VEC(struct child) document;
    struct frame frame[CONF_DEPTH_MAX];
    size_t depth;
    size_t nodes; /* so far, with aliases as what they stand for */
    struct map anchors;
    bool softened; /* scalars' texts have private characters: see soften_int.h */
    size_t cursor_index, cursor_offset; /* a place in characters and in bytes, see offset_of */
    char *piece;                        /* room for texts */
    size_t piece_left;
};

static struct pos place(const struct composer *c, const yaml_mark_t *mark)
{
    return (struct pos){c->file->name, (unsigned) mark->line + 1, (unsigned) mark->column + 1};
}

/* Puts the place on an error that was just set; for `return at(c, mark, err_set(...))`. */
static int at(const struct composer *c, const yaml_mark_t *mark, int code)
{
    if (c->err != NULL) {
        c->err->pos = place(c, mark);
    }
    return code;
}

static int refuse_memory(const struct composer *c, const yaml_mark_t *mark)
{
    return at(c, mark,
              err_set(c->err, ERR_FULL, "the file needs too much memory; make it smaller"));
}

static int count_nodes(struct composer *c, size_t n, const yaml_mark_t *mark)
{
    if (n > CONF_NODES_MAX - c->nodes) {
        return at(c, mark,
                  err_set(c->err, ERR_FULL,
                          "more than %d values, with those that aliases stand for; make the file "
                          "smaller",
                          CONF_NODES_MAX));
    }
    c->nodes += n;
    return 0;
}

static unsigned width_of(const yaml_event_t *event)
{
    const yaml_mark_t *start = &event->start_mark, *end = &event->end_mark;
    return start->line == end->line && end->column > start->column
               ? (unsigned) (end->column - start->column)
               : 0;
}

static struct conf_node *new_node(struct composer *c, const yaml_event_t *event,
                                  enum conf_kind kind)
{
    struct conf_node *node = arena_alloc(&c->file->arena, sizeof *node);
    if (node != NULL) {
        node->kind = kind;
        node->pos = place(c, &event->start_mark);
        node->width = kind == CONF_SCALAR ? width_of(event) : 0;
    }
    return node;
}

/* A copy with a NUL behind it; NULL when the arena is full. */
static char *copy_text(struct composer *c, const yaml_char_t *text, size_t len)
{
    char *copy = c->piece;
    if (len + 1 > PIECE_BYTES / 4) {
        copy = arena_alloc(&c->file->arena, len + 1);
    } else if (len + 1 > c->piece_left) {
        copy = c->piece = arena_alloc(&c->file->arena, PIECE_BYTES);
        c->piece_left = copy == NULL ? 0 : PIECE_BYTES;
    }
    if (copy == NULL) {
        return NULL;
    }
    if (copy == c->piece) {
        c->piece += len + 1;
        c->piece_left -= len + 1;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static bool wants_key(const struct composer *c)
{
    const struct frame *top = c->depth == 0 ? NULL : &c->frame[c->depth - 1];
    return top != NULL && top->node->kind == CONF_MAP && (c->child.len - top->first) % 2 == 0;
}

/* "tag:yaml.org,2002:str" is what libyaml makes of !!str. */
static int refuse_tag(const struct composer *c, const yaml_char_t *tag, const yaml_mark_t *mark)
{
    const struct str core = STR("tag:yaml.org,2002:");
    struct str name = str_of((const char *) tag);
    bool is_core = str_starts_with(name, core);
    if (is_core) {
        name = (struct str){name.ptr + core.len, name.len - core.len};
    }
    char quoted[64];
    const char *word = text_quote(name, quoted);
    return at(c, mark,
              err_set(c->err, ERR_INVALID,
                      "the tag %s%.*s is not supported: leave it out; a text in quotes is always "
                      "text, and a text that begins with \"!\" needs quotes",
                      is_core ? "!!" : "", (int) strlen(word) - 2, word + 1));
}

/* A value is finished: it becomes a child of the open frame, or a document. */
static int add_child(struct composer *c, struct conf_node *node, size_t height)
{
    if (c->depth == 0) {
        vec_push(&c->document, ((struct child){node}));
        return 0;
    }
    struct frame *top = &c->frame[c->depth - 1];
    vec_push(&c->child, ((struct child){node}));
    top->height = height > top->height ? height : top->height;
    return 0;
}

/* Makes the anchor known.  Anchors may be given again; the last one counts. */
static struct anchor *add_anchor(struct composer *c, const yaml_char_t *name,
                                 const struct conf_node *node)
{
    struct anchor *anchor = arena_alloc(&c->file->arena, sizeof *anchor);
    if (anchor != NULL) {
        *anchor = (struct anchor){.node = node, .nodes = 1, .height = 0, .open = false};
        (void) map_put(&c->anchors, str_of((const char *) name), anchor);
    }
    return anchor;
}

/*
 * Byte offset of a mark.  Marks come in the order of the text, so that the way from the last one is
 * all that is walked; SIZE_MAX for one that does not.
 */
static size_t offset_of(struct composer *c, const yaml_mark_t *mark)
{
    struct str text = c->file->text;
    if (mark->index < c->cursor_index) {
        return SIZE_MAX;
    }
    while (c->cursor_index < mark->index && c->cursor_offset < text.len) {
        struct str rest = {text.ptr + c->cursor_offset, text.len - c->cursor_offset};
        size_t n = str_utf8_char(rest);
        c->cursor_offset += n == 0 ? 1 : n;
        c->cursor_index++;
    }
    return c->cursor_offset;
}

/*
 * Two things that libyaml reads as YAML 1.1 had it, and so loses a part of a text that YAML 1.2 has
 * in it: {?a: b} has the key "?a", and &a:b is the anchor "a:b".
 */
static int check_glued(struct composer *c, const yaml_event_t *event)
{
    const yaml_char_t *anchor = event->data.scalar.anchor;
    bool flow = c->depth > 0 && c->frame[c->depth - 1].node->flow;
    if (!flow && anchor == NULL) {
        return 0;
    }
    struct str text = c->file->text;
    size_t offset = offset_of(c, &event->start_mark);
    if (offset >= text.len) {
        return 0;
    }
    if (flow && offset > 0 && text.ptr[offset - 1] == '?') {
        return at(c, &event->start_mark,
                  err_set(c->err, ERR_INVALID,
                          "\"?\" right before this: put a text that begins with \"?\" in quotes"));
    }
    size_t behind = anchor == NULL ? 0 : offset + 1 + strlen((const char *) anchor);
    if (anchor != NULL && behind < text.len && strchr(":?%@`", text.ptr[behind]) != NULL) {
        return at(c, &event->start_mark,
                  err_set(c->err, ERR_INVALID,
                          "\"%c\" in the name of an anchor: a name has letters, digits, \"_\" and "
                          "\"-\"; put a text that begins with \"&\" in quotes",
                          text.ptr[behind]));
    }
    return 0;
}

static int check_key(const struct composer *c, const struct conf_node *key, const yaml_mark_t *mark)
{
    if (key->kind != CONF_SCALAR) {
        return at(c, mark,
                  err_set(c->err, ERR_INVALID,
                          "%s is a key here: only texts may be keys; a text that begins with %s "
                          "needs quotes",
                          key->kind == CONF_LIST ? "a list" : "a map",
                          key->flow ? "\"[\" or \"{\"" : "\"? \""));
    }
    if (key->style == CONF_PLAIN && str_eq_cstr(key->text, "<<")) {
        return at(c, mark,
                  err_set(c->err, ERR_INVALID,
                          "the merge key \"<<\" is not supported: write the keys out, or use an "
                          "alias for a whole value"));
    }
    return 0;
}

static int on_scalar(struct composer *c, const yaml_event_t *event)
{
    if (event->data.scalar.tag != NULL) {
        return refuse_tag(c, event->data.scalar.tag, &event->start_mark);
    }
    int rc = check_glued(c, event);
    if (rc == 0) {
        rc = count_nodes(c, 1, &event->start_mark);
    }
    if (rc < 0) {
        return rc;
    }
    struct conf_node *node = new_node(c, event, CONF_SCALAR);
    size_t len = event->data.scalar.length;
    char *text = copy_text(c, event->data.scalar.value, len);
    if (node == NULL || text == NULL) {
        return refuse_memory(c, &event->start_mark);
    }
    node->text = (struct str){text, c->softened ? conf_harden(text, len) : len};
    switch (event->data.scalar.style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        node->style = CONF_SINGLE;
        break;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        node->style = CONF_DOUBLE;
        break;
    case YAML_LITERAL_SCALAR_STYLE:
        node->style = CONF_LITERAL;
        break;
    case YAML_FOLDED_SCALAR_STYLE:
        node->style = CONF_FOLDED;
        break;
    case YAML_ANY_SCALAR_STYLE:
    case YAML_PLAIN_SCALAR_STYLE:
    default:
        node->style = CONF_PLAIN;
        break;
    }
    if (event->data.scalar.anchor != NULL &&
        add_anchor(c, event->data.scalar.anchor, node) == NULL) {
        return refuse_memory(c, &event->start_mark);
    }
    rc = wants_key(c) ? check_key(c, node, &event->start_mark) : 0;
    return rc < 0 ? rc : add_child(c, node, 0);
}

static int refuse_depth(const struct composer *c, const yaml_mark_t *mark)
{
    return at(
        c, mark,
        err_set(c->err, ERR_FULL, "lists and maps are nested more than %d deep", CONF_DEPTH_MAX));
}

static int refuse_alias(const struct composer *c, const yaml_event_t *event, bool recursive)
{
    char quoted[64];
    const char *name = text_quote(str_of((const char *) event->data.alias.anchor), quoted);
    int len = (int) strlen(name) - 2;
    if (recursive) {
        return at(c, &event->start_mark,
                  err_set(c->err, ERR_INVALID,
                          "the alias *%.*s stands inside of its own anchor &%.*s: a value cannot "
                          "contain itself",
                          len, name + 1, len, name + 1));
    }
    return at(c, &event->start_mark,
              err_set(c->err, ERR_INVALID,
                      "the alias *%.*s has no anchor &%.*s above it; a text that begins with \"*\" "
                      "needs quotes",
                      len, name + 1, len, name + 1));
}

static int on_alias(struct composer *c, const yaml_event_t *event)
{
    const struct anchor *anchor =
        map_get(&c->anchors, str_of((const char *) event->data.alias.anchor));
    if (anchor == NULL || anchor->open) {
        return refuse_alias(c, event, anchor != NULL);
    }
    if (anchor->height > CONF_DEPTH_MAX - c->depth) {
        return refuse_depth(c, &event->start_mark);
    }
    int rc = count_nodes(c, anchor->nodes, &event->start_mark);
    if (rc < 0) {
        return rc;
    }
    struct conf_node *node = new_node(c, event, CONF_SCALAR);
    if (node == NULL) {
        return refuse_memory(c, &event->start_mark);
    }
    struct pos pos = node->pos;
    *node = *anchor->node;
    node->pos = pos;
    node->width = width_of(event);
    rc = wants_key(c) ? check_key(c, node, &event->start_mark) : 0;
    return rc < 0 ? rc : add_child(c, node, anchor->height);
}

static int on_begin(struct composer *c, const yaml_event_t *event, enum conf_kind kind)
{
    const yaml_mark_t *mark = &event->start_mark;
    bool list = kind == CONF_LIST;
    const yaml_char_t *tag = list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    const yaml_char_t *name =
        list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
    if (tag != NULL) {
        return refuse_tag(c, tag, mark);
    }
    if (c->depth == CONF_DEPTH_MAX) {
        return refuse_depth(c, mark);
    }
    struct frame frame = {.first = c->child.len, .nodes_before = c->nodes};
    int rc = count_nodes(c, 1, mark);
    if (rc < 0) {
        return rc;
    }
    frame.node = new_node(c, event, kind);
    if (frame.node == NULL) {
        return refuse_memory(c, mark);
    }
    frame.node->flow = list ? event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
                            : event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    rc = wants_key(c) ? check_key(c, frame.node, mark) : 0;
    if (rc < 0) {
        return rc;
    }
    if (name != NULL) {
        frame.anchor = add_anchor(c, name, frame.node);
        if (frame.anchor == NULL) {
            return refuse_memory(c, mark);
        }
        frame.anchor->open = true;
    }
    c->frame[c->depth++] = frame;
    return 0;
}

static int refuse_key(const struct composer *c, const struct conf_node *key,
                      const struct conf_node *before)
{
    char quoted[64];
    int code = err_set(c->err, ERR_INVALID,
                       "the key %s is given twice in one map: first at %u:%u; remove one of them",
                       text_quote(key->text, quoted), before->pos.line, before->pos.col);
    if (c->err != NULL) {
        c->err->pos = key->pos;
    }
    return code;
}

static int check_twice(const struct composer *c, const struct conf_node *map)
{
    struct map seen;
    int rc = 0;
    map_init(&seen);
    for (size_t i = 0; i < map->len && rc == 0; i++) {
        struct conf_node *key = map->entry[i].key;
        const struct conf_node *before = NULL;
        if (map->len > KEYS_LINEAR) {
            before = map_put(&seen, key->text, key);
        } else {
            for (size_t j = 0; j < i && before == NULL; j++) {
                before = str_eq(map->entry[j].key->text, key->text) ? map->entry[j].key : NULL;
            }
        }
        rc = before != NULL ? refuse_key(c, key, before) : 0;
    }
    map_done(&seen);
    return rc;
}

static int on_end(struct composer *c, const yaml_event_t *event)
{
    struct frame frame = c->frame[--c->depth];
    size_t n = c->child.len - frame.first;
    struct conf_node *node = frame.node;
    const struct child *child = n == 0 ? NULL : c->child.ptr + frame.first;
    /* An entry is two pointers, as a key and a value are two children. */
    void *copy = n == 0 ? NULL : arena_alloc(&c->file->arena, n * sizeof(void *));
    if (n > 0 && copy == NULL) {
        return refuse_memory(c, &event->start_mark);
    }
    if (node->kind == CONF_LIST) {
        node->len = n;
        node->item = copy;
        for (size_t i = 0; i < n; i++) {
            node->item[i] = child[i].node;
        }
    } else {
        node->len = n / 2;
        node->entry = copy;
        for (size_t i = 0; i < n / 2; i++) {
            node->entry[i] = (struct conf_entry){child[2 * i].node, child[2 * i + 1].node};
        }
    }
    if (node->flow && node->pos.line == event->end_mark.line + 1 &&
        event->end_mark.column + 1 > node->pos.col) {
        node->width = (unsigned) (event->end_mark.column + 1) - node->pos.col;
    }
    c->child.len = frame.first;
    if (frame.anchor != NULL) {
        frame.anchor->open = false;
        frame.anchor->nodes = c->nodes - frame.nodes_before;
        frame.anchor->height = frame.height + 1;
    }
    int rc = node->kind == CONF_MAP ? check_twice(c, node) : 0;
    return rc < 0 ? rc : add_child(c, node, frame.height + 1);
}

static int on_event(struct composer *c, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(c, event);
    case YAML_ALIAS_EVENT:
        return on_alias(c, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_begin(c, event, CONF_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_begin(c, event, CONF_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(c, event);
    case YAML_DOCUMENT_END_EVENT:
        map_done(&c->anchors); /* anchors hold for one document */
        return 0;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    default:
        return 0;
    }
}

static int run(struct composer *c)
{
    for (bool end = false; !end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&c->parser, &event)) {
            return compose_explain(&c->parser, c->file, c->err);
        }
        int rc = on_event(c, &event);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* A file without a document has one empty one, so that the callers need not ask. */
static int keep_documents(struct composer *c)
{
    const yaml_event_t begin = {.type = YAML_NO_EVENT};
    if (c->document.len == 0) {
        struct conf_node *empty = new_node(c, &begin, CONF_SCALAR);
        if (empty == NULL) {
            return refuse_memory(c, &begin.start_mark);
        }
        empty->text = STR("");
        vec_push(&c->document, ((struct child){empty}));
    }
    struct conf_node **kept = arena_alloc(&c->file->arena, c->document.len * sizeof(void *));
    if (kept == NULL) {
        return refuse_memory(c, &begin.start_mark);
    }
    for (size_t i = 0; i < c->document.len; i++) {
        kept[i] = c->document.ptr[i].node;
    }
    c->file->document = kept;
    c->file->documents = c->document.len;
    return 0;
}

int compose(struct conf_file *file, struct err *err)
{
    struct composer *c = mem_zalloc(sizeof *c);
    c->file = file;
    c->err = err;
    if (!yaml_parser_initialize(&c->parser)) {
        BUG("no memory for libyaml");
    }
    yaml_parser_set_encoding(&c->parser, YAML_UTF8_ENCODING);
    struct str soft = conf_soften(file->text, &file->arena);
    c->softened = soft.ptr != file->text.ptr;
    yaml_parser_set_input_string(&c->parser, (const yaml_char_t *) soft.ptr, soft.len);
    int rc = soft.ptr == NULL ? refuse_memory(c, &c->parser.mark) : run(c);
    if (rc == 0) {
        rc = keep_documents(c);
    }
    yaml_parser_delete(&c->parser);
    map_done(&c->anchors);
    vec_done(&c->child);
    vec_done(&c->document);
    mem_free(c);
    return rc;
}
