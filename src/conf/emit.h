#pragma once
/*
 * YAML text, for files that the program writes for people: block style, two spaces, quotes only
 * where a plain scalar would be read as something else.  What it writes, conf_parse reads back the
 * same.
 *
 *     yaml_map_begin(&w); yaml_key(&w, "name"); yaml_text(&w, STR("x")); yaml_map_end(&w);
 */
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

#define YAML_WRITER_DEPTH 64

/*
 * Look at buf->failed at the end: it is set when the text did not fit or was nested deeper than
 * YAML_WRITER_DEPTH.  That begins match ends and keys come before values is the caller's duty.
 */
struct yaml_writer {
    struct buf *buf;
    unsigned depth;
    /* private */
    struct {
        bool is_map, flow, empty;
        unsigned indent;
    } level[YAML_WRITER_DEPTH];
    bool after_key, after_dash, broken, flow_next;
};

void yaml_writer_init(struct yaml_writer *w, struct buf *buf);
void yaml_map_begin(struct yaml_writer *w);
void yaml_map_end(struct yaml_writer *w);
void yaml_list_begin(struct yaml_writer *w);
void yaml_list_end(struct yaml_writer *w);
/* The next map or list, with all that is inside, on one line: {a: 1, b: [2]}. */
void yaml_flow(struct yaml_writer *w);
void yaml_key(struct yaml_writer *w, struct str key);
/*
 * Text that stays text: quoted when it would be read as a number, true, null or the like, a literal
 * block when it has several lines.  Bad UTF-8 becomes U+FFFD.
 */
void yaml_text(struct yaml_writer *w, struct str text);
/* A plain scalar as it is: 12, true, null. */
void yaml_plain(struct yaml_writer *w, struct str text);
/*
 * "# ..." on lines of its own before the next item, key or value; text may have several lines.
 * Inside of a flow map or list, which is one line, comments are left out.
 */
void yaml_comment(struct yaml_writer *w, struct str text);
