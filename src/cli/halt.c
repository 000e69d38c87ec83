/*
 * The message of a release that stopped.  What a step and its outcome mean stands in one table
 * (halt_rows.c); the frame around it is the same for all.
 */
#include "cli/halt_int.h"

#include "base/mem.h"

#include <string.h>

#define LABEL 9

/* Appends the text of a row: %H host, %D its data center in brackets, %V new and %F old version, %S
 * the share that the step is about. */
static void add_text(const struct halt *h, const char *text, struct buf *b)
{
    for (; *text != '\0'; text++) {
        if (*text != '%') {
            buf_add_char(b, *text);
            continue;
        }
        switch (*++text) {
        case 'H':
            buf_add_cstr(b, h->host != NULL ? h->host : "the host");
            break;
        case 'D':
            if (h->dc != NULL && h->dc[0] != '\0') {
                buf_addf(b, " (%s)", h->dc);
            }
            break;
        case 'V':
            buf_add_cstr(b, h->to);
            break;
        case 'F':
            buf_add_cstr(b, h->from);
            break;
        case 'S':
            view_share(b, h->step_ppm);
            break;
        default:
            BUG("a row of the table of halts has %%%c", *text);
        }
    }
}

static void label(struct buf *b, const char *name)
{
    buf_addf(b, "  %-*s", LABEL, name);
}

/* The lines of the text, each behind the margin; too much of it is cut, its end being the news. */
static void add_seen(struct buf *b, const char *text)
{
    struct str line, rest = str_trim(str_of(text));
    const char *name = "saw";
    if (rest.len > HALT_TEXT_MAX) {
        rest.ptr += rest.len - HALT_TEXT_MAX;
        rest.len = HALT_TEXT_MAX;
        size_t cut = str_find_char(rest, '\n');
        if (cut < rest.len) {
            rest.ptr += cut + 1;
            rest.len -= cut + 1;
        }
        label(b, name);
        buf_add_cstr(b, "...\n");
        name = "";
    }
    while (rest.len > 0 && str_cut(&rest, '\n', &line)) {
        label(b, name);
        for (size_t i = 0; i < line.len; i++) {
            char c = line.ptr[i];
            if ((unsigned char) c < ' ' || c == 0x7f) {
                c = '?';
            }
            buf_add_char(b, c);
        }
        buf_add_char(b, '\n');
        name = "";
    }
}

static const char *const anybody[HALT_STUCK + 1] = {
    [HALT_UNTOUCHED] = "%H was not touched",
    [HALT_PUT_BACK] = "%H was put back: it serves %F again",
    [HALT_SHUT] = "%H is out of the routers and stopped; its logs are kept",
    [HALT_STUCK] = "%H could not be brought out of the way: look at it first",
};

static void add_done(const struct halt *h, const struct halt_row *row, struct buf *b)
{
    label(b, "done");
    if (row->done != NULL) {
        add_text(h, row->done, b);
    } else if (h->host == NULL) {
        buf_add_cstr(b, "no host was touched because of it");
    } else if (h->done == HALT_UNTOUCHED && row->who == HALT_VISITORS_AT_HOST) {
        add_text(h, "%H was left as it is", b);
    } else {
        add_text(h, anybody[h->done], b);
    }
    if (h->done == HALT_STUCK && h->done_text != NULL && h->done_text[0] != '\0') {
        buf_add_cstr(b, " (");
        view_one_line(b, h->done_text);
        buf_add_char(b, ')');
    }
    buf_addf(b, "; %s is touched from here on\n",
             h->host == NULL || row->done != NULL ? "nothing else" : "no other host");
}

static void add_now(const struct halt *h, struct buf *b)
{
    size_t name = 0, version = 0;
    for (size_t i = 0; i < h->hosts; i++) {
        size_t n = strlen(h->at[i].name), v = strlen(h->at[i].version);
        name = n > name ? n : name;
        version = v > version ? v : version;
    }
    for (size_t i = 0; i < h->hosts; i++) {
        const struct halt_host *at = &h->at[i];
        label(b, i == 0 ? "now" : "");
        buf_addf(b, "%-*s  %-*s  %s\n", (int) name, at->name, (int) version,
                 at->version[0] != '\0' ? at->version : "-", at->state);
    }
    label(b, h->hosts == 0 ? "now" : "");
    buf_add_cstr(b, "share of the canary: ");
    view_share(b, h->share_ppm);
    buf_add_char(b, '\n');
}

