/*
 * YAML text for people: see emit.h.
 *
 * "key:" and "-" are written at once, what separates them from their value when the value comes: a
 * blank before a scalar, a flow value and the first entry of a value of "-", a line break before
 * the first entry of a block value of "key:".  So an empty map can still become "{}".  A comment
 * between the two breaks the line (`broken`), and the value then begins a line of its own.
 */
#include "conf/emit.h"

#include "conf/scalar_int.h"
#include "conf/text_int.h"

enum { STEP = 2 };

/* The longest key, in characters, that YAML takes without "? " before it. */
enum { SIMPLE_KEY_MAX = 1000 };

void yaml_writer_init(struct yaml_writer *w, struct buf *buf)
{
    *w = (struct yaml_writer){.buf = buf};
}

static bool in_flow(const struct yaml_writer *w)
{
    return w->depth > 0 && w->level[w->depth - 1].flow;
}

static void add_blanks(struct buf *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        buf_add_char(b, ' ');
    }
}

/* Column of a value that does not fit behind its "key:" or "-". */
static unsigned value_indent(const struct yaml_writer *w)
{
    return w->depth == 0 ? 0 : w->level[w->depth - 1].indent + STEP;
}

/* Before a value that goes on in the line of its key or dash. */
static void add_gap(struct yaml_writer *w)
{
    if (w->broken) {
        add_blanks(w->buf, value_indent(w));
    } else if (w->after_key || w->after_dash) {
        buf_add_char(w->buf, ' ');
    }
    w->after_key = w->after_dash = w->broken = false;
}

static void end_line(struct yaml_writer *w)
{
    if (!in_flow(w)) {
        buf_add_char(w->buf, '\n');
    }
}

/* Before an entry of a block map or list. */
static void begin_entry(struct yaml_writer *w)
{
    bool first = w->level[w->depth - 1].empty, break_line = first && w->after_key && !w->broken;
    bool same_line = first && w->after_dash && !w->broken;
    if (break_line) {
        buf_add_char(w->buf, '\n');
    }
    if (same_line) {
        buf_add_char(w->buf, ' ');
    } else {
        add_blanks(w->buf, w->level[w->depth - 1].indent);
    }
    w->level[w->depth - 1].empty = false;
    w->after_key = w->after_dash = w->broken = false;
}

/* Before an item of a list or a key: a comma, or the line's begin. */
static void begin_child(struct yaml_writer *w)
{
    if (!in_flow(w)) {
        begin_entry(w);
        return;
    }
    if (!w->level[w->depth - 1].empty) {
        buf_add_cstr(w->buf, ", ");
    }
    w->level[w->depth - 1].empty = false;
}

/* Before any value: an item of a list gets its dash. */
static void begin_value(struct yaml_writer *w)
{
    if (w->depth == 0 || w->level[w->depth - 1].is_map) {
        return;
    }
    begin_child(w);
    if (!in_flow(w)) {
        buf_add_char(w->buf, '-');
        w->after_dash = true;
    }
}

static void begin(struct yaml_writer *w, bool is_map)
{
    if (w->depth == YAML_WRITER_DEPTH) {
        w->buf->failed = true;
    }
    if (w->buf->failed) {
        return;
    }
    begin_value(w);
    bool flow = in_flow(w) || w->flow_next;
    unsigned indent = value_indent(w);
    /* A list in a map stands below its key, as people write it. */
    if (!is_map && w->depth > 0 && w->level[w->depth - 1].is_map) {
        indent -= STEP;
    }
    w->flow_next = false;
    if (flow) {
        add_gap(w);
        buf_add_char(w->buf, is_map ? '{' : '[');
    }
    w->level[w->depth].is_map = is_map;
    w->level[w->depth].flow = flow;
    w->level[w->depth].empty = true;
    w->level[w->depth].indent = indent;
    w->depth++;
}

