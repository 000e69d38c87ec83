/* Between the reading of a release and its lease somebody else may have gone on with it. */
#include "controller/controller_int.h"
#include "journal/merge.h"

/* Of the last line. */
static uint64_t last_seq(struct str text)
{
    struct journal_line line;
    struct err err = {0};
    uint64_t seq = 0;
    text = str_trim(text);
    size_t begin = text.len;
    while (begin > 0 && text.ptr[begin - 1] != '\n') {
        begin--;
    }
    struct str last = {text.ptr + begin, text.len - begin};
    if (last.len > 0 && journal_line_read(last, &line, &err) == 0) {
        seq = line.seq;
        journal_line_done(&line);
    }
    return seq;
}

static uint64_t last_seq_at(struct controller *c, int host)
{
    struct err err = {0};
    struct buf told, record;
    uint64_t seq = 0;
    buf_init(&told, TOLD_BYTES);
    buf_init(&record, RECORD_BYTES);
    struct driver_place place =
        controller_place_of(c, host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    if (c->driver->record_read(&place, &record, &err) == 0) {
        seq = last_seq(buf_str(&record));
    }
    buf_done(&told);
    buf_done(&record);
    return seq;
}

int controller_check_unmoved(struct controller *c, struct err *err)
{
    struct journal_lines lines = {0};
    int rc =
        c->number == 0 ? 0 : journal_read(c->options.journal, c->header.id, c->seq, &lines, err);
    bool moved = rc == 0 && lines.list.len > 0;
    journal_lines_done(&lines);
    for (int h = 0; rc == 0 && !moved && h < (int) c->config->hosts; h++) {
        moved = last_seq_at(c, h) > c->loaded_seq;
    }
    if (rc == 0 && moved) {
        rc = err_set(err, ERR_CONFLICT,
                     "somebody else went on with %s while it was read here: nothing was done; look "
                     "with `pourover status`, then say it again",
                     c->header.id);
    }
    return rc;
}
