/* The text of the state file; see state.h. */
#include "traffic/state.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "base/siphash.h"
#include "traffic/fields_int.h"
#include "traffic/split_change.h"

#define SUM_KEY ",\"sum\":\""
#define SUM_END "\"}"
#define SUM_LEN (sizeof(SUM_KEY) - 1 + 16 + sizeof(SUM_END) - 1)
#define DAY_MS  86400000u

static uint64_t sum_of(const char *ptr, size_t len)
{
    static const uint8_t key[16];
    return siphash24(key, ptr, len);
}

/* Does the line end in the sum of what stands before it? */
static bool sum_right(struct str line)
{
    uint64_t sum;

    if (line.len < SUM_LEN || line.len >= STATE_LINE_MAX) {
        return false;
    }
    const char *tail = line.ptr + line.len - SUM_LEN;
    struct str digits = {tail + sizeof(SUM_KEY) - 1, 16};
    return memcmp(tail, SUM_KEY, sizeof(SUM_KEY) - 1) == 0 &&
           memcmp(digits.ptr + digits.len, SUM_END, sizeof(SUM_END) - 1) == 0 &&
           num_hex64(digits, &sum) == 0 && sum == sum_of(line.ptr, line.len - SUM_LEN);
}

/* The fields of a line whose sum is right. */
static int line_read(struct str line, struct field *field, size_t n, struct err *err)
{
    struct str at;
    if (!sum_right(line)) {
        return err_set(err, ERR_INVALID, "its sum is wrong: it is not as it was written");
    }
    return fields_read(line, field, n, &at, err);
}

static int header_read_layout(struct str line, uint64_t *ret_layout, struct err *err)
{
    static const struct str mark = {"{\"pourover_state\":", 18};
    struct str layout = {line.ptr, 0};

    if (!str_starts_with(line, mark)) {
        return err_set(err, ERR_INVALID, "it does not begin as a state file of pourover does");
    }
    layout.ptr = line.ptr + mark.len;
    while (mark.len + layout.len < line.len && layout.ptr[layout.len] >= '0' &&
           layout.ptr[layout.len] <= '9') {
        layout.len++;
    }
    if (num_u64(layout, 0, UINT32_MAX, ret_layout) != 0) {
        return err_set(err, ERR_INVALID, "its first line is wrong: no number of the layout");
    }
    if (*ret_layout < 1 || *ret_layout > STATE_LAYOUT) {
        return err_set(err, ERR_INVALID,
                       "it was written by another version of pourover: its layout is %" PRIu64
                       ", this one reads 1 to %u",
                       *ret_layout, STATE_LAYOUT);
    }
    return 0;
}

static int header_read(struct str line, struct state_header *ret_header, uint64_t *ret_layout,
                       struct err *err)
{
    enum { LAYOUT, INSTANCE, ALIVE, LINES, SUM, FIELDS };
    struct field field[FIELDS] = {
        [LAYOUT] = {.name = "pourover_state"},
        [INSTANCE] = {.name = "instance"},
        [ALIVE] = {.name = "alive_at_ms"},
        [LINES] = {.name = "lines"},
        [SUM] = {.name = "sum"},
    };
    struct state_header header;

    if (header_read_layout(line, ret_layout, err) != 0) {
        return ERR_INVALID;
    }
    if (*ret_layout == 1) {
        field[LINES].name = "services";
    }
    if (line_read(line, field, FIELDS, err) != 0 ||
        field_u64(&field[ALIVE], 0, INT64_MAX, &header.alive_at_ms, err) != 0 ||
        field_u64(&field[LINES], 0, STATE_TEXT_MAX, &header.lines, err) != 0) {
        return err_wrap(err, "its first line is wrong");
    }
    if (field[INSTANCE].token != JSON_STRING ||
        num_hex64(field[INSTANCE].value, &header.instance) != 0) {
        return err_set(err, ERR_INVALID, "its first line is wrong: no instance of 16 hex digits");
    }
    *ret_header = header;
    return 0;
}

static int first_line(struct str text, struct state_header *ret_header, uint64_t *ret_layout,
                      struct err *err)
{
    if (text.len == 0) {
        return err_set(err, ERR_INVALID, "it is empty");
    }
    struct str line = {text.ptr, str_find_char(text, '\n')};
    if (line.len == text.len) {
        return err_set(err, ERR_INVALID, "it is cut off in its first line");
    }
    return header_read(line, ret_header, ret_layout, err);
}

