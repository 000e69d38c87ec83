/* Messages about files, printed like a compiler's: see diag.h. */
#include "conf/diag.h"

#include "base/cleanup.h"
#include "conf/read_int.h"
#include "conf/text_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGE_MAX = 2048, /* bytes of one message; it is cut above */
    CHOICES_MAX = 12,   /* known words that a message lists */
    COLUMNS = 120,      /* of a line of source */
    BEFORE = 40,        /* of these, left of the place when the line is cut */
    TAB = 4,            /* columns of a tab */
};

void conf_diags_done(struct conf_diags *diags)
{
    if (diags == NULL) {
        return;
    }
    for (size_t i = 0; i < diags->list.len; i++) {
        mem_free(diags->list.ptr[i].msg);
        mem_free(diags->list.ptr[i].line);
    }
    vec_done(&diags->list);
    *diags = (struct conf_diags){.errors = 0};
}

/* The same words about the same place, such as defaults that are read again for each case. */
static bool is_told(const struct conf_diags *diags, enum conf_severity severity, struct pos pos,
                    const char *msg)
{
    for (size_t i = 0; i < diags->list.len; i++) {
        const struct conf_diag *diag = &diags->list.ptr[i];
        bool same_file =
            diag->pos.file == pos.file ||
            (diag->pos.file != NULL && pos.file != NULL && strcmp(diag->pos.file, pos.file) == 0);
        if (same_file && diag->severity == severity && diag->pos.line == pos.line &&
            diag->pos.col == pos.col && strcmp(diag->msg, msg) == 0) {
            return true;
        }
    }
    return false;
}

/* msg and line are copied; line may be {NULL, 0}. */
static void add(struct conf_diags *diags, enum conf_severity severity, struct pos pos, size_t width,
                const char *msg, struct str line)
{
    if (is_told(diags, severity, pos, msg)) {
        return;
    }
    *(severity == CONF_ERROR ? &diags->errors : &diags->warnings) += 1;
    if (diags->list.len == CONF_DIAGS_MAX) {
        return;
    }
    struct conf_diag diag = {.severity = severity, .pos = pos, .width = width};
    diag.msg = mem_strdup(msg);
    diag.line = line.ptr == NULL ? NULL : mem_strdup_str(line);
    vec_push(&diags->list, diag);
}

__attribute__((format(printf, 4, 0))) static void add_list(struct conf_diags *diags,
                                                           enum conf_severity severity,
                                                           const struct conf_node *node,
                                                           const char *fmt, va_list args)
{
    char *msg = mem_alloc(MESSAGE_MAX);
    if (vsnprintf(msg, MESSAGE_MAX, fmt, args) >= MESSAGE_MAX) {
        (void) memcpy(msg + MESSAGE_MAX - sizeof "...", "...", sizeof "...");
    }
    struct pos pos = node == NULL ? (struct pos){NULL, 0, 0} : node->pos;
    add(diags, severity, pos, node == NULL ? 0 : node->width, msg, (struct str){NULL, 0});
    mem_free(msg);
}

int conf_error(struct conf_diags *diags, const struct conf_node *node, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_list(diags, CONF_ERROR, node, fmt, args);
    va_end(args);
    return ERR_INVALID;
}

void conf_warn(struct conf_diags *diags, const struct conf_node *node, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_list(diags, CONF_WARNING, node, fmt, args);
    va_end(args);
}

int conf_error_err(struct conf_diags *diags, const struct err *err)
{
    add(diags, CONF_ERROR, err->pos, 0, err->msg, (struct str){NULL, 0});
    return (int) err->code;
}

int conf_error_unknown(struct conf_diags *diags, const struct conf_node *key, const char *what,
                       const char *const *choice, size_t n)
{
    char quoted[64], message[1024];
    const char *near = str_nearest(key->text, choice, n);
    const char *seen = text_quote(key->text, quoted);
    if (near != NULL) {
        return conf_error(diags, key, "unknown key %s in %s: did you mean \"%s\"?", seen, what,
                          near);
    }
    if (n == 0) {
        return conf_error(diags, key, "unknown key %s in %s: it has no keys", seen, what);
    }
    struct buf known;
    buf_init_fixed(&known, message, sizeof message);
    for (size_t i = 0; i < n && i < CHOICES_MAX; i++) {
        buf_addf(&known, "%s%s", i == 0 ? "" : ", ", choice[i]);
    }
    buf_add_cstr(&known, n > CHOICES_MAX ? ", ..." : "");
    return conf_error(diags, key, "unknown key %s in %s: %s%s", seen, what,
                      n == 1 ? "it has only " : "one of ", message);
}

