/* Header fields of an answer, in memory that is used again: see call_int.h. */
#include "base/base64.h"
#include "base/mem.h"
#include "rpc/call_int.h"
#include "rpc/metadata.h"

#include <string.h>

void rpc_fields_clear(struct rpc_fields *fields)
{
    fields->len = 0;
    fields->count = 0;
}

void rpc_fields_done(struct rpc_fields *fields)
{
    mem_free(fields->bytes);
    mem_free(fields->item);
    *fields = (struct rpc_fields){.bytes = NULL};
}

struct rpc_headers rpc_fields_view(const struct rpc_fields *fields)
{
    return (struct rpc_headers){fields->item, fields->count};
}

/* Room for size more bytes; views into the bytes move with them. */
static char *reserve(struct rpc_fields *fields, size_t size)
{
    if (fields->cap - fields->len >= size) {
        return fields->bytes + fields->len;
    }
    size_t cap = fields->cap > 0 ? fields->cap : 512;
    while (cap - fields->len < size) {
        cap *= 2;
    }
    char *bytes = mem_alloc(cap);
    if (fields->len > 0) {
        memcpy(bytes, fields->bytes, fields->len);
    }
    for (size_t i = 0; i < fields->count; i++) {
        struct rpc_header *item = &fields->item[i];
        item->name.ptr = bytes + (item->name.ptr - fields->bytes);
        item->value.ptr = bytes + (item->value.ptr - fields->bytes);
    }
    mem_free(fields->bytes);
    fields->bytes = bytes;
    fields->cap = cap;
    return bytes + fields->len;
}

static void add_item(struct rpc_fields *fields, size_t name_len, size_t value_len)
{
    if (fields->count == fields->room) {
        fields->room = fields->room > 0 ? fields->room * 2 : 16;
        fields->item = mem_realloc_array(fields->item, fields->room, sizeof *fields->item);
    }
    char *at = fields->bytes + fields->len;
    fields->item[fields->count++] = (struct rpc_header){{at, name_len}, {at + name_len, value_len}};
    fields->len += name_len + value_len;
}

static void add_raw(struct rpc_fields *fields, struct str name, struct str value)
{
    char *at = reserve(fields, name.len + value.len);
    memcpy(at, name.ptr, name.len);
    if (value.len > 0) {
        memcpy(at + name.len, value.ptr, value.len);
    }
    add_item(fields, name.len, value.len);
}

int rpc_fields_add(struct rpc_fields *fields, struct str name, struct str value, struct err *err)
{
    if (!rpc_metadata_is_bin(name)) {
        add_raw(fields, name, value);
        return 0;
    }
    struct str piece, rest = {value.len > 0 ? value.ptr : "", value.len};
    while (str_cut(&rest, ',', &piece)) {
        piece = str_trim(piece);
        size_t max = base64_decoded_max(piece.len), len = 0;
        char *at = reserve(fields, name.len + max);
        memcpy(at, name.ptr, name.len);
        int rc = base64_decode(piece, at + name.len, max, &len, err);
        if (rc < 0) {
            add_raw(fields, name, piece);
            return rc;
        }
        add_item(fields, name.len, len);
    }
    return 0;
}
