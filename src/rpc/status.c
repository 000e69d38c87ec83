/* gRPC's status codes and what they are made of: see status.h. */
#include "rpc/status.h"

#include "base/num.h"

#include <stddef.h>

const char *const rpc_code_names[RPC_CODES] = {
    [RPC_OK] = "OK",
    [RPC_CANCELLED] = "CANCELLED",
    [RPC_UNKNOWN] = "UNKNOWN",
    [RPC_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [RPC_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [RPC_NOT_FOUND] = "NOT_FOUND",
    [RPC_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [RPC_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [RPC_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [RPC_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [RPC_ABORTED] = "ABORTED",
    [RPC_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [RPC_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [RPC_INTERNAL] = "INTERNAL",
    [RPC_UNAVAILABLE] = "UNAVAILABLE",
    [RPC_DATA_LOSS] = "DATA_LOSS",
    [RPC_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

const char *rpc_code_name(uint32_t code)
{
    return code < RPC_CODES ? rpc_code_names[code] : NULL;
}

bool rpc_code_parse(struct str text, enum rpc_code *ret)
{
    uint64_t number;
    if (num_u64(text, 0, RPC_CODES - 1, &number) == 0) {
        *ret = (enum rpc_code) number;
        return true;
    }
    for (uint32_t i = 0; i < RPC_CODES; i++) {
        if (str_eq_nocase(text, str_of(rpc_code_names[i]))) {
            *ret = (enum rpc_code) i;
            return true;
        }
    }
    return false;
}

enum rpc_code rpc_code_of_http(unsigned status)
{
    switch (status) {
    case 400:
        return RPC_INTERNAL;
    case 401:
        return RPC_UNAUTHENTICATED;
    case 403:
        return RPC_PERMISSION_DENIED;
    case 404:
        return RPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return RPC_UNAVAILABLE;
    default:
        return RPC_UNKNOWN;
    }
}

/* RFC 9113 section 7, in the order of their numbers. */
static const struct {
    const char *name;
    enum rpc_code code;
} h2_errors[] = {
    {"NO_ERROR", RPC_INTERNAL},
    {"PROTOCOL_ERROR", RPC_INTERNAL},
    {"INTERNAL_ERROR", RPC_INTERNAL},
    {"FLOW_CONTROL_ERROR", RPC_INTERNAL},
    {"SETTINGS_TIMEOUT", RPC_INTERNAL},
    {"STREAM_CLOSED", RPC_UNKNOWN}, /* gRPC maps it to nothing, as no stream is open */
    {"FRAME_SIZE_ERROR", RPC_INTERNAL},
    {"REFUSED_STREAM", RPC_UNAVAILABLE},
    {"CANCEL", RPC_CANCELLED},
    {"COMPRESSION_ERROR", RPC_INTERNAL},
    {"CONNECT_ERROR", RPC_INTERNAL},
    {"ENHANCE_YOUR_CALM", RPC_RESOURCE_EXHAUSTED},
    {"INADEQUATE_SECURITY", RPC_PERMISSION_DENIED},
    {"HTTP_1_1_REQUIRED", RPC_UNKNOWN}, /* not in gRPC's table */
};
#define H2_ERRORS (sizeof h2_errors / sizeof h2_errors[0])

enum rpc_code rpc_code_of_h2(uint32_t h2_error)
{
    return h2_error < H2_ERRORS ? h2_errors[h2_error].code : RPC_UNKNOWN;
}

const char *rpc_h2_error_name(uint32_t h2_error)
{
    return h2_error < H2_ERRORS ? h2_errors[h2_error].name : NULL;
}
