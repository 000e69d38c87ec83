/* Foreign text in messages: see shown_int.h. */
#include "rpc/shown_int.h"

struct str rpc_shown(struct str text, size_t max)
{
    size_t i = 0;
    while (i < text.len) {
        unsigned c = (unsigned char) text.ptr[i];
        size_t n = str_utf8_char((struct str){text.ptr + i, text.len - i});
        if (n == 0 || n > max - i || c < ' ' || c == 0x7f) {
            break;
        }
        i += n;
    }
    return (struct str){text.ptr, i};
}
