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

static int header_check_layout(struct str line, struct err *err)
{
    static const struct str mark = {"{\"pourover_state\":", 18};
    struct str layout = {line.ptr, 0};
    uint64_t number;

    if (!str_starts_with(line, mark)) {
        return err_set(err, ERR_INVALID, "it does not begin as a state file of pourover does");
    }
    layout.ptr = line.ptr + mark.len;
    while (mark.len + layout.len < line.len && layout.ptr[layout.len] >= '0' &&
           layout.ptr[layout.len] <= '9') {
        layout.len++;
    }
    if (num_u64(layout, 0, UINT32_MAX, &number) != 0) {
        return err_set(err, ERR_INVALID, "its first line is wrong: no number of the layout");
    }
    if (number != STATE_LAYOUT) {
        return err_set(err, ERR_INVALID,
                       "it was written by another version of pourover: its layout is %" PRIu64
                       ", this one reads %u",
                       number, STATE_LAYOUT);
    }
    return 0;
}

static int header_read(struct str line, struct state_header *ret_header, struct err *err)
{
    enum { LAYOUT, INSTANCE, ALIVE, SERVICES, SUM, FIELDS };
    struct field field[FIELDS] = {
        [LAYOUT] = {.name = "pourover_state"},
        [INSTANCE] = {.name = "instance"},
        [ALIVE] = {.name = "alive_at_ms"},
        [SERVICES] = {.name = "services"},
        [SUM] = {.name = "sum"},
    };
    struct state_header header;

    if (header_check_layout(line, err) != 0) {
        return ERR_INVALID;
    }
    if (line_read(line, field, FIELDS, err) != 0 ||
        field_u64(&field[ALIVE], 0, INT64_MAX, &header.alive_at_ms, err) != 0 ||
        field_u64(&field[SERVICES], 0, STATE_TEXT_MAX, &header.services, err) != 0) {
        return err_wrap(err, "its first line is wrong");
    }
    if (field[INSTANCE].token != JSON_STRING ||
        num_hex64(field[INSTANCE].value, &header.instance) != 0) {
        return err_set(err, ERR_INVALID, "its first line is wrong: no instance of 16 hex digits");
    }
    *ret_header = header;
    return 0;
}

int state_read_header(struct str text, struct state_header *ret_header, struct err *err)
{
    if (text.len == 0) {
        return err_set(err, ERR_INVALID, "it is empty");
    }
    struct str line = {text.ptr, str_find_char(text, '\n')};
    if (line.len == text.len) {
        return err_set(err, ERR_INVALID, "it is cut off in its first line");
    }
    return header_read(line, ret_header, err);
}

/* The last line says how many services stand before it; they are counted. */
static int end_check(struct str text, uint64_t services, struct err *err)
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
    if (said != services || lines != services) {
        return err_set(err, ERR_INVALID,
                       "its first line tells of %" PRIu64 " services, its last of %" PRIu64
                       ", and %" PRIu64 " lines are there",
                       services, said, lines);
    }
    return 0;
}

int state_read(struct state_reader *reader, struct str text, struct state_header *ret_header,
               struct err *err)
{
    struct state_header header = {.services = 0};

    if (text.len > STATE_TEXT_MAX) {
        return err_set(err, ERR_INVALID, "it has %zu bytes, at most %u are right", text.len,
                       STATE_TEXT_MAX);
    }
    if (state_read_header(text, &header, err) != 0) {
        return ERR_INVALID;
    }
    size_t first = str_find_char(text, '\n') + 1;
    struct str rest = {text.ptr + first, text.len - first};
    if (end_check(rest, header.services, err) != 0) {
        return ERR_INVALID;
    }
    *reader = (struct state_reader){.rest = rest, .line = 1};
    *ret_header = header;
    return 0;
}

static int service_read(struct str line, struct state_service *ret_service, struct err *err)
{
    enum { NAME, SHARE, SALT, ENABLED, REVISION, SUM, FIELDS };
    struct field field[FIELDS] = {
        [NAME] = {.name = "name"},         [SHARE] = {.name = "share_ppm"},
        [SALT] = {.name = "salt"},         [ENABLED] = {.name = "enabled"},
        [REVISION] = {.name = "revision"}, [SUM] = {.name = "sum"},
    };
    struct state_service s = {.name_len = 0};
    char text[CUT_SALT_MAX + 1];
    struct str name, salt;
    uint64_t share_ppm;

    if (line_read(line, field, FIELDS, err) != 0 ||
        field_text(&field[NAME], s.name, sizeof(s.name), &name, err) != 0 ||
        field_u64(&field[SHARE], 0, CUT_BUCKETS, &share_ppm, err) != 0 ||
        field_text(&field[SALT], text, sizeof(text), &salt, err) != 0 ||
        field_bool(&field[ENABLED], &s.split.enabled, err) != 0 ||
        field_u64(&field[REVISION], 0, SPLIT_REVISION_MAX, &s.split.revision, err) != 0) {
        return ERR_INVALID;
    }
    if (name.len == 0 || !cut_salt_valid(salt)) {
        return err_set(err, ERR_INVALID, "the name is empty or the salt \"" STR_FMT "\" is none",
                       STR_ARG(salt));
    }
    s.name_len = name.len;
    s.split.share_ppm = (uint32_t) share_ppm;
    s.split.salt_len = (uint8_t) salt.len;
    memcpy(s.split.salt, salt.ptr, salt.len);
    *ret_service = s;
    return 0;
}

enum state_item state_next(struct state_reader *reader, struct state_service *ret_service,
                           struct str *ret_line, struct err *err)
{
    struct str line = {reader->rest.ptr, str_find_char(reader->rest, '\n')};

    if (line.len + 1 >= reader->rest.len) {
        return STATE_END; /* this is the end line, which was checked */
    }
    reader->rest.ptr += line.len + 1;
    reader->rest.len -= line.len + 1;
    reader->line++;
    if (service_read(line, ret_service, err) != 0) {
        (void) err_wrap(err, "line %u", reader->line);
        return STATE_BAD;
    }
    *ret_line = line;
    return STATE_SERVICE;
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
    json_kv_u64(&w, "services", header->services);
    line_end(&w, start);
}

void state_put_service(struct buf *buf, struct str name, const struct split *split)
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

void state_put_line(struct buf *buf, struct str line)
{
    buf_add_str(buf, line);
    buf_add_char(buf, '\n');
}

void state_put_end(struct buf *buf, uint64_t services)
{
    size_t start = buf->len;
    struct json_writer w;

    json_writer_init(&w, buf);
    json_obj_begin(&w);
    json_kv_u64(&w, "end", services);
    line_end(&w, start);
}
