/* Terminal output; see out.h. */
#include "cli/out.h"

#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static unsigned drawn_lines; /* of the block that stands on the terminal */
static bool write_failed;

void table_init(struct table *t, const char *const *head, size_t columns, unsigned right)
{
    *t = (struct table){.head = head, .columns = columns, .right = right};
}

void table_addf(struct table *t, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0) {
        BUG("out of memory");
    }
    vec_push(&t->cell, text);
}

/* Characters, not bytes; wide ones count as one. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char) *text & 0xc0) != 0x80;
    }
    return n;
}

static void write_row(const struct table *t, const char *const *cell, const size_t *width,
                      struct buf *b)
{
    for (size_t i = 0; i < t->columns; i++) {
        size_t pad = width[i] - width_of(cell[i]);
        bool right = (t->right >> i & 1) != 0;
        bool last = i + 1 == t->columns;
        buf_addf(b, "%*s%s%*s", right ? (int) pad : 0, "", cell[i], right || last ? 0 : (int) pad,
                 "");
        buf_add_cstr(b, last ? "\n" : "  ");
    }
}

void table_write(const struct table *t, struct buf *b)
{
    size_t *width = mem_array(t->columns, sizeof *width);
    for (size_t i = 0; i < t->columns; i++) {
        width[i] = width_of(t->head[i]);
    }
    for (size_t i = 0, column = 0; i < t->cell.len; i++) {
        size_t w = width_of(t->cell.ptr[i]);
        width[column] = w > width[column] ? w : width[column];
        column = column + 1 == t->columns ? 0 : column + 1;
    }
    write_row(t, t->head, width, b);
    for (size_t i = 0; i + t->columns <= t->cell.len; i += t->columns) {
        const char *const *row = (const char *const *) &t->cell.ptr[i];
        write_row(t, row, width, b);
    }
    mem_free(width);
}

void table_done(struct table *t)
{
    for (size_t i = 0; i < t->cell.len; i++) {
        mem_free(t->cell.ptr[i]);
    }
    vec_done(&t->cell);
}

/* Whoever reads us may stop early, as head does; anything else that fails is told. */
static void note_failure(bool failed)
{
    if (failed && errno != EPIPE) {
        write_failed = true;
    }
}

void out_write(struct str text)
{
    note_failure(fwrite(text.ptr, 1, text.len, stdout) != text.len || fflush(stdout) != 0);
}

void out_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note_failure(vprintf(fmt, args) < 0 || fflush(stdout) != 0);
    va_end(args);
}

void out_complain(const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char) *c < ' ' || *c == 0x7f) {
            *c = '?'; /* input is quoted in messages */
        }
    }
    (void) fprintf(stderr, "pourover: %s\n", text);
}

bool out_close(void)
{
    note_failure(fflush(stdout) != 0);
    return !write_failed;
}

bool out_is_live(void)
{
    const char *term = secure_getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
}

static size_t terminal_width(void)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return 80;
    }
    return size.ws_col;
}

/* Appends at most width characters of the line; escape sequences count as nothing. */
static void add_cut(struct buf *b, struct str line, size_t width)
{
    size_t used = 0;
    bool escape = false;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char) line.ptr[i];
        bool starts = (c & 0xc0) != 0x80;
        escape = escape || c == 0x1b;
        used += starts && !escape ? 1 : 0;
        if (used <= width || escape) {
            buf_add_char(b, (char) c);
        }
        escape = escape && c != 'm';
    }
}

void out_redraw(struct str block)
{
    struct buf b;
    size_t width = terminal_width();
    unsigned lines = 0;
    buf_init(&b, OUT_MAX);
    if (drawn_lines > 0) {
        buf_addf(&b, "\033[%uA\r\033[J", drawn_lines);
    }
    struct str line, rest = block;
    while (str_cut(&rest, '\n', &line)) {
        if (rest.ptr == NULL && line.len == 0) {
            break; /* behind the last newline */
        }
        add_cut(&b, line, width);
        buf_add_char(&b, '\n');
        lines++;
    }
    out_write(buf_str(&b));
    buf_done(&b);
    drawn_lines = lines;
}

void out_settle(void)
{
    drawn_lines = 0;
}

void out_paint(struct buf *b, enum paint paint, const char *text)
{
    static const char *const code[] = {"32", "31;1", "2"};
    const char *no_color = secure_getenv("NO_COLOR");
    if (!out_is_live() || (no_color != NULL && no_color[0] != '\0')) {
        buf_add_cstr(b, text);
        return;
    }
    buf_addf(b, "\033[%sm%s\033[0m", code[paint], text);
}

void out_time(struct buf *b, uint64_t ms)
{
    if (ms < 60000) {
        buf_addf(b, "%.1fs", (double) ms / 1000);
    } else {
        buf_addf(b, "%llum%02llus", (unsigned long long) (ms / 60000),
                 (unsigned long long) (ms / 1000 % 60));
    }
}

void out_count(struct buf *b, uint64_t n)
{
    char digits[24];
    struct buf d;
    buf_init_fixed(&d, digits, sizeof digits);
    buf_add_u64(&d, n);
    for (size_t i = 0; i < d.len; i++) {
        if (i > 0 && (d.len - i) % 3 == 0) {
            buf_add_char(b, ',');
        }
        buf_add_char(b, digits[i]);
    }
}

void out_percent(struct buf *b, double fraction)
{
    double percent = fraction * 100;
    int decimals = percent > 0 ? 2 - (int) floor(log10(percent)) : 0;
    decimals = decimals < 0 || percent >= 100 ? 0 : decimals > 8 ? 8 : decimals;
    buf_addf(b, "%.*f%%", decimals, percent);
}
