/* Lines: into the journal, then to the hosts that they are about, before anything is done. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/num.h"
#include "controller/controller_int.h"
#include "journal/merge.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CUT_BYTES ((size_t) 4096)

/* Tests end the controller right behind its n-th write, as a power cut would. */
static void maybe_die(void)
{
    static uint64_t writes, limit;
    static bool asked;
    if (!asked) {
        const char *text =
            getenv("POUROVER_KILL_AFTER"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
        asked = true;
        if (text == NULL || num_u64(str_of(text), 1, UINT32_MAX, &limit) < 0) {
            limit = 0;
        }
    }
    if (limit > 0 && ++writes == limit) {
        (void) kill(getpid(), SIGKILL);
    }
}

/* 0: it is there; ERR_CONFLICT: the lease is another's; else the host lacks it. */
int controller_send(struct controller *c, int host, struct str line, struct err *err)
{
    struct err lost = {0};
    struct buf told;
    buf_init(&told, TOLD_BYTES);
    struct driver_place place =
        controller_place_of(c, host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    place.more = c->more;
    int rc = c->driver->record_append(&place, str_trim(line), &lost);
    buf_done(&told);
    if (rc == ERR_CONFLICT) {
        c->fenced = true;
        *err = lost;
    } else if (rc < 0) {
        char text[700];
        buf_print(text, sizeof text, "%s did not take a line of its record: %s",
                  c->config->host[host].name, lost.msg);
        controller_tell(c, &(struct controller_event){.kind = CONTROLLER_TOLD, .text = text});
    }
    return rc;
}

/* When a host cannot be reached, all others keep the line for it. */
static int send_to(struct controller *c, int host, struct str line, struct err *err)
{
    int rc = host < 0 ? ERR_UNREACHABLE : controller_send(c, host, line, err);
    for (int h = 0; rc < 0 && rc != ERR_CONFLICT && h < (int) c->config->hosts; h++) {
        if (h != host && controller_send(c, h, line, err) == ERR_CONFLICT) {
            rc = ERR_CONFLICT;
        }
    }
    return rc == ERR_CONFLICT ? rc : 0;
}

/* A line that another follows is brought to the disk by that one: nothing is done in between. */
static int append(struct controller *c, const struct journal_line *row, struct err *err)
{
    int rc = c->more ? journal_relax(c->options.journal, true, err) : 0;
    if (rc < 0) {
        return rc;
    }
    rc = journal_append(c->options.journal, c->header.id, row, err);
    int after = c->more ? journal_relax(c->options.journal, false, rc < 0 ? NULL : err) : 0;
    return rc < 0 ? rc : after;
}

int controller_write_line(struct controller *c, int host, struct str json, struct err *err)
{
    _cleanup_(buf_done) struct buf text, line;
    buf_init(&text, JOURNAL_LINE_MAX);
    buf_init(&line, JOURNAL_ENVELOPE_MAX);
    buf_add_str(&text, json);
    if (text.failed) {
        return err_set(err, ERR_FULL, "a line of the journal is longer than %d bytes",
                       JOURNAL_LINE_MAX);
    }
    struct journal_line row = {
        .seq = ++c->seq,
        .at_ms = clock_wall_ms(),
        .host =
            host < 0 ? (char *) (uintptr_t) "" : (char *) (uintptr_t) c->config->host[host].name,
        .text = text.ptr,
    };
    if (append(c, &row, err) < 0) {
        return err_wrap(err, "the journal");
    }
    maybe_die();
    journal_line_write(&line, &row);
    if (!c->locked) {
        buf_add_str(&c->unsent, buf_str(&line));
        return 0;
    }
    return send_to(c, host, buf_str(&line), err);
}

int controller_send_unsent(struct controller *c, struct err *err)
{
    struct str line, rest = buf_str(&c->unsent);
    while (rest.len > 0 && str_cut(&rest, '\n', &line)) {
        if (line.len == 0) {
            continue;
        }
        struct str whole = {line.ptr, line.len + 1};
        int rc = send_to(c, -1, whole, err);
        if (rc < 0) {
            return rc;
        }
    }
    buf_clear(&c->unsent);
    return 0;
}

int controller_write_note(struct controller *c, const struct release_note *note, const char *text,
                          uint64_t took_ms, struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, JOURNAL_LINE_MAX);
    controller_note_write(c->config, note, text, took_ms, &b);
    if (b.failed) { /* the text is of bytes that are long when they are escaped */
        buf_clear(&b);
        size_t len = text == NULL ? 0 : strlen(text);
        controller_note_write(c->config, note, len > CUT_BYTES ? text + len - CUT_BYTES : text,
                              took_ms, &b);
    }
    return controller_write_line(c, note->host, buf_str(&b), err);
}