static void end(struct yaml_writer *w)
{
    if (w->buf->failed || w->depth == 0) {
        return;
    }
    w->depth--;
    bool is_map = w->level[w->depth].is_map, flow = w->level[w->depth].flow;
    if (!flow && w->level[w->depth].empty) {
        add_gap(w);
        buf_add_cstr(w->buf, is_map ? "{}" : "[]");
        buf_add_char(w->buf, '\n');
    } else if (flow) {
        buf_add_char(w->buf, is_map ? '}' : ']');
        end_line(w);
    }
}

void yaml_map_begin(struct yaml_writer *w)
{
    begin(w, true);
}

void yaml_map_end(struct yaml_writer *w)
{
    end(w);
}

void yaml_list_begin(struct yaml_writer *w)
{
    begin(w, false);
}

void yaml_list_end(struct yaml_writer *w)
{
    end(w);
}

void yaml_flow(struct yaml_writer *w)
{
    w->flow_next = true;
}

static size_t count_chars(struct str s)
{
    size_t count = 0, n;
    for (; s.len > 0; s = (struct str){s.ptr + n, s.len - n}) {
        (void) text_char(s, &n);
        count++;
    }
    return count;
}

/* A key that is too long for a simple one gets "? " before it, and ":" in the line below. */
void yaml_key(struct yaml_writer *w, struct str key)
{
    if (w->buf->failed || w->depth == 0) {
        return;
    }
    struct buf text;
    buf_init(&text, w->buf->max);
    scalar_add(&text, key, in_flow(w));
    bool is_long = count_chars(buf_str(&text)) > SIMPLE_KEY_MAX;
    begin_child(w);
    buf_add_cstr(w->buf, is_long ? "? " : "");
    buf_add_str(w->buf, buf_str(&text));
    w->buf->failed = w->buf->failed || text.failed;
    if (is_long) {
        buf_add_char(w->buf, '\n');
        add_blanks(w->buf, w->level[w->depth - 1].indent);
    }
    buf_add_char(w->buf, ':');
    w->after_key = true;
    buf_done(&text);
}

/* The end of a scalar's line and the return to the level around it. */
static void add_scalar(struct yaml_writer *w, struct str text, bool plain)
{
    if (w->buf->failed) {
        return;
    }
    w->flow_next = false;
    begin_value(w);
    add_gap(w);
    if (plain) {
        buf_add_str(w->buf, text);
        end_line(w);
    } else if (!in_flow(w) && scalar_is_block(text)) {
        scalar_add_block(w->buf, text, value_indent(w) + (w->depth == 0 ? STEP : 0));
    } else {
        scalar_add(w->buf, text, in_flow(w));
        end_line(w);
    }
}

void yaml_text(struct yaml_writer *w, struct str text)
{
    add_scalar(w, text, false);
}

void yaml_plain(struct yaml_writer *w, struct str text)
{
    add_scalar(w, text, true);
}

/* Where the next key, item or value will begin. */
static unsigned comment_indent(const struct yaml_writer *w)
{
    if (w->depth == 0) {
        return 0;
    }
    /* The value of a key or dash, for which nothing was begun, stands deeper. */
    bool awaited = (w->after_key || w->after_dash) && !w->level[w->depth - 1].empty;
    return awaited ? value_indent(w) : w->level[w->depth - 1].indent;
}

void yaml_comment(struct yaml_writer *w, struct str text)
{
    if (in_flow(w) || w->buf->failed) {
        return;
    }
    if ((w->after_key || w->after_dash) && !w->broken) {
        buf_add_char(w->buf, '\n');
        w->broken = true;
    }
    struct str line, rest = text.ptr == NULL ? STR("") : text;
    while (str_cut(&rest, '\n', &line)) {
        add_blanks(w->buf, comment_indent(w));
        buf_add_char(w->buf, '#');
        if (line.len > 0) {
            buf_add_char(w->buf, ' ');
            scalar_add_comment(w->buf, line);
        }
        buf_add_char(w->buf, '\n');
    }
}
