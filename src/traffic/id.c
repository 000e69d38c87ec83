/* Visitor ids as text; see id.h. */
#include "traffic/id.h"

#include <string.h>

#include "base/ct.h"
#include "base/num.h"
#include "base/sha256.h"

static const char HEX[] = "0123456789abcdef";

/* A canonical digit: lower case. One comparison a range. */
static bool is_hex(char c)
{
    return ((unsigned char) (c - '0') < 10) | ((unsigned char) (c - 'a') < 6);
}

static void hex_write(const uint8_t *byte, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = HEX[byte[i] >> 4];
        out[2 * i + 1] = HEX[byte[i] & 15];
    }
}

static void id_mac(const char id[ID_LEN], struct id_key key, char out[32])
{
    uint8_t mac[32];
    hmac_sha256(key.ptr, key.len, id, ID_LEN, mac);
    hex_write(mac, 16, out);
}

size_t id_write(uint64_t id, struct id_key key, char out[ID_SIGNED_LEN])
{
    num_hex64_digits(id, out);
    if (key.len == 0) {
        return ID_LEN;
    }
    out[ID_LEN] = '.';
    id_mac(out, key, out + ID_LEN + 1);
    return ID_SIGNED_LEN;
}

bool id_valid(struct str value, struct id_key key)
{
    char mac[32];

    if (value.len != (key.len > 0 ? ID_SIGNED_LEN : ID_LEN)) {
        return false;
    }
    unsigned char bad = 0; /* gathered, not left early: so the compiler looks at all at once */
    for (size_t i = 0; i < ID_LEN; i++) {
        bad |= !is_hex(value.ptr[i]);
    }
    if (bad != 0 || key.len == 0) {
        return bad == 0;
    }
    id_mac(value.ptr, key, mac);
    return value.ptr[ID_LEN] == '.' && ct_equal(value.ptr + ID_LEN + 1, mac, sizeof(mac));
}

bool cookie_next(struct str *rest, struct str name, struct str *ret_value)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->ptr, ';', rest->len);
        size_t len = end != NULL ? (size_t) (end - rest->ptr) : rest->len;
        struct str pair = str_trim((struct str){rest->ptr, len});
        size_t skip = end != NULL ? len + 1 : len;
        rest->ptr += skip;
        rest->len -= skip;
        if (pair.len > name.len && pair.ptr[name.len] == '=' &&
            memcmp(pair.ptr, name.ptr, name.len) == 0) {
            *ret_value = str_trim((struct str){pair.ptr + name.len + 1, pair.len - name.len - 1});
            return true;
        }
    }
    return false;
}
