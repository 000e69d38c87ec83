#pragma once
/* Feeds a health check's dialogue with an answer, in pieces of any size. */
#include "check/talk.h"

#include <stdlib.h>
#include <string.h>

struct t_answer {
    struct str bytes;
    bool closed; /* the peer ends the connection behind the bytes */
};

/* Everything that the dialogue wants to send counts as sent. */
static inline void t_talk_send_all(struct check_talk *talk)
{
    check_talk_sent(talk, check_talk_unsent(talk).len);
}

/*
 * The pieces: the first of `first` bytes, then of `step` bytes each. Each lies in memory of its
 * own, so that a read behind it is seen.
 */
static inline struct check_verdict t_talk(const struct check_plan *plan, struct t_answer answer,
                                          size_t first, size_t step)
{
    struct check_talk *talk = check_talk_new(plan);
    struct check_verdict verdict = {.code = CHECK_NONE};

    if (talk == NULL) {
        abort();
    }
    t_talk_send_all(talk);
    for (size_t at = 0, n = first; at < answer.bytes.len; at += n, n = step) {
        n = n < answer.bytes.len - at ? n : answer.bytes.len - at;
        char *piece = malloc(n > 0 ? n : 1);
        if (piece == NULL) {
            abort();
        }
        memcpy(piece, answer.bytes.ptr + at, n);
        check_talk_received(talk, piece, n);
        free(piece);
        t_talk_send_all(talk);
    }
    if (answer.closed) {
        check_talk_closed(talk);
    }
    if (check_talk_verdict(talk) != NULL) {
        verdict = *check_talk_verdict(talk);
    }
    check_talk_free(talk);
    return verdict;
}