static void add_visitors(const struct halt *h, const struct halt_row *row, struct buf *b)
{
    label(b, "visitors");
    if (row->who == HALT_VISITORS_OF_SHARE) {
        add_text(h, "%S of them were on %V and may have met it; the others did not notice", b);
    } else if (row->who == HALT_VISITORS_AT_HOST) {
        add_text(h,
                 "those that were sent to %H since it joined may have met it; the others did "
                 "not notice",
                 b);
    } else if (row->who == HALT_VISITORS_AT_RISK) {
        add_text(h,
                 "nobody is sent elsewhere than before; whether all routers do the same is not "
                 "known",
                 b);
    } else {
        buf_add_cstr(b, "did not notice");
    }
    if (h->share_ppm > 0 && row->who != HALT_VISITORS_OF_SHARE) {
        buf_add_cstr(b, "; ");
        view_share(b, h->share_ppm);
        add_text(h, " of them stay on %V", b);
    }
    buf_add_char(b, '\n');
}

/* A command and what it does, the second one below the first. */
static void way(const struct halt *h, struct buf *b, const char *name, const char *command,
                const char *says)
{
    char line[512];
    struct buf l;
    buf_init_fixed(&l, line, sizeof line);
    buf_addf(&l, "pourover %s%s", command, h->options != NULL ? h->options : "");
    label(b, name);
    buf_addf(b, "%-36s  ", line);
    add_text(h, says, b);
    buf_add_char(b, '\n');
}

static void add_resume(const struct halt *h, const struct halt_row *row, struct buf *b)
{
    if (row->ways == HALT_MIGRATION_UNKNOWN) {
        way(h, b, "ways on", "resume --migration done",
            "when it did end well: it is not run again");
        way(h, b, "", "resume --migration again", "when it did not, and may run once more");
    } else if (row->ways == HALT_BY_PEOPLE && h->is_train) {
        way(h, b, "ways on", "train end", row->mend);
    } else if (row->ways == HALT_BY_PEOPLE) {
        way(h, b, "ways on", "promote", row->mend);
        way(h, b, "", "resume", "to stay at this share once more as long");
    } else if (row->ways == HALT_LOST) {
        way(h, b, "ways on", "watch", "what the other does");
        way(h, b, "", "status", "who holds the lease");
    } else {
        way(h, b, "ways on", "resume", row->mend);
    }
}

/* Where there is more to read: what the copy wrote, or what all steps saw. */
static void add_more(const struct halt *h, struct buf *b)
{
    char command[160];
    bool has_copy =
        h->host != NULL && h->has_step && h->kind >= STEP_START && h->kind <= STEP_STOP_OLD;
    if (has_copy) {
        buf_print(command, sizeof command, "logs %llu %s", (unsigned long long) h->number, h->host);
        way(h, b, "more", command, "what it wrote");
    } else {
        buf_print(command, sizeof command, "show %llu", (unsigned long long) h->number);
        way(h, b, "more", command, "all steps, with what they saw");
    }
}

static void add_ways(const struct halt *h, const struct halt_row *row, struct buf *b)
{
    add_resume(h, row, b);
    if (row->ways != HALT_LOST && h->direction == RELEASE_BACK) {
        label(b, "");
        buf_add_cstr(b, "(this is the way back already; resume goes on with it)\n");
    } else if (row->ways != HALT_LOST && h->barrier) {
        way(h, b, "", "rollback --force",
            "to %F, although the migration says that %F may not work any more");
    } else if (row->ways != HALT_LOST) {
        way(h, b, "", "rollback",
            h->any_left || h->share_ppm > 0 ? "to %F, only where something changed"
                                            : "ends it: %F serves everywhere, no host is touched");
    }
    add_more(h, b);
}

void halt_message(const struct halt *h, struct buf *b)
{
    const struct halt_row *row = halt_row_of(h);
    buf_addf(b, "%s: ", h->state);
    add_text(h, row->what, b);
    buf_add_char(b, '\n');
    if (h->has_step) {
        label(b, "step");
        buf_addf(b, "%s%s%s", h->host != NULL ? h->host : "", h->host != NULL ? " " : "",
                 release_step_name[h->kind]);
        if (h->words[0] != '\0') {
            buf_addf(b, ": %s", h->words);
        }
        if (h->outcome != RELEASE_OK && !h->hold) {
            buf_addf(b, " (%s)", release_outcome_name[h->outcome]);
        }
        buf_add_char(b, '\n');
    }
    add_seen(b, h->text != NULL ? h->text : "");
    if (h->has_step && !h->hold && row->ways != HALT_BY_PEOPLE) {
        add_done(h, row, b);
    }
    add_now(h, b);
    add_visitors(h, row, b);
    add_ways(h, row, b);
}
