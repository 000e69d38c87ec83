/* The cut; see cut.h. */
#include "traffic/cut.h"

#include <string.h>

#include "base/sha256.h"
#include "base/siphash.h"

bool cut_salt_valid(struct str salt)
{
    if (salt.len == 0 || salt.len > CUT_SALT_MAX) {
        return false;
    }
    for (size_t i = 0; i < salt.len; i++) {
        char c = salt.ptr[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

struct cut_key cut_key_of(struct str salt)
{
    static const char prefix[] = "pourover/cut/";
    char text[sizeof(prefix) - 1 + CUT_SALT_MAX];
    uint8_t digest[32];
    struct cut_key key;

    size_t len = salt.len < CUT_SALT_MAX ? salt.len : CUT_SALT_MAX;
    memcpy(text, prefix, sizeof(prefix) - 1);
    memcpy(text + sizeof(prefix) - 1, salt.ptr, len);
    sha256(text, sizeof(prefix) - 1 + len, digest);
    memcpy(key.byte, digest, sizeof(key.byte));
    return key;
}

uint64_t cut_u(const struct cut_key *key, struct str id)
{
    return siphash24(key->byte, id.ptr, id.len);
}

uint32_t cut_bucket(uint64_t u)
{
    /* u * 1000000 >> 64 without a 128-bit type: both halves of u scaled, the carry kept */
    uint64_t low = (u & 0xffffffffu) * CUT_BUCKETS;
    uint64_t high = (u >> 32) * CUT_BUCKETS;
    return (uint32_t) ((high + (low >> 32)) >> 32);
}