int state_read_header(struct str text, struct state_header *ret_header, struct err *err)
{
    uint64_t layout = 0;
    return first_line(text, ret_header, &layout, err);
}

/* The last line says how many lines stand before it; they are counted. */
static int end_check(struct str text, uint64_t told, struct err *err)
{
    enum { COUNT, SUM, FIELDS };
    struct field field[FIELDS] = {[COUNT] = {.name = "end"}, [SUM] = {.name = "sum"}};
    size_t start = text.len > 0 ? text.len - 1 : 0;
    uint64_t said, lines = 0;

    while (start > 0 && text.ptr[start - 1] != '\n') {
        start--;
    }
    struct str last = {text.ptr + start, text.len > 0 ? text.len - 1 - start : 0};
    if (text.len == 0 || text.ptr[text.len - 1] != '\n' ||
        !str_starts_with(last, STR("{\"end\":")) || line_read(last, field, FIELDS, err) != 0 ||
        field_u64(&field[COUNT], 0, STATE_TEXT_MAX, &said, err) != 0) {
        return err_set(err, ERR_INVALID, "it is cut off: its last line is no whole end line");
    }
    for (size_t i = 0; i < start; i++) {
        lines += text.ptr[i] == '\n';
    }
    if (said != told || lines != told) {
        return err_set(err, ERR_INVALID,
                       "its first line tells of %" PRIu64 " lines, its last of %" PRIu64
                       ", and %" PRIu64 " are there",
                       told, said, lines);
    }
    return 0;
}

int state_read(struct state_reader *reader, struct str text, struct state_header *ret_header,
               struct err *err)
{
    struct state_header header = {.lines = 0};
    uint64_t layout = 0;

    if (text.len > STATE_TEXT_MAX) {
        return err_set(err, ERR_INVALID, "it has %zu bytes, at most %u are right", text.len,
                       STATE_TEXT_MAX);
    }
    if (first_line(text, &header, &layout, err) != 0) {
        return ERR_INVALID;
    }
    size_t first = str_find_char(text, '\n') + 1;
    struct str rest = {text.ptr + first, text.len - first};
    if (end_check(rest, header.lines, err) != 0) {
        return ERR_INVALID;
    }
    *reader = (struct state_reader){.rest = rest, .layout = (unsigned) layout, .line = 1};
    *ret_header = header;
    return 0;
}

/* The name of a service, as it is in any line. */
static int name_read(const struct field *field, struct state_line *line, struct err *err)
{
    struct str name;

    if (field_text(field, line->name, sizeof(line->name), &name, err) != 0) {
        return ERR_INVALID;
    }
    line->name_len = name.len;
    return name.len > 0 ? 0 : err_set(err, ERR_INVALID, "the name of the service is empty");
}

static int split_read(struct str text, struct state_line *line, struct err *err)
{
    enum { NAME, SHARE, SALT, ENABLED, REVISION, SUM, FIELDS };
    struct field field[FIELDS] = {
        [NAME] = {.name = "name"},         [SHARE] = {.name = "share_ppm"},
        [SALT] = {.name = "salt"},         [ENABLED] = {.name = "enabled"},
        [REVISION] = {.name = "revision"}, [SUM] = {.name = "sum"},
    };
    struct split *split = &line->is.split;
    char mem[CUT_SALT_MAX + 1];
    struct str salt;
    uint64_t share_ppm;

    if (line_read(text, field, FIELDS, err) != 0 || name_read(&field[NAME], line, err) != 0 ||
        field_u64(&field[SHARE], 0, CUT_BUCKETS, &share_ppm, err) != 0 ||
        field_text(&field[SALT], mem, sizeof(mem), &salt, err) != 0 ||
        field_bool(&field[ENABLED], &split->enabled, err) != 0 ||
        field_u64(&field[REVISION], 0, SPLIT_REVISION_MAX, &split->revision, err) != 0) {
        return ERR_INVALID;
    }
    if (!cut_salt_valid(salt)) {
        return err_set(err, ERR_INVALID, "the salt \"" STR_FMT "\" is none", STR_ARG(salt));
    }
    split->share_ppm = (uint32_t) share_ppm;
    split->salt_len = (uint8_t) salt.len;
    memcpy(split->salt, salt.ptr, salt.len);
    return 0;
}

