/*
 * State files: any bytes are refused with a reason, or give lines in range, which a zone can take.
 * A sum that is wrong would stop the fuzzer at the door, so the input is read a second time with
 * the sums of its lines made right.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "traffic/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TAIL_LEN 26u /* of ,"sum":"0123456789abcdef"} */

static void check_split(const struct state_line *line)
{
    char mem[STATE_LINE_MAX + 1];
    const struct split *split = &line->is.split;
    struct buf buf;

    if (split->share_ppm > CUT_BUCKETS ||
        !cut_salt_valid((struct str){split->salt, split->salt_len})) {
        abort();
    }
    buf_init_fixed(&buf, mem, sizeof(mem));
    state_put_split(&buf, state_name(line), split);
    if (buf.failed) {
        abort();
    }
}

static void check_peer(const struct peer_diff *peer)
{
    if (peer->address_len > ZONE_ADDRESS_MAX || peer->dc_len > ZONE_DC_MAX || peer->weight < 1 ||
        peer->weight > ZONE_WEIGHT_MAX || peer->state < PEER_READY || peer->state > PEER_REMOVED ||
        peer->drain.by_len > ZONE_BY_MAX) {
        abort();
    }
}

/* A zone that takes what it is told, by whatever order of lines: it has to stay in order. */
static _Alignas(64) char memory[1 << 18];

static struct zone *zone_make(void)
{
    static const uint8_t token[16];
    struct service *service;

    memset(memory, 0, sizeof(memory));
    if (zone_init(memory, sizeof(memory), 1, token, 1, NULL) != 0 ||
        zone_service_add_locked((struct zone *) (void *) memory, STR("shop"), SERVICE_BALANCER,
                                &service, NULL) != 0) {
        abort();
    }
    return (struct zone *) (void *) memory;
}

static void check_counts(const struct zone *zone)
{
    const struct service *service = zone_service_first(zone);
    uint32_t ready[TRACK_COUNT] = {0};

    for (unsigned slot = 0; slot < atomic_load(&service->slots); slot++) {
        uint32_t meta = zone_peer_meta(zone, service, slot);
        ready[META_TRACK(meta)] += META_STATE(meta) == PEER_READY;
    }
    for (enum track t = TRACK_STABLE; t < TRACK_COUNT; t++) {
        if (ready[t] != atomic_load(&service->ready[t][HEALTH_UNCHECKED])) {
            abort();
        }
    }
}

/* Returns how many lines it read: those of a control line go with it. */
static uint64_t take_control(struct zone *zone, const struct state_line *line,
                             struct state_reader *reader)
{
    struct service *service = zone_service_find(zone, state_name(line));
    unsigned before = reader->line;
    struct err err;

    if (service != NULL) {
        (void) state_take_control_locked(zone, service, line, reader, 0, &err);
        check_counts(zone);
    }
    return reader->line - before;
}

static void read_all(struct str text)
{
    struct zone *zone = zone_make();
    struct state_reader reader;
    struct state_header header;
    struct state_line line;
    struct err err = {.code = 0};
    enum state_item item;
    uint64_t lines = 0;

    if (state_read(&reader, text, &header, &err) != 0) {
        if (err.msg[0] == '\0') {
            abort();
        }
        return;
    }
    while ((item = state_next(&reader, &line, &err)) != STATE_END) {
        lines++;
        if (item != STATE_BAD &&
            (line.text.len >= STATE_LINE_MAX || (line.name_len == 0) != (item == STATE_FAILING))) {
            abort();
        }
        if (item == STATE_SPLIT) {
            check_split(&line);
        } else if (item == STATE_PEER) {
            check_peer(&line.is.peer);
        } else if (item == STATE_CONTROL) {
            lines += take_control(zone, &line, &reader);
        }
    }
    if (lines != header.lines) {
        abort();
    }
    (void) state_check_age(&header, 1763766000000u, 604800000u, &err);
}

static void mend_sums(char *text, size_t size)
{
    static const uint8_t key[16];
    size_t start = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] != '\n') {
            continue;
        }
        if (i - start >= TAIL_LEN) {
            char tail[TAIL_LEN + 1];
            struct buf buf;
            buf_init_fixed(&buf, tail, sizeof(tail));
            uint64_t sum = siphash24(key, text + start, i - start - TAIL_LEN);
            buf_addf(&buf, ",\"sum\":\"%016" PRIx64 "\"}", sum);
            memcpy(text + i - TAIL_LEN, tail, TAIL_LEN);
        }
        start = i + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *mended = malloc(size + 1);

    read_all((struct str){(const char *) data, size});
    if (mended != NULL) {
        memcpy(mended, data, size);
        mend_sums(mended, size);
        read_all((struct str){mended, size});
    }
    free(mended);
    return 0;
}