/* The file is not kept, so the message takes its line along. */
static int add_with_line(struct conf_diags *diags, const struct err *err, struct str text)
{
    struct str line = {NULL, 0};
    if (str_starts_with(text, STR("\xef\xbb\xbf"))) {
        text = (struct str){text.ptr + 3, text.len - 3};
    }
    if (err->pos.line > 0) {
        line = text_line(text, err->pos.line);
    }
    add(diags, CONF_ERROR, err->pos, 0, err->msg, line);
    return (int) err->code;
}

int conf_error_elsewhere(struct conf_diags *diags, const struct err *err)
{
    _cleanup_(buf_done) struct buf text = {.ptr = NULL};
    bool has_line = err->pos.file != NULL && err->pos.line > 0 &&
                    conf_text_read(err->pos.file, &text, NULL) == 0;
    return has_line ? add_with_line(diags, err, buf_str(&text)) : conf_error_err(diags, err);
}

int conf_load_text(struct conf_diags *diags, const char *name, struct str text,
                   struct conf_file *ret)
{
    struct err err = {.code = ERR_NONE};
    return conf_parse(name, text, ret, &err) < 0 ? add_with_line(diags, &err, text) : 0;
}

int conf_load(struct conf_diags *diags, const char *path, struct conf_file *ret)
{
    struct err err = {.code = ERR_NONE};
    _cleanup_(buf_done) struct buf text = {.ptr = NULL};
    if (conf_text_read(path, &text, &err) < 0) {
        return conf_error_err(diags, &err);
    }
    return conf_load_text(diags, conf_text_name(path), buf_str(&text), ret);
}

struct printer {
    const struct conf_file *const *file;
    size_t files;
    bool color;
    struct buf *b;
};

static const struct conf_file *find_file(const struct printer *p, const char *name)
{
    for (size_t i = 0; i < p->files; i++) {
        if (name != NULL && strcmp(p->file[i]->name, name) == 0) {
            return p->file[i];
        }
    }
    return NULL;
}

static void paint(const struct printer *p, const char *code)
{
    if (p->color) {
        buf_addf(p->b, "\033[%sm", code);
    }
}

/* What a terminal may get of a text: odd characters and bad UTF-8 become U+FFFD, a tab blanks. */
static void add_char(struct buf *b, struct str s, uint32_t c, size_t bytes)
{
    if (c == '\t') {
        buf_addf(b, "%*s", TAB, "");
    } else if (text_char_harmless(c) && str_utf8_char(s) > 0) {
        buf_add(b, s.ptr, bytes);
    } else {
        buf_add_cstr(b, "\xef\xbf\xbd");
    }
}

static unsigned columns_of(uint32_t c)
{
    return c == '\t' ? TAB : text_char_harmless(c) ? text_char_columns(c) : 1;
}

/* Further lines of a message are indented, so that they cannot pass for another message. */
static void add_text(struct buf *b, struct str s)
{
    while (s.len > 0) {
        size_t n;
        uint32_t c = text_char(s, &n);
        if (c == '\n') {
            buf_add_cstr(b, "\n    ");
        } else {
            add_char(b, s, c, n);
        }
        s = (struct str){s.ptr + n, s.len - n};
    }
}

static void add_head(const struct printer *p, const struct conf_diag *diag)
{
    bool error = diag->severity == CONF_ERROR;
    if (diag->pos.file != NULL) {
        paint(p, "1");
        add_text(p->b, str_of(diag->pos.file));
        if (diag->pos.line > 0) {
            buf_addf(p->b, ":%u", diag->pos.line);
        }
        if (diag->pos.line > 0 && diag->pos.col > 0) {
            buf_addf(p->b, ":%u", diag->pos.col);
        }
        buf_add_cstr(p->b, ": ");
        paint(p, "0");
    }
    paint(p, error ? "1;31" : "1;35");
    buf_add_cstr(p->b, error ? "error: " : "warning: ");
    paint(p, "0");
    add_text(p->b, str_of(diag->msg));
    buf_add_char(p->b, '\n');
}

/* A line of source as it is shown, and where in it the mark goes. */
struct view {
    struct str rest;     /* from the first character that is shown */
    unsigned mark;       /* columns left of the mark */
    unsigned mark_width; /* at least 1 */
    bool cut_left;
};

