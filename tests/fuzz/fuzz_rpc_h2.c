/*
 * Any bytes as what a gRPC server says, to two calls on a socketpair.  The first byte says how: in
 * which pieces, whether a right SETTINGS frame comes first, and what the callbacks do.  Whatever
 * comes, each call ends exactly once, at the latest when the server hangs up, and says why.
 */
#include "support/rpc_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CALLS       2
#define HOW_PIECES  0x0f
#define HOW_GREETED 0x10
#define HOW_FREES   0x20 /* a call is freed in its first message */
#define HOW_CANCELS 0x40 /* a call is cancelled by its headers */
#define HOW_CLOSES  0x80 /* the connection is closed or freed in a message */
#define MESSAGE_MAX 10000u
#define TURNS_MAX   50

struct one {
    struct w_peer *peer;
    struct rpc_call *call; /* NULL: freed */
    uint8_t how;
    unsigned ends;
};

static void on_headers(struct rpc_call *call, struct rpc_headers headers, void *ctx)
{
    const struct one *one = ctx;
    for (size_t i = 0; i < headers.len; i++) {
        if (headers.item[i].name.len == 0) {
            BUG("a header without a name");
        }
    }
    if ((one->how & HOW_CANCELS) != 0) {
        rpc_call_cancel(call);
    }
}

static void on_message(struct rpc_call *call, const struct rpc_message *message, void *ctx)
{
    struct one *one = ctx;
    if (message->bytes.len > MESSAGE_MAX || message->wire_bytes > MESSAGE_MAX) {
        BUG("a message above the limit");
    }
    if ((one->how & HOW_FREES) != 0) {
        rpc_call_free(call);
        one->call = NULL;
    }
    if ((one->how & HOW_CLOSES) != 0 && (one->how & 1) != 0) {
        rpc_conn_free(one->peer->conn);
        one->peer->conn = NULL;
    } else if ((one->how & HOW_CLOSES) != 0) {
        rpc_conn_close(one->peer->conn);
    }
}

static void on_end(struct rpc_call *call, const struct rpc_result *result, void *ctx)
{
    struct one *one = ctx;
    one->ends++;
    if (one->call != call ||
        (result->code != RPC_OK && result->message.len == 0 && result->origin != RPC_FROM_SERVER)) {
        BUG("an end without a reason");
    }
    if (result->code == RPC_OK && (result->origin != RPC_FROM_SERVER || result->messages != 1)) {
        BUG("OK, but %llu messages of a unary call", (unsigned long long) result->messages);
    }
    if ((one->how & HOW_PIECES) > 7) {
        rpc_call_free(call);
        one->call = NULL;
    }
}

static void feed(struct w_peer *peer, uint8_t how, struct str bytes)
{
    size_t step = (how & HOW_PIECES) == 0 ? bytes.len : (size_t) (how & HOW_PIECES) * 3;
    while (bytes.len > 0) {
        size_t n = step < bytes.len ? step : bytes.len;
        w_say(peer, (struct str){bytes.ptr, n});
        w_hear(peer, NULL);
        bytes = (struct str){bytes.ptr + n, bytes.len - n};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rpc_call_events events = {on_headers, on_message, on_end};
    static const char settings[] = {0, 0, 0, W_SETTINGS, 0, 0, 0, 0, 0};
    const struct rpc_conn_options options = {.max_message_bytes = MESSAGE_MAX,
                                             .max_header_bytes = 4096};
    const struct rpc_call_request request = {.path = "/a.B/C", .unary_reply = true, .gzip = true};
    struct w_peer peer;
    struct one ones[CALLS];
    if (size == 0) {
        return 0;
    }
    uint8_t how = data[0];
    w_open(&peer, &options);
    for (size_t i = 0; i < CALLS; i++) {
        ones[i] = (struct one){.peer = &peer, .how = how};
        ones[i].call = rpc_call_start(peer.conn, &request, &events, &ones[i]);
        rpc_call_send(ones[i].call, STR("\x0a\x01x"), i == 1);
        if (i == 0) {
            rpc_call_close_send(ones[i].call);
        }
    }
    if ((how & HOW_GREETED) != 0) {
        w_say(&peer, (struct str){settings, sizeof settings});
        w_hear(&peer, NULL);
    }
    feed(&peer, how, (struct str){(const char *) data + 1, size - 1});
    w_hang_up(&peer);
    bool open = true;
    for (int turn = 0; turn < TURNS_MAX && open; turn++) {
        w_turn(&peer);
        open = false;
        for (size_t i = 0; i < CALLS; i++) {
            open = open || (ones[i].call != NULL && ones[i].ends == 0);
        }
    }
    for (size_t i = 0; i < CALLS; i++) {
        if (ones[i].ends > 1 || (ones[i].ends == 0 && ones[i].call != NULL)) {
            BUG("call %zu ended %u times", i, ones[i].ends);
        }
        rpc_call_free(ones[i].call);
    }
    w_done(&peer);
    return 0;
}
