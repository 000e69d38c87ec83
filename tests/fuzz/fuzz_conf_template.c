/* A text with variables from anybody: its parts lie in it one after the other, or are a copy. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "conf/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        abort();
    }
}

/* The variable as it was written, so that the expansion is the source again. */
static int rewrite(const struct conf_part *part, struct str *ret, struct err *err, void *ctx)
{
    static const char *const prefix[] = {"", "", "env.", "secret."};
    struct buf *b = ctx;
    (void) err;
    buf_clear(b);
    buf_addf(b, "${%s" STR_FMT "}", prefix[part->kind], STR_ARG(part->text));
    *ret = buf_str(b);
    return 0;
}

/* The source without the first `$` of each `$${`. */
static void unescape(struct str source, struct buf *b)
{
    for (size_t i = 0; i < source.len; i++) {
        struct str rest = {source.ptr + i, source.len - i};
        if (str_starts_with(rest, STR("$${"))) {
            buf_add_cstr(b, "${");
            i += 2;
        } else {
            buf_add_char(b, source.ptr[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str source = {(const char *) data, size};
    struct arena arena;
    struct conf_template tpl;
    struct err err = {.code = ERR_NONE};
    arena_init(&arena, 1 << 20);
    int rc = conf_template_parse(source, &arena, &tpl, &err);
    if (rc < 0) {
        require(err.code != ERR_NONE && err.msg[0] != '\0');
    } else {
        struct buf got, want, value;
        require(tpl.len > 0 && !(tpl.constant && tpl.whole));
        buf_init(&got, 1 << 21);
        buf_init(&want, 1 << 21);
        buf_init(&value, 1 << 21);
        require(conf_template_expand(&tpl, rewrite, &value, &got, &err) == 0);
        unescape(source, &want);
        require(str_eq(buf_str(&got), buf_str(&want)));
        buf_done(&got);
        buf_done(&want);
        buf_done(&value);
    }
    arena_done(&arena);
    return 0;
}
