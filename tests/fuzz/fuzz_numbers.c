/* Any bytes through each reader of numbers; what is accepted must write and read the same again. */
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds, const char *what)
{
    if (!holds) {
        BUG("%s", what);
    }
}

static void try_integers(struct str s)
{
    char text[32];
    struct buf b;
    uint64_t u;
    int64_t i;
    buf_init_fixed(&b, text, sizeof text);
    if (num_u64(s, 0, UINT64_MAX, &u) == 0) {
        buf_add_u64(&b, u);
        check(str_eq(buf_str(&b), s), "u64 differs");
        check(num_is_decimal(s), "u64 is no decimal");
    }
    buf_clear(&b);
    if (num_i64(s, INT64_MIN, INT64_MAX, &i) == 0) {
        buf_add_i64(&b, i);
        check(str_eq(buf_str(&b), s), "i64 differs");
    }
    if (num_u64(s, 5, 10, &u) == 0) {
        check(u >= 5 && u <= 10, "out of range");
    }
    if (num_hex64(s, &u) == 0) {
        num_hex64_text(u, text);
        check(str_eq_cstr(s, text), "hex differs");
    }
}

static void try_double(struct str s)
{
    char text[64];
    struct buf b;
    struct json_writer w;
    double value, back;
    if (num_double(s, &value) < 0) {
        return;
    }
    check(num_is_decimal(s), "a double that is no decimal");
    buf_init_fixed(&b, text, sizeof text);
    json_writer_init(&w, &b);
    json_double(&w, value);
    check(num_double(buf_str(&b), &back) == 0 && back == value && signbit(back) == signbit(value),
          "double differs");
}

static void try_share(struct str s)
{
    char text[16];
    uint32_t ppm, back;
    struct err err = {.msg = ""};
    int rc = num_share_ppm(s, &ppm, &err);
    if (rc < 0) {
        check(err.code == (enum err_code) rc && err.msg[0] != '\0', "refused without a word");
        check(str_is_utf8(str_of(err.msg)), "a message that is not UTF-8");
        check(strchr(err.msg, '\n') == NULL, "a message of two lines");
        return;
    }
    check(ppm <= NUM_PPM_MAX, "above 100%");
    num_share_text(ppm, text);
    check(num_share_ppm(str_of(text), &back, NULL) == 0 && back == ppm, "share differs");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *) data, size};
    uint64_t value;
    try_integers(s);
    try_double(s);
    try_share(s);
    if (num_duration_ms(s, &value) == 0) {
        check(value == 0 || num_u64(s, 0, UINT64_MAX, &value) < 0, "a duration without a unit");
    }
    if (num_bytes(s, &value) == 0) {
        check(size > 0, "bytes of nothing");
    }
    return 0;
}
