/* Any bytes as grpc-message, and any message on the wire and back. */
#include "base/buf.h"
#include "base/mem.h"
#include "rpc/percent.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *) data, size};
    struct buf decoded, wire, back;
    buf_init(&decoded, size);
    buf_init(&wire, 3 * size);
    buf_init(&back, size);
    rpc_percent_decode(text, &decoded);
    rpc_percent_encode(text, &wire);
    rpc_percent_decode(buf_str(&wire), &back);
    if (decoded.failed || wire.failed || back.failed) {
        BUG("longer than said");
    }
    if (!str_eq(buf_str(&back), text)) {
        BUG("a message does not come back");
    }
    for (size_t i = 0; i < wire.len; i++) {
        if (wire.ptr[i] < ' ' || wire.ptr[i] > '~') {
            BUG("a byte that no header may hold");
        }
    }
    buf_done(&decoded);
    buf_done(&wire);
    buf_done(&back);
    return 0;
}
