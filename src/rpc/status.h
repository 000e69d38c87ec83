#pragma once
/* gRPC's status codes. */
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_ALREADY_EXISTS = 6,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_ABORTED = 10,
    RPC_OUT_OF_RANGE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
    RPC_DATA_LOSS = 15,
    RPC_UNAUTHENTICATED = 16,
};
#define RPC_CODES 17

/* "INVALID_ARGUMENT"; "code 99" is not made here: NULL above 16. */
const char *rpc_code_name(uint32_t code);
/* By name (any case) or number 0..16; false otherwise. */
bool rpc_code_parse(struct str text, enum rpc_code *ret);
/* For "did you mean": the 17 names. */
extern const char *const rpc_code_names[RPC_CODES];

/* What an HTTP status without grpc-status stands for (gRPC's http-grpc-status-mapping). */
enum rpc_code rpc_code_of_http(unsigned status);
/* What RST_STREAM with this HTTP/2 error code stands for (PROTOCOL-HTTP2, "Errors"). */
enum rpc_code rpc_code_of_h2(uint32_t h2_error);
/* "REFUSED_STREAM"; NULL when unknown. */
const char *rpc_h2_error_name(uint32_t h2_error);
