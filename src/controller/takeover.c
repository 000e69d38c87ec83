/*
 * Another life: the lease first, then all that was noted, then on.  What was noted while there was
 * no lease would be missed.  Lines of a later life have greater numbers than all of an earlier one,
 * so that what an earlier one wrote on a host that was away counts as older when that host is back.
 */
#include "base/cleanup.h"
#include "base/map.h"
#include "controller/controller_int.h"
#include "journal/merge.h"

#include <string.h>

#define LIFE_BITS 20 /* lines of a life */

static int reload(struct controller *c, struct err *err)
{
    char id[sizeof c->header.id];
    struct journal_release found;
    buf_print(id, sizeof id, "%s", c->header.id);
    int rc = controller_import(c, id, err);
    if (rc < 0 && rc != ERR_NOT_FOUND) {
        return rc;
    }
    rc = journal_find_id(c->options.journal, id, &found, err);
    if (rc == 0) {
        rc = controller_load_found(c, &found, err);
        journal_release_done(&found);
    }
    return rc;
}

/* Numbers of the lines that a host has. */
static void numbers_of(struct controller *c, int host, struct map *ret)
{
    _cleanup_(buf_done) struct buf record;
    struct str line, rest;
    buf_init(&record, RECORD_BYTES);
    map_init(ret);
    (void) controller_read_record(c, host, c->header.id, &record);
    rest = buf_str(&record);
    while (rest.len > 0 && str_cut(&rest, '\n', &line)) {
        struct journal_line read;
        struct err err = {0};
        if (line.len > 0 && journal_line_read(line, &read, &err) == 0) {
            char seq[24];
            buf_print(seq, sizeof seq, "%llu", (unsigned long long) read.seq);
            (void) map_put(ret, str_of(seq), c);
            journal_line_done(&read);
        }
    }
}

static int complete_host(struct controller *c, int host, const struct journal_lines *lines,
                         struct err *err)
{
    struct map has;
    int rc = 0;
    numbers_of(c, host, &has);
    for (size_t i = 0; rc != ERR_CONFLICT && i < lines->list.len; i++) {
        const struct journal_line *line = &lines->list.ptr[i];
        bool concerns =
            line->host[0] == '\0' || strcmp(line->host, c->config->host[host].name) == 0;
        char seq[24];
        buf_print(seq, sizeof seq, "%llu", (unsigned long long) line->seq);
        if (concerns && map_get(&has, str_of(seq)) == NULL) {
            _cleanup_(buf_done) struct buf b;
            buf_init(&b, JOURNAL_ENVELOPE_MAX);
            journal_line_write(&b, line);
            rc = controller_send(c, host, buf_str(&b), err);
        }
    }
    map_done(&has);
    return rc == ERR_CONFLICT ? rc : 0;
}

static int complete_hosts(struct controller *c, struct err *err)
{
    struct journal_lines lines = {0};
    int rc = journal_read(c->options.journal, c->header.id, 0, &lines, err);
    for (int h = 0; rc == 0 && h < (int) c->config->hosts; h++) {
        rc = complete_host(c, h, &lines, err);
    }
    journal_lines_done(&lines);
    return rc;
}

int controller_take_over(struct controller *c, struct err *err)
{
    const struct release_op lock = {
        .kind = OP_LOCK, .step = -1, .host = -1, .deadline_ms = c->config->spec.step_ms};
    int rc = controller_do(c, &lock, err);
    if (rc < 0) {
        return c->lock_err.code != 0 ? (int) (*err = c->lock_err).code : rc;
    }
    rc = controller_have_lock(c, err);
    rc = rc < 0 ? rc : reload(c, err);
    c->seq = ((c->seq >> LIFE_BITS) + 1) << LIFE_BITS;
    return rc < 0 ? rc : complete_hosts(c, err);
}
