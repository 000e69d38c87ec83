/* Any bytes as base64: what is read must encode to a text that reads the same again. */
#include "base/base64.h"
#include "base/mem.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round(struct str bytes, bool padded)
{
    size_t max = base64_encoded_len(bytes.len, padded), len;
    char *text = mem_alloc(max + 1), *back = mem_alloc(bytes.len + 1);
    if (base64_encode(bytes, padded, text) != max ||
        base64_decode((struct str){text, max}, back, bytes.len, &len, NULL) < 0 ||
        len != bytes.len || (len > 0 && memcmp(back, bytes.ptr, len) != 0)) {
        BUG("bytes do not come back");
    }
    mem_free(text);
    mem_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *) data, size};
    struct err err = {.msg = ""};
    /* A block of exactly that size, so that the sanitizer sees a byte too many. */
    char *out = mem_alloc(base64_decoded_max(size) + 1);
    size_t len;
    if (base64_decode(text, out, base64_decoded_max(size), &len, &err) == 0) {
        check_round((struct str){out, len}, false);
    } else if (err.msg[0] == '\0' || !str_is_utf8(str_of(err.msg))) {
        BUG("refused without a word, or with a wrong one");
    }
    mem_free(out);
    check_round(text, true);
    return 0;
}
