/*
 * Bodies of commands, and addresses: the first byte says of what. Any bytes give an order in range
 * that a zone takes, or a message and a field.
 */
#include <stdlib.h>
#include <string.h>

#include "traffic/control.h"
#include "traffic/peer_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Alignas(64) char memory[1 << 18];

static struct zone *zone_make(struct service **ret_service)
{
    static const uint8_t token[16];
    struct zone *zone = (struct zone *) (void *) memory;

    memset(memory, 0, sizeof(memory));
    if (zone_init(memory, sizeof(memory), 1, token, 1, NULL) != 0 ||
        zone_service_add_locked(zone, STR("shop"), SERVICE_BALANCER, ret_service, NULL) != 0) {
        abort();
    }
    return zone;
}

static void is_line(const char *text, size_t len, size_t max)
{
    if (len > max || !str_is_utf8((struct str){text, len})) {
        abort();
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char) text[i] < ' ' || text[i] == 0x7f) {
            abort();
        }
    }
}

/* A refusal has a message, and the field is one of the text or of ours. */
static void is_refused(int rc, struct str field, size_t size, const struct err *err)
{
    if (rc != ERR_INVALID || err->msg[0] == 0 || field.len > size + 16) {
        abort();
    }
}

static void run_peer(enum peer_verb verb, struct str text, struct service *service,
                     struct zone *zone)
{
    struct peer_command command = {
        .verb = verb, .text = STR("10.0.0.1:80"), .track = -1, .wall_ms = 1, .mono_ms = 1};
    struct str field = STR("");
    struct err err = {.code = 0};
    const char *at;
    unsigned slot;

    int rc = peer_body_read(text, verb, &command.body, &field, &err);
    if (rc != 0) {
        is_refused(rc, field, text.len, &err);
        return;
    }
    is_line(command.body.by, command.body.by_len, ZONE_BY_MAX);
    is_line(command.body.dc, command.body.dc_len, ZONE_DC_MAX);
    is_line(command.body.name, command.body.name_len, ZONE_ADDRESS_MAX);
    if (address_read(command.text, &command.address, &err) != 0) {
        abort();
    }
    for (int i = 0; i < 2; i++) {
        rc = peer_command_locked(zone, service, &command, &slot, &at, &err);
        if (rc == 0 && zone_peer(zone, service, slot)->weight > ZONE_WEIGHT_MAX) {
            abort();
        }
        command.verb = PEER_PATCH;
    }
}

static void run_maintenance(struct str text, struct service *service, struct zone *zone)
{
    struct maintenance_order order;
    struct str field = STR("");
    struct err err = {.code = 0};
    int rc = maintenance_body_read(text, &order, &field, &err);

    if (rc != 0) {
        is_refused(rc, field, text.len, &err);
        return;
    }
    is_line(order.by, order.by_len, ZONE_BY_MAX);
    is_line(order.message, order.message_len, ZONE_TEXT_MAX);
    maintenance_set_locked(zone, service, &order);
}

static void run_failing(struct str text, struct zone *zone)
{
    struct failing_order order;
    struct str field = STR("");
    struct err err = {.code = 0};
    int rc = failing_body_read(text, &order, &field, &err);

    if (rc != 0) {
        is_refused(rc, field, text.len, &err);
        return;
    }
    is_line(order.by, order.by_len, ZONE_BY_MAX);
    failing_set_locked(zone, &order);
}

static void run_watch(struct str text, struct service *service, struct zone *zone)
{
    struct watch_order order;
    struct str field = STR("");
    struct err err = {.code = 0};
    int rc = watch_body_read(text, &order, &field, &err);

    if (rc != 0) {
        is_refused(rc, field, text.len, &err);
        return;
    }
    for (unsigned i = 1; i < WATCH_SLOW_MAX; i++) {
        if (order.slow_us[i] != 0 && order.slow_us[i] <= order.slow_us[i - 1]) {
            abort();
        }
    }
    if (order.sample > WATCH_SAMPLE_MAX || (order.sample & (order.sample - 1)) != 0 ||
        order.kinds >= 1u << EVENT_KINDS) {
        abort();
    }
    watch_set_locked(zone, service, &order);
}

static void run_address(struct str text)
{
    struct address address;
    struct err err = {.code = 0};

    if (address_read(text, &address, &err) != 0) {
        is_refused(err.code, STR(""), 0, &err);
    } else if (address.len == 0 || address.len > ZONE_SOCKADDR_MAX) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct service *service = NULL;
    struct zone *zone = zone_make(&service);

    if (size == 0) {
        return 0;
    }
    struct str text = {(const char *) data + 1, size - 1};
    switch (data[0]) {
    case 'P':
        run_peer(PEER_PUT, text, service, zone);
        break;
    case 'C':
        run_peer(PEER_PATCH, text, service, zone);
        break;
    case 'M':
        run_maintenance(text, service, zone);
        break;
    case 'F':
        run_failing(text, zone);
        break;
    case 'W':
        run_watch(text, service, zone);
        break;
    default:
        run_address(text);
        break;
    }
    return 0;
}