static int control_read(struct str text, struct state_line *line, struct err *err)
{
    enum { NAME, REVISION, ON, BY, MESSAGE, SINCE, SUM, FIELDS };
    struct field field[FIELDS] = {
        [NAME] = {.name = "control"},    [REVISION] = {.name = "revision"},
        [ON] = {.name = "maintenance"},  [BY] = {.name = "by"},
        [MESSAGE] = {.name = "message"}, [SINCE] = {.name = "since_ms"},
        [SUM] = {.name = "sum"},
    };
    struct maintenance_order *m = &line->is.maintenance;

    return line_read(text, field, FIELDS, err) != 0 || name_read(&field[NAME], line, err) != 0 ||
                   field_u64(&field[REVISION], 1, INT64_MAX, &line->revision, err) != 0 ||
                   field_bool(&field[ON], &m->on, err) != 0 ||
                   field_line(&field[BY], m->by, sizeof(m->by), &m->by_len, err) != 0 ||
                   field_line(&field[MESSAGE], m->message, sizeof(m->message), &m->message_len,
                              err) != 0 ||
                   field_u64(&field[SINCE], 0, INT64_MAX, &m->since_ms, err) != 0
               ? ERR_INVALID
               : 0;
}

static int failing_read(struct str text, struct state_line *line, struct err *err)
{
    enum { ON, REVISION, BY, SINCE, SUM, FIELDS };
    struct field field[FIELDS] = {
        [ON] = {.name = "failing"},     [REVISION] = {.name = "revision"}, [BY] = {.name = "by"},
        [SINCE] = {.name = "since_ms"}, [SUM] = {.name = "sum"},
    };
    struct failing_order *failing = &line->is.failing;

    return line_read(text, field, FIELDS, err) != 0 ||
                   field_bool(&field[ON], &failing->on, err) != 0 ||
                   field_u64(&field[REVISION], 1, INT64_MAX, &line->revision, err) != 0 ||
                   field_line(&field[BY], failing->by, sizeof(failing->by), &failing->by_len,
                              err) != 0 ||
                   field_u64(&field[SINCE], 0, INT64_MAX, &failing->since_ms, err) != 0
               ? ERR_INVALID
               : 0;
}

