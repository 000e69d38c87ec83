/* grpc-message: see percent.h. */
#include "rpc/percent.h"

#include "rpc/text_int.h"

#include <stdint.h>

void rpc_percent_decode(struct str text, struct buf *out)
{
    size_t done = 0; /* up to here it is in out */
    for (size_t i = 0; i + 2 < text.len; i++) {
        if (text.ptr[i] != '%') {
            continue;
        }
        int high = str_hex_digit(text.ptr[i + 1]), low = str_hex_digit(text.ptr[i + 2]);
        if (high < 0 || low < 0) {
            continue;
        }
        buf_add(out, text.ptr + done, i - done);
        buf_add_char(out, (char) (uint8_t) (high * 16 + low));
        i += 2;
        done = i + 1;
    }
    buf_add(out, text.ptr + done, text.len - done);
}

void rpc_percent_encode(struct str text, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t) text.ptr[i];
        if (c >= ' ' && c <= '~' && c != '%') {
            buf_add_char(out, (char) c);
        } else {
            const char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
            buf_add(out, escape, sizeof escape);
        }
    }
}
