/*
 * The dialogue of one health check, without socket, clock or NGINX: bytes to send come out, bytes
 * received go in, a verdict comes out as soon as it is sure. Whoever has the connection (plain or
 * TLS, blocking or not) drives it:
 *
 *     talk = check_talk_new(&plan);                once the connection is made
 *     while (check_talk_verdict(talk) == NULL)
 *         writable and check_talk_unsent(talk).len > 0:
 *                       n = write(those);  check_talk_sent(talk, n);
 *         readable:     n = read(bytes);   check_talk_received(talk, bytes, n);
 *         end of file:                     check_talk_closed(talk);
 *     check_talk_free(talk);
 *
 * Connecting, the handshake and the time limit are the caller's, and so are their codes. How the
 * bytes are cut on their way in changes nothing about the verdict. What a peer can make a dialogue
 * hold is bounded: 16 KiB here, and some 100 KiB in libnghttp2 for grpc.
 *
 * What is right
 *   http  an HTTP/1 answer whose status, header and body are as the plan has it. Interim (1xx)
 *         answers are skipped. The body is read only if it matters, and only until it is sure.
 *   grpc  the answer SERVING of grpc.health.v1.Health/Check (HTTP/2 with prior knowledge).
 *   tcp   what is expected, in the first 16 KiB that the peer says; without that, a connection
 *         over which everything could be sent.
 * An http or grpc answer with X-Pourover-Fail: 1 or x-envoy-immediate-health-check-fail is
 * CHECK_TOLD, whatever else it says.
 */
#pragma once

#include "check/code.h"
#include "check/plan.h"

#define CHECK_TEXT_MAX 100 /* with the NUL */

struct check_verdict {
    enum check_code code;      /* CHECK_OK: passed; CHECK_NONE: not known yet */
    char text[CHECK_TEXT_MAX]; /* "status 503"; printable ASCII, ends in "..." if it was cut */
};

struct check_talk;

/* plan: valid (check_plan_valid), outlives the dialogue. NULL: no memory. */
struct check_talk *check_talk_new(const struct check_plan *plan);
void check_talk_free(struct check_talk *take_talk);

/* Bytes that wait to be sent; valid until the next call. */
struct str check_talk_unsent(const struct check_talk *talk);
/* n of the unsent bytes are on their way. */
void check_talk_sent(struct check_talk *talk, size_t n);
/* Any number of bytes; those behind the verdict are ignored. */
void check_talk_received(struct check_talk *talk, const void *bytes, size_t n);
/* The peer ended the connection, cleanly or not. There is a verdict afterwards. */
void check_talk_closed(struct check_talk *talk);

/* NULL: not yet. */
const struct check_verdict *check_talk_verdict(const struct check_talk *talk);
