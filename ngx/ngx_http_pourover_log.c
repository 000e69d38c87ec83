
/*
 * What came of a request, counted once, when it ends, under the track that was
 * chosen at its start.
 */

#include "ngx_http_pourover.h"

#include "base/num.h"


ngx_uint_t
ngx_http_pourover_status(ngx_http_request_t *r,
    ngx_http_pourover_choice_t *choice)
{
    if (!choice->by_main) {
        /* a subrequest's: what its upstream answered */
        return choice->upstream && choice->upstream->state
               ? choice->upstream->state->status : 0;
    }

    return r->err_status ? r->err_status : r->headers_out.status;
}


/* "application/grpc", also "+proto"; gRPC-Web has its status in the body */

ngx_uint_t
ngx_http_pourover_is_grpc(ngx_http_request_t *r)
{
    size_t            len;
    ngx_table_elt_t  *type;

    type = r->headers_in.content_type;
    len = sizeof("application/grpc") - 1;

    return type && type->value.len >= len
           && ngx_strncasecmp(type->value.data, (u_char *) "application/grpc",
                              len)
              == 0
           && (type->value.len == len || type->value.data[len] != '-');
}


static ngx_table_elt_t *
ngx_http_pourover_find(ngx_list_t *headers, const char *name, size_t len)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;

    part = &headers->part;
    i = 0;

    return ngx_http_pourover_next_header(&part, &i, name, len);
}


/* from the trailers, or from the headers of an answer that has only those */

ngx_uint_t
ngx_http_pourover_grpc_status(ngx_http_upstream_t *u)
{
    uint64_t          status;
    ngx_table_elt_t  *h;

    if (u == NULL || u->headers_in.status_n == 0) {
        return ZONE_GRPC_MISSING;
    }

    h = u->headers_in.trailers.part.elts
        ? ngx_http_pourover_find(&u->headers_in.trailers, "grpc-status", 11)
        : NULL;

    if (h == NULL) {
        h = ngx_http_pourover_find(&u->headers_in.headers, "grpc-status", 11);
    }

    if (h == NULL) {
        return ZONE_GRPC_MISSING;
    }

    return num_u64(ngx_http_pourover_str(h->value), 0, ZONE_GRPC_OTHER - 1,
                   &status) == 0
           ? (ngx_uint_t) status : ZONE_GRPC_OTHER;
}


static void
ngx_http_pourover_count_times(ngx_http_pourover_choice_t *choice)
{
    enum track       track;
    struct service  *service;

    track = choice->decision.track;
    service = choice->service->service;

    if (choice->first_get_us == 0) {
        return;
    }

    if (choice->header_us) {
        hist_add(&service->header_time[track],
                 choice->header_us - choice->first_get_us);
    }

    if (choice->last_free_us) {
        hist_add(&service->upstream_time[track],
                 choice->last_free_us - choice->first_get_us);
    }
}


static enum counter
ngx_http_pourover_id_counter(ngx_http_pourover_ctx_t *ctx)
{
    switch (ctx->id_kind) {
    case NGX_HTTP_POUROVER_ID_VALID:
        return COUNTER_ID_VALID;
    case NGX_HTTP_POUROVER_ID_ISSUED:
        return COUNTER_ID_ISSUED;
    case NGX_HTTP_POUROVER_ID_REPLACED:
        return COUNTER_ID_REPLACED;
    case NGX_HTTP_POUROVER_ID_SOURCED:
        return COUNTER_ID_SOURCED;
    case NGX_HTTP_POUROVER_ID_NONE:
        break;
    }

    return COUNTER_ID_NONE;
}


static void
ngx_http_pourover_count_choice(ngx_http_request_t *r,
    ngx_http_pourover_ctx_t *ctx, ngx_http_pourover_choice_t *choice)
{
    ngx_uint_t        status;
    struct row       *row;
    struct counters  *counters;

    row = ngx_http_pourover_row(choice->service);
    if (row == NULL) {
        return;
    }

    counters = &row->track[choice->decision.track];

    if (choice->verify) {
        counter_add(&counters->count[COUNTER_VERIFY_REQUESTS], 1);
        return;
    }

    status = ngx_http_pourover_status(r, choice);

    counter_add(&counters->count[COUNTER_REQUESTS], 1);
    counter_add(&counters->status[zone_status_index((unsigned) status)], 1);
    counter_add(&counters->reason[choice->decision.reason], 1);
    counter_add(&counters->count[ngx_http_pourover_id_counter(ctx)], 1);

    if (choice->by_main) {
        counter_add(&counters->count[COUNTER_BYTES_SENT],
                    (uint64_t) r->connection->sent);
        counter_add(&counters->count[COUNTER_BYTES_RECEIVED],
                    (uint64_t) r->request_length);

        if (ngx_http_pourover_is_grpc(r)) {
            counter_add(&counters->grpc_status[
                            ngx_http_pourover_grpc_status(r->upstream)], 1);
        }
    }

    ngx_http_pourover_count_times(choice);
}


ngx_int_t
ngx_http_pourover_log_handler(ngx_http_request_t *r)
{
    ngx_http_pourover_ctx_t     *ctx;
    ngx_http_pourover_choice_t  *choice;

    ctx = ngx_http_pourover_get_ctx(r);
    if (ctx == NULL || r != r->main) {
        return NGX_OK;
    }

    for (choice = ctx->choices; choice; choice = choice->next) {
        if (choice->used || ctx->verify == NGX_HTTP_POUROVER_VERIFY_CUT) {
            ngx_http_pourover_count_choice(r, ctx, choice);
            ngx_http_pourover_event_end(r, choice);
        }
    }

    return NGX_OK;
}
