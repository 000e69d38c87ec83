#pragma once
/*
 * The lines of a release as text, one a line, as they lie on hosts and are exported:
 *     {"seq":12,"at_ms":1769903999123,"host":"west-1","note":{...}}
 * and the union of what several hosts have of them.  Pure.
 */
#include "journal/journal.h"

/* Room for any line with its line feed: a host's name may be escaped. */
#define JOURNAL_ENVELOPE_MAX (JOURNAL_LINE_MAX + 6 * JOURNAL_HOST_MAX + 128)

/* Appends the line and a line feed.  line->text is JSON without a line feed. */
void journal_line_write(struct buf *b, const struct journal_line *line);
/*
 * text: one line, a line feed at its end or not.  ret: texts are owned.  Members may stand in any
 * order, unknown ones are skipped.  ERR_INVALID, ERR_FULL; the message has no place.
 */
int journal_line_read(struct str text, struct journal_line *ret, struct err *err)
    __attribute__((warn_unused_result));
void journal_line_done(struct journal_line *line);

/* What one host has.  name: for messages. */
struct journal_source {
    const char *name;
    struct str text;
};

struct journal_gap {
    uint64_t first, last; /* seqs that nobody has, below the greatest one */
};

enum journal_flaw_kind {
    FLAW_TORN,         /* cut while it was written: nobody acted on it */
    FLAW_GARBAGE,      /* a whole line that is none of ours; it is left out */
    FLAW_CONTRADICTION /* two lines with one seq; the source that was given first counts */
};
struct journal_flaw {
    enum journal_flaw_kind kind;
    uint64_t seq;  /* of a contradiction, else 0 */
    char *message; /* finished, with the place: "west-1: line 7: ..." */
};

#define JOURNAL_FLAWS_MAX 100 /* that are listed; all are counted */

struct journal_merged {
    struct journal_lines lines; /* by seq, one each */
    VEC(struct journal_gap) gaps;
    VEC(struct journal_flaw) flaws; /* by source and line, contradictions behind them by seq */
    size_t torn, garbage, contradictions;
};

/* Whoever acts on the union looks at gaps and contradictions first. */
void journal_merge(const struct journal_source *source, size_t n, struct journal_merged *ret);
void journal_merged_done(struct journal_merged *merged);
