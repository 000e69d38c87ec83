#pragma once
/* Peers and their requests as text and as JSON.  now_ms: the router's clock. */
#include "base/buf.h"
#include "base/json.h"
#include "gateway/router.h"

/* "10.0.3.1:80 (app-new:80)" */
void peer_text_address(struct buf *b, const struct router_peer *p);
/* "1.5/4" during a slow start */
void peer_text_weight(struct buf *b, const struct router_peer *p);
/*
 * "draining by release 12 for 14.0s, requests end in 46.0s", later "requests ended"; drain: NULL
 * when there is none
 */
void peer_text_state(struct buf *b, enum router_state state, const struct router_drain *drain,
                     uint64_t now_ms);
/* "down: status 503 (7 in a row, 14.0s ago)" */
void peer_text_health(struct buf *b, const struct router_peer *p, uint64_t now_ms);
/* ", 14.0s ago"; nothing when it never was. */
void peer_text_ago(struct buf *b, uint64_t at_ms, uint64_t now_ms);
/* "GET /chat, a stream, 14.0s old, unit 8f3c01d2a4b5e697, client 203.0.113.9" */
void peer_text_request(struct buf *b, const struct router_request *q, uint64_t now_ms);

/* The value of a key; NULL: null. */
void peer_json_drain(struct json_writer *w, const struct router_drain *d);
/* The members of an object. */
void peer_json(struct json_writer *w, const struct router_peer *p);
/* A value. */
void peer_json_request(struct json_writer *w, const struct router_request *q);
