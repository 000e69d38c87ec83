#pragma once
/* What goes to the terminal: tables, a block that is drawn anew, colors where they are wanted. */
#include "base/buf.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUT_MAX ((size_t) 4 * 1024 * 1024)

/* Columns of text.  Cells are added row by row; a column is as wide as its longest cell. */
struct table {
    const char *const *head; /* columns of them */
    size_t columns;
    unsigned right; /* bit i: column i is aligned to the right */
    VEC(char *) cell;
};

void table_init(struct table *t, const char *const *head, size_t columns, unsigned right);
void table_addf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_write(const struct table *t, struct buf *b);
void table_done(struct table *t);

/* Writes the text to stdout; a failure is remembered for out_close. */
void out_write(struct str text);
void out_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "pourover: MESSAGE\n" on stderr. */
void out_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Flushes stdout; false when something could not be written. */
bool out_close(void);

/* stdout is a terminal that can redraw. */
bool out_is_live(void);
/* Draws the block over the one before; lines are cut at the width of the terminal. */
void out_redraw(struct str block);
/* What was drawn stays: the next block is drawn below. */
void out_settle(void);

enum paint { PAINT_GOOD, PAINT_BAD, PAINT_FAINT };
/* The text in a color when stdout is a terminal and NO_COLOR is not set. */
void out_paint(struct buf *b, enum paint paint, const char *text);

/* "3.1s", "5m20s" */
void out_time(struct buf *b, uint64_t ms);
/* "12,345" */
void out_count(struct buf *b, uint64_t n);
/* A fraction as a percentage of three digits: "9.87%", "0.0123%" */
void out_percent(struct buf *b, double fraction);
