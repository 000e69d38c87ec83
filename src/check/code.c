/* Names of codes; see code.h. */
#include "check/code.h"

#include <stddef.h>

static const char *const NAME[CHECK_CODES] = {
    [CHECK_NONE] = "none",
    [CHECK_OK] = "ok",
    [CHECK_CONNECT] = "connect",
    [CHECK_TIMEOUT] = "timeout",
    [CHECK_CLOSED] = "closed",
    [CHECK_TLS] = "tls",
    [CHECK_PROTOCOL] = "protocol",
    [CHECK_STATUS] = "status",
    [CHECK_HEADER] = "header",
    [CHECK_BODY] = "body",
    [CHECK_GRPC_STATUS] = "grpc-status",
    [CHECK_NOT_SERVING] = "not-serving",
    [CHECK_SERVICE_UNKNOWN] = "service-unknown",
    [CHECK_UNIMPLEMENTED] = "unimplemented",
    [CHECK_TOLD] = "told",
    [CHECK_PASSIVE] = "passive",
    [CHECK_INTERNAL] = "internal",
};

const char *check_code_name(enum check_code code)
{
    return (size_t) code < CHECK_CODES ? NAME[code] : NAME[CHECK_INTERNAL];
}