/* A text of a few, by its place among them: "" first, if that may be. */
static int word_read(const struct field *field, const char *const *words, size_t n,
                     unsigned *ret_which, struct err *err)
{
    for (unsigned i = 0; i < n; i++) {
        if (field->token == JSON_STRING && str_eq_cstr(field->value, words[i])) {
            *ret_which = i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "%s is not one of what it can be", field->name);
}

static int drain_read(const struct field *by, const struct field *since,
                      const struct field *requests, const struct field *streams,
                      struct peer_drain *drain, struct err *err)
{
    char text[ZONE_BY_MAX + 1];
    size_t len;

    if (field_line(by, text, sizeof(text), &len, err) != 0 ||
        field_u64(since, 0, INT64_MAX, &drain->since_ms, err) != 0 ||
        field_u64(requests, 0, INT64_MAX, &drain->requests_until_ms, err) != 0 ||
        field_u64(streams, 0, INT64_MAX, &drain->streams_until_ms, err) != 0) {
        return ERR_INVALID;
    }
    memcpy(drain->by, text, len);
    drain->by_len = (uint32_t) len;
    return 0;
}

static const char *const tracks[] = {"", "stable", "canary"};
static const char *const states[] = {"ready", "draining", "down", "removed"};

/* What the words say, by their places in the lists above. */
static int peer_words(struct peer_diff *peer, unsigned config, unsigned track, unsigned state,
                      struct err *err)
{
    peer->in_config = config > 0;
    peer->track = (enum track) track;
    peer->base = peer->in_config ? (enum track)(config - 1) : peer->track;
    peer->state = (enum peer_state)(PEER_READY + state);
    return peer->in_config || peer->state != PEER_REMOVED
               ? 0
               : err_set(err, ERR_INVALID,
                         "a peer that nginx.conf does not have cannot be removed");
}

static int peer_read(struct str text, struct state_line *line, struct err *err)
{
    enum {
        PEER,
        SERVICE,
        CONFIG,
        TRACK,
        WEIGHT,
        DC,
        NAME,
        STATE,
        BY,
        SINCE,
        REQUESTS,
        STREAMS,
        SUM,
        FIELDS
    };
    struct field field[FIELDS] = {
        [PEER] = {.name = "peer"},
        [SERVICE] = {.name = "service"},
        [CONFIG] = {.name = "config"},
        [TRACK] = {.name = "track"},
        [WEIGHT] = {.name = "weight"},
        [DC] = {.name = "dc"},
        [NAME] = {.name = "name"},
        [STATE] = {.name = "state"},
        [BY] = {.name = "by"},
        [SINCE] = {.name = "since_ms"},
        [REQUESTS] = {.name = "requests_until_ms"},
        [STREAMS] = {.name = "streams_until_ms"},
        [SUM] = {.name = "sum"},
    };
    struct peer_diff *p = &line->is.peer;
    struct str address = {NULL, 0}, dc = {NULL, 0}, name = {NULL, 0};
    unsigned config = 0, track = 0, state = 0;
    uint64_t weight;

    if (line_read(text, field, FIELDS, err) != 0 || name_read(&field[SERVICE], line, err) != 0 ||
        field_text(&field[PEER], p->address, sizeof(p->address), &address, err) != 0 ||
        word_read(&field[CONFIG], tracks, 3, &config, err) != 0 ||
        word_read(&field[TRACK], tracks + 1, 2, &track, err) != 0 ||
        field_u64(&field[WEIGHT], 1, ZONE_WEIGHT_MAX, &weight, err) != 0 ||
        field_text(&field[DC], p->dc, sizeof(p->dc), &dc, err) != 0 ||
        field_text(&field[NAME], p->name, sizeof(p->name), &name, err) != 0 ||
        word_read(&field[STATE], states, 4, &state, err) != 0 ||
        drain_read(&field[BY], &field[SINCE], &field[REQUESTS], &field[STREAMS], &p->drain, err) !=
            0) {
        return ERR_INVALID;
    }
    p->address_len = address.len;
    p->dc_len = dc.len;
    p->name_len = name.len;
    p->weight = (uint32_t) weight;
    return peer_words(p, config, track, state, err);
}

static const struct kind {
    struct str mark;
    enum state_item item;
    int (*read)(struct str text, struct state_line *line, struct err *err);
} kinds[] = {
    {{"{\"name\":", 8}, STATE_SPLIT, split_read}, /* the only one of layout 1 */
    {{"{\"control\":", 11}, STATE_CONTROL, control_read},
    {{"{\"peer\":", 8}, STATE_PEER, peer_read},
    {{"{\"failing\":", 11}, STATE_FAILING, failing_read},
};

static enum state_item line_take(unsigned layout, struct state_line *line, struct err *err)
{
    size_t n = layout == 1 ? 1 : sizeof(kinds) / sizeof(kinds[0]);

    for (size_t i = 0; i < n; i++) {
        if (str_starts_with(line->text, kinds[i].mark)) {
            return kinds[i].read(line->text, line, err) == 0 ? kinds[i].item : STATE_BAD;
        }
    }
    (void) (sum_right(line->text)
                ? err_set(err, ERR_INVALID, "it is of no kind that is known")
                : err_set(err, ERR_INVALID, "its sum is wrong: it is not as it was written"));
    return STATE_BAD;
}

enum state_item state_next(struct state_reader *reader, struct state_line *ret_line,
                           struct err *err)
{
    struct state_line line = {.text = {reader->rest.ptr, str_find_char(reader->rest, '\n')}};

    if (line.text.len + 1 >= reader->rest.len) {
        return STATE_END; /* this is the end line, which was checked */
    }
    reader->rest.ptr += line.text.len + 1;
    reader->rest.len -= line.text.len + 1;
    reader->line++;
    enum state_item item = line_take(reader->layout, &line, err);
    if (item == STATE_BAD && err != NULL) {
        (void) err_wrap(err, "line %u", reader->line);
    } else if (item != STATE_BAD) {
        *ret_line = line;
    }
    return item;
}

int state_check_age(const struct state_header *header, uint64_t now_ms, uint64_t max_age_ms,
                    struct err *err)
{
    char alive[32];

    clock_format_utc_ms(header->alive_at_ms, alive);
    if (header->alive_at_ms > now_ms + DAY_MS) {
        return err_set(err, ERR_INVALID,
                       "it is from the future: %s, by this machine's clock in %" PRIu64 " hours",
                       alive, (header->alive_at_ms - now_ms) / 3600000);
    }
    if (now_ms > header->alive_at_ms && now_ms - header->alive_at_ms > max_age_ms) {
        return err_set(err, ERR_INVALID,
                       "it is too old: the router lived last at %s, %" PRIu64
                       " s ago, and state_max_age is %" PRIu64 " s",
                       alive, (now_ms - header->alive_at_ms) / 1000, max_age_ms / 1000);
    }
    return 0;
}

/* Ends a line that has begun at start: its sum, and the line feed. */
static void line_end(struct json_writer *w, size_t start)
{
    char sum[17];

    if (w->buf->failed) {
        return;
    }
    num_hex64_text(sum_of(w->buf->ptr + start, w->buf->len - start), sum);
    json_kv_cstr(w, "sum", sum);
    json_obj_end(w);
    buf_add_char(w->buf, '\n');
}

void state_put_header(struct buf *buf, const struct state_header *header)
{
    size_t start = buf->len;
    char instance[17];
    struct json_writer w;

    json_writer_init(&w, buf);
    json_obj_begin(&w);
    json_kv_u64(&w, "pourover_state", STATE_LAYOUT);
    num_hex64_text(header->instance, instance);
    json_kv_cstr(&w, "instance", instance);
    json_kv_u64(&w, "alive_at_ms", header->alive_at_ms);
    json_kv_u64(&w, "lines", header->lines);
    line_end(&w, start);
}

void state_put_split(struct buf *buf, struct str name, const struct split *split)
{
    size_t start = buf->len;
    struct json_writer w;

    json_writer_init(&w, buf);
    json_obj_begin(&w);
    json_kv_str(&w, "name", name);
    json_kv_u64(&w, "share_ppm", split->share_ppm);
    json_kv_str(&w, "salt", (struct str){split->salt, split->salt_len});
    json_kv_bool(&w, "enabled", split->enabled);
    json_kv_u64(&w, "revision", split->revision);
    line_end(&w, start);
}

void state_put_failing(struct buf *buf, uint64_t revision, const struct failing_order *failing)
{
    size_t start = buf->len;
    struct json_writer w;

    json_writer_init(&w, buf);
    json_obj_begin(&w);
    json_kv_bool(&w, "failing", failing->on);
    json_kv_u64(&w, "revision", revision);
    json_kv_str(&w, "by", (struct str){failing->by, failing->by_len});
    json_kv_u64(&w, "since_ms", failing->since_ms);
    line_end(&w, start);
}

static void put_maintenance(struct buf *buf, struct str name, uint64_t revision,
                            const struct maintenance_order *maintenance)
{
    size_t start = buf->len;
    struct json_writer w;

    json_writer_init(&w, buf);
    json_obj_begin(&w);
    json_kv_str(&w, "control", name);
    json_kv_u64(&w, "revision", revision);
    json_kv_bool(&w, "maintenance", maintenance->on);
    json_kv_str(&w, "by", (struct str){maintenance->by, maintenance->by_len});
    json_kv_str(&w, "message", (struct str){maintenance->message, maintenance->message_len});
    json_kv_u64(&w, "since_ms", maintenance->since_ms);
    line_end(&w, start);
}

static void put_peer(struct buf *buf, struct str service, const struct peer_diff *peer)
{
    size_t start = buf->len;
    struct json_writer w;

    json_writer_init(&w, buf);
    json_obj_begin(&w);
    json_kv_str(&w, "peer", (struct str){peer->address, peer->address_len});
    json_kv_str(&w, "service", service);
    json_kv_cstr(&w, "config", peer->in_config ? zone_track_name(peer->base) : "");
    json_kv_cstr(&w, "track", zone_track_name(peer->track));
    json_kv_u64(&w, "weight", peer->weight);
    /* nginx.conf says these of its own */
    json_kv_str(&w, "dc", (struct str){peer->dc, peer->in_config ? 0 : peer->dc_len});
    json_kv_str(&w, "name", (struct str){peer->name, peer->in_config ? 0 : peer->name_len});
    json_kv_cstr(&w, "state", zone_peer_state_name(peer->state));
    json_kv_str(&w, "by", (struct str){peer->drain.by, peer->drain.by_len});
    json_kv_u64(&w, "since_ms", peer->drain.since_ms);
    json_kv_u64(&w, "requests_until_ms", peer->drain.requests_until_ms);
    json_kv_u64(&w, "streams_until_ms", peer->drain.streams_until_ms);
    line_end(&w, start);
}

/* The differences of peers that nginx.conf has, or of those that were added. */
static uint64_t put_peers(struct buf *buf, const struct zone *zone, const struct service *service,
                          bool in_config)
{
    struct str name = {service->name, service->name_len};
    unsigned slots = atomic_load(&service->slots);
    struct peer_diff diff;
    uint64_t n = 0;

    for (unsigned slot = 0; slot < slots; slot++) {
        /* JSON has no other bytes than UTF-8 */
        if (peer_diff_get(zone, service, slot, &diff) && diff.in_config == in_config &&
            str_is_utf8((struct str){diff.address, diff.address_len})) {
            put_peer(buf, name, &diff);
            n++;
        }
    }
    return n;
}

uint64_t state_put_control_locked(struct buf *buf, const struct zone *zone,
                                  const struct service *service)
{
    struct str name = {service->name, service->name_len};
    struct maintenance_order maintenance = maintenance_get_locked(service);

    if (service->control_revision == 0) {
        return 0; /* nothing was ever asked of it */
    }
    put_maintenance(buf, name, service->control_revision, &maintenance);
    uint64_t config = put_peers(buf, zone, service, true);
    return 1 + config + put_peers(buf, zone, service, false);
}

void state_put_line(struct buf *buf, struct str line)
{
    buf_add_str(buf, line);
    buf_add_char(buf, '\n');
}

void state_put_end(struct buf *buf, uint64_t lines)
{
    size_t start = buf->len;
    struct json_writer w;

    json_writer_init(&w, buf);
    json_obj_begin(&w);
    json_kv_u64(&w, "end", lines);
    line_end(&w, start);
}

/* The next line, if it is of a peer of the service. */
static bool next_peer(struct state_reader *reader, struct str service, struct state_line *ret_line)
{
    struct state_reader next = *reader;

    if (state_next(&next, ret_line, NULL) != STATE_PEER || !str_eq(state_name(ret_line), service)) {
        return false;
    }
    *reader = next;
    return true;
}

/* What differs and is not named is made as nginx.conf says. */
static void undo_others(struct zone *zone, struct service *service, struct str name,
                        struct state_reader reader, uint64_t now_ms)
{
    bool named[ZONE_PEERS_MAX] = {false};
    unsigned slots = atomic_load(&service->slots);
    struct state_line peer;

    while (next_peer(&reader, name, &peer)) {
        int slot = peer_diff_find(zone, service, &peer.is.peer);
        if (slot >= 0) {
            named[slot] = true;
        }
    }
    for (unsigned slot = 0; slot < slots; slot++) {
        if (!named[slot] && zone_peer_differs(zone, service, slot)) {
            peer_diff_undo_locked(zone, service, slot, now_ms);
        }
    }
}

int state_take_control_locked(struct zone *zone, struct service *service,
                              const struct state_line *line, struct state_reader *reader,
                              uint64_t now_ms, struct err *err)
{
    bool higher = line->revision > service->control_revision;
    struct state_line peer;
    int rc = higher;
    unsigned slot;

    if (higher) {
        undo_others(zone, service, state_name(line), *reader, now_ms);
    }
    while (next_peer(reader, state_name(line), &peer)) {
        if (higher &&
            peer_diff_put_locked(zone, service, &peer.is.peer, now_ms, &slot, err) == ERR_FULL) {
            rc = ERR_FULL;
        }
    }
    if (higher) {
        peer_diff_settle_locked(zone, service);
        maintenance_set_locked(zone, service, &line->is.maintenance);
        service->control_revision = line->revision;
    }
    return rc;
}
