/* Words of messages: see text_int.h. */
#include "proto/text_int.h"

#include "base/json.h"

#include <string.h>

const char *proto_quoted(struct str s, char out[256])
{
    enum { SHOWN = 40 }; /* 6 bytes each at worst */
    struct buf b;
    size_t len = s.len < SHOWN ? s.len : SHOWN;
    while (len < s.len && len > 0 && ((unsigned char) s.ptr[len] & 0xc0) == 0x80) {
        len--; /* not within a character */
    }
    buf_init_fixed(&b, out, 256);
    json_quote(&b, (struct str){s.ptr, len});
    if (len < s.len) {
        buf_add_cstr(&b, "...");
    }
    return out;
}

void proto_names_add(struct proto_names *names, struct str name)
{
    if (names->len == PROTO_NAMES_MAX || name.len >= PROTO_NAME_SIZE || name.len == 0) {
        return;
    }
    char *copy = names->copy[names->len];
    memcpy(copy, name.ptr, name.len);
    copy[name.len] = '\0';
    names->name[names->len++] = copy;
}

void proto_names_suggest(const struct proto_names *names, struct str word, struct buf *b)
{
    enum { LISTED = 8 };
    const char *near = str_nearest(word, names->name, names->len);
    if (near != NULL) {
        buf_addf(b, ": did you mean \"%s\"?", near);
    } else if (names->len <= LISTED) {
        for (size_t i = 0; i < names->len; i++) {
            buf_addf(b, "%s%s", i == 0 ? ": it has " : ", ", names->name[i]);
        }
    }
}
