/* Any bytes as a target: what is read must be written so that it reads the same again. */
#include "base/mem.h"
#include "rpc/target.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_target target, back;
    struct err err = {.msg = ""};
    char text[400];
    if (rpc_target_parse((struct str){(const char *) data, size}, &target, &err) < 0) {
        if (err.code != ERR_INVALID || err.msg[0] == '\0' || !str_is_utf8(str_of(err.msg)) ||
            strchr(err.msg, '\n') != NULL) {
            BUG("refused with a wrong message: %s", err.msg);
        }
        return 0;
    }
    rpc_target_text(&target, text, sizeof text);
    if (rpc_target_parse(str_of(text), &back, &err) < 0) {
        BUG("%s", err.msg);
    }
    if (target.tls != back.tls || target.port != back.port || strcmp(target.host, back.host) != 0 ||
        strcmp(target.path, back.path) != 0) {
        BUG("\"%s\" is another target", text);
    }
    return 0;
}
