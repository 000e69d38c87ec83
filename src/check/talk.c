/* Dialogues: what all kinds share, and tcp; see talk.h. */
#include "check/talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/talk_int.h"

#define SHOWN_NEEDLE 48 /* bytes of a text of the plan in a message */

void talk_end(struct check_talk *talk, enum check_code code, const char *fmt, ...)
{
    static const char mark[] = "...";
    char *text = talk->verdict.text;
    va_list args;

    if (talk_ended(talk)) {
        return;
    }
    va_start(args, fmt);
    int n = vsnprintf(text, CHECK_TEXT_MAX, fmt, args);
    va_end(args);
    if (n >= CHECK_TEXT_MAX) {
        memcpy(text + CHECK_TEXT_MAX - sizeof(mark), mark, sizeof(mark));
    }
    talk->verdict.code = code;
}

const char *talk_show(struct str s, char *out, size_t size)
{
    static const char digit[] = "0123456789abcdef";
    size_t at = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.ptr[i];
        bool plain = c >= ' ' && c <= '~';
        size_t need = plain ? 1 : 4;
        /* Room for "..." is kept until the last byte is known to fit. */
        size_t keep = i + 1 < s.len ? 4 : 1;
        if (at + need + keep > size) {
            memcpy(out + at, "...", 3);
            at += 3;
            break;
        }
        if (plain) {
            out[at] = (char) c;
        } else {
            memcpy(out + at, "\\x", 2);
            out[at + 2] = digit[c >> 4];
            out[at + 3] = digit[c & 15];
        }
        at += need;
    }
    out[at] = '\0';
    return out;
}

bool talk_told(struct check_talk *talk, struct str name, struct str value)
{
    if (str_eq_nocase(name, STR("x-pourover-fail")) && str_eq_cstr(str_trim(value), "1")) {
        talk_end(talk, CHECK_TOLD, "the answer has X-Pourover-Fail: 1");
        return true;
    }
    if (str_eq_nocase(name, STR("x-envoy-immediate-health-check-fail"))) {
        talk_end(talk, CHECK_TOLD, "the answer has x-envoy-immediate-health-check-fail");
        return true;
    }
    return false;
}

bool talk_look(char *room, size_t *window, struct str *bytes, struct str needle)
{
    size_t n = CHECK_LOOK_MAX - *window < bytes->len ? CHECK_LOOK_MAX - *window : bytes->len;
    /* A needle that was not there may begin in what is there already. */
    size_t from = *window >= needle.len ? *window - needle.len + 1 : 0;

    if (n > 0) {
        memcpy(room + *window, bytes->ptr, n);
    }
    *window += n;
    bytes->ptr += n;
    bytes->len -= n;
    return memmem(room + from, *window - from, needle.ptr, needle.len) != NULL;
}

static void tcp_passes_when_all_is_sent(struct check_talk *talk)
{
    if (talk->plan->expect.ptr == NULL && talk->out_sent == talk->out_len) {
        talk_end(talk, CHECK_OK, talk->out_len > 0 ? "connected and sent" : "connected");
    }
}

static void tcp_start(struct check_talk *talk)
{
    struct str send = talk->plan->send;

    if (send.len > 0) {
        memcpy(talk->out, send.ptr, send.len);
        talk->out_len = send.len;
    }
    tcp_passes_when_all_is_sent(talk);
}

static void tcp_received(struct check_talk *talk, struct str bytes)
{
    struct tcp_talk *tcp = &talk->tcp;
    struct str expect = talk->plan->expect;
    char shown[SHOWN_NEEDLE];

    if (expect.ptr == NULL) {
        return; /* nobody asked, but a peer may greet */
    }
    if (talk_look(tcp->room, &tcp->window, &bytes, expect)) {
        talk_end(talk, CHECK_OK, "the peer said \"%s\"", talk_show(expect, shown, sizeof(shown)));
    } else if (tcp->window == CHECK_LOOK_MAX) {
        talk_end(talk, CHECK_BODY, "no \"%s\" in the peer's first %u bytes",
                 talk_show(expect, shown, sizeof(shown)), CHECK_LOOK_MAX);
    }
}

static void tcp_closed(struct check_talk *talk)
{
    char shown[SHOWN_NEEDLE];

    if (talk->plan->expect.ptr != NULL && talk->tcp.window > 0) {
        talk_end(talk, CHECK_BODY, "no \"%s\" in the peer's %zu bytes",
                 talk_show(talk->plan->expect, shown, sizeof(shown)), talk->tcp.window);
    } else {
        talk_end(talk, CHECK_CLOSED, "closed before an answer");
    }
}

struct check_talk *check_talk_new(const struct check_plan *plan)
{
    struct check_talk *talk = calloc(1, sizeof(*talk));

    if (talk == NULL) {
        return NULL;
    }
    talk->plan = plan;
    if (plan->kind == CHECK_KIND_HTTP) {
        http_talk_start(talk);
    } else if (plan->kind == CHECK_KIND_GRPC) {
        grpc_talk_start(talk);
    } else {
        tcp_start(talk);
    }
    return talk;
}

void check_talk_free(struct check_talk *take_talk)
{
    if (take_talk != NULL && take_talk->plan->kind == CHECK_KIND_GRPC) {
        grpc_talk_done(take_talk);
    }
    free(take_talk);
}

struct str check_talk_unsent(const struct check_talk *talk)
{
    return (struct str){talk->out + talk->out_sent, talk->out_len - talk->out_sent};
}

void check_talk_sent(struct check_talk *talk, size_t n)
{
    talk->out_sent += n;
    if (talk->plan->kind == CHECK_KIND_TCP) {
        tcp_passes_when_all_is_sent(talk);
    }
}

void check_talk_received(struct check_talk *talk, const void *bytes, size_t n)
{
    struct str view = {bytes, n};

    if (n == 0 || talk_ended(talk)) {
        return;
    }
    if (talk->plan->kind == CHECK_KIND_HTTP) {
        http_talk_received(talk, view);
    } else if (talk->plan->kind == CHECK_KIND_GRPC) {
        grpc_talk_received(talk, view);
    } else {
        tcp_received(talk, view);
    }
}

void check_talk_closed(struct check_talk *talk)
{
    if (talk_ended(talk)) {
        return;
    }
    if (talk->plan->kind == CHECK_KIND_HTTP) {
        http_talk_closed(talk);
    } else if (talk->plan->kind == CHECK_KIND_GRPC) {
        grpc_talk_closed(talk);
    } else {
        tcp_closed(talk);
    }
}

const struct check_verdict *check_talk_verdict(const struct check_talk *talk)
{
    return talk_ended(talk) ? &talk->verdict : NULL;
}
