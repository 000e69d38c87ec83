/* The inside of dialogues, for the files of this room. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "check/talk.h"

/* The longest request (uri, host) or all frames of a grpc check, whose number is bounded. */
#define TALK_OUT_MAX     8192u

#define GRPC_FRAME_HEAD  9u /* of HTTP/2: RFC 9113, section 4.1 */
#define GRPC_PREFIX      5u /* flag and length in front of a message */
#define GRPC_MESSAGE_MAX 1024u

enum http_at {
    HTTP_HEAD,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_EXTENSION, /* skipped to the end of the line */
    HTTP_CHUNK_END,       /* the line feed behind a chunk */
    HTTP_BODY,            /* of a chunk, of a known length, or until the end */
};

struct http_talk {
    enum http_at at;
    size_t head_bytes; /* of all heads so far */
    unsigned status;   /* 0: the status line is not read yet */
    bool chunked, has_length, until_end;
    bool header_found; /* the header that the plan asks for, with its text */
    bool header_seen;  /* ... the header, whatever it says */
    uint64_t left;     /* of the body or the chunk */
    unsigned digits;   /* of the chunk's size */
    char shown[48];    /* the header's value, for the message */
    size_t window;     /* bytes in room: the present line of the head, or the body so far */
    char room[CHECK_LOOK_MAX];
};

struct grpc_talk {
    nghttp2_session *session;
    uint8_t head[GRPC_FRAME_HEAD]; /* of the frame that comes in */
    size_t head_len;
    size_t payload_left; /* of that frame */
    unsigned frames;     /* received */
    bool settings_seen;  /* the peer does speak HTTP/2 */
    bool grpc_type;      /* the content type is gRPC's */
    bool final;          /* the final answer's first header block was looked at */
    uint64_t http_status;
    bool has_grpc_status;
    uint64_t grpc_status;
    char shown_type[48], shown_message[64];
    size_t len; /* of message */
    uint8_t message[GRPC_PREFIX + GRPC_MESSAGE_MAX];
    char error[CHECK_TEXT_MAX]; /* what libnghttp2 found wrong last */
    size_t request_sent, request_len;
    uint8_t request[GRPC_PREFIX + 3 + CHECK_HOST_MAX];
};

struct tcp_talk {
    size_t window;
    char room[CHECK_LOOK_MAX];
};

struct check_talk {
    const struct check_plan *plan;
    struct check_verdict verdict;
    size_t out_len, out_sent;
    char out[TALK_OUT_MAX];
    union {
        struct http_talk http;
        struct grpc_talk grpc;
        struct tcp_talk tcp;
    };
};

void http_talk_start(struct check_talk *talk);
void http_talk_received(struct check_talk *talk, struct str bytes);
void http_talk_closed(struct check_talk *talk);

void grpc_talk_start(struct check_talk *talk);
void grpc_talk_received(struct check_talk *talk, struct str bytes);
void grpc_talk_closed(struct check_talk *talk);
void grpc_talk_done(struct check_talk *talk);

/* The verdict; a later one is ignored. */
void talk_end(struct check_talk *talk, enum check_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static inline bool talk_ended(const struct check_talk *talk)
{
    return talk->verdict.code != CHECK_NONE;
}

/* s for a message: printable ASCII, the rest as \xHH, cut to size with "..."; returns out. */
const char *talk_show(struct str s, char *out, size_t size);

/* Does this header say that the peer is to be taken down? Then there is a verdict. */
bool talk_told(struct check_talk *talk, struct str name, struct str value);

/*
 * Adds as many of the bytes as still fit into room; moves *bytes behind them. Is needle in the room
 * now? What was in the room before is not looked through again.
 */
bool talk_look(char *room, size_t *window, struct str *bytes, struct str needle);