/* Drops characters on the left until the place is near enough to it; the rest is cut as printed. */
static struct view find_view(struct str line, const struct conf_diag *diag)
{
    struct view view = {.rest = line};
    struct str at = text_from_col(line, diag->pos.col);
    size_t n;
    unsigned columns = 0, total = 0, width = 0;
    for (struct str s = line; s.len > 0; s = (struct str){s.ptr + n, s.len - n}) {
        unsigned one = columns_of(text_char(s, &n));
        view.mark += s.ptr < at.ptr ? one : 0;
        width += s.ptr >= at.ptr && columns < diag->width ? one : 0;
        columns += s.ptr >= at.ptr;
        total = total > 10 * COLUMNS && s.ptr >= at.ptr ? total : total + one;
    }
    view.mark_width = width == 0 ? 1 : width;
    if (total <= COLUMNS || view.mark + view.mark_width <= COLUMNS - BEFORE) {
        return view;
    }
    while (view.mark > BEFORE) {
        view.mark -= columns_of(text_char(view.rest, &n));
        view.rest = (struct str){view.rest.ptr + n, view.rest.len - n};
        view.cut_left = true;
    }
    return view;
}

static void add_source(const struct printer *p, const struct conf_diag *diag, struct str line)
{
    struct view view = find_view(line, diag);
    const unsigned dots = view.cut_left ? 3 : 0;
    unsigned column = dots;
    size_t n;
    size_t before = p->b->len;
    buf_addf(p->b, "%5u | ", diag->pos.line);
    int gutter = (int) (p->b->len - before); /* wider from line 100,000 on */
    buf_add_cstr(p->b, view.cut_left ? "..." : "");
    for (struct str s = view.rest; s.len > 0; s = (struct str){s.ptr + n, s.len - n}) {
        uint32_t c = text_char(s, &n);
        unsigned wide = columns_of(c);
        if (column + wide > COLUMNS) {
            buf_add_cstr(p->b, "...");
            break;
        }
        add_char(p->b, s, c, n);
        column += wide;
    }
    unsigned mark = view.mark + dots;
    unsigned room = column > mark ? column - mark : 1;
    buf_addf(p->b, "\n%*s%*s", gutter, "| ", (int) mark, "");
    paint(p, "1;32");
    buf_add_char(p->b, '^');
    for (unsigned i = 1; i < view.mark_width && i < room; i++) {
        buf_add_char(p->b, '~');
    }
    paint(p, "0");
    buf_add_char(p->b, '\n');
}

static void add_diag(const struct printer *p, const struct conf_diag *diag)
{
    const struct conf_file *file = find_file(p, diag->pos.file);
    struct str line = str_of(diag->line);
    add_head(p, diag);
    if (line.ptr == NULL && file != NULL && diag->pos.line > 0) {
        line = text_line(file->text, diag->pos.line);
    }
    if (line.ptr != NULL && diag->pos.col > 0) {
        add_source(p, diag, line);
    }
}

/* A diagnostic with what it is sorted by: its file's index, its place, its index. */
struct order {
    size_t file, index;
    const struct conf_diag *diag;
};

static int compare(const void *left, const void *right)
{
    const struct order *a = left, *b = right;
    if (a->file != b->file) {
        return a->file < b->file ? -1 : 1;
    }
    if (a->diag->pos.line != b->diag->pos.line) {
        return a->diag->pos.line < b->diag->pos.line ? -1 : 1;
    }
    if (a->diag->pos.col != b->diag->pos.col) {
        return a->diag->pos.col < b->diag->pos.col ? -1 : 1;
    }
    return a->index < b->index ? -1 : 1;
}

/* Files come in the order given, others after them in the order of their first diagnostic. */
static size_t file_index(const struct printer *p, const struct conf_diags *diags, const char *name)
{
    for (size_t i = 0; i < p->files; i++) {
        if (name != NULL && strcmp(p->file[i]->name, name) == 0) {
            return i;
        }
    }
    for (size_t i = 0; i < diags->list.len; i++) {
        const char *other = diags->list.ptr[i].pos.file;
        if (other == name || (other != NULL && name != NULL && strcmp(other, name) == 0)) {
            return p->files + i;
        }
    }
    return SIZE_MAX;
}

void conf_diags_print(const struct conf_diags *diags, const struct conf_file *const *file, size_t n,
                      bool color, struct buf *b)
{
    const struct printer p = {.file = file, .files = n, .color = color, .b = b};
    struct order order[CONF_DIAGS_MAX];
    for (size_t i = 0; i < diags->list.len; i++) {
        const struct conf_diag *diag = &diags->list.ptr[i];
        order[i] = (struct order){file_index(&p, diags, diag->pos.file), i, diag};
    }
    qsort(order, diags->list.len, sizeof order[0], compare);
    for (size_t i = 0; i < diags->list.len; i++) {
        add_diag(&p, order[i].diag);
    }
    size_t hidden = diags->errors + diags->warnings - diags->list.len;
    if (hidden > 0) {
        buf_addf(b, "and %zu more, which are not shown\n", hidden);
    }
}
