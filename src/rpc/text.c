/* Foreign text: see text_int.h. */
#include "rpc/text_int.h"

#include <string.h>

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

bool rpc_is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}
