/* Bodies of the API: any bytes give a request in range, or a message and a field. */
#include <stdlib.h>

#include "traffic/split_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct split_request request;
    struct str field;
    struct err err = {.code = 0};
    struct str text = {(const char *) data, size};

    if (split_body_read(text, &request, &field, &err) != 0) {
        if (err.msg[0] == '\0' || field.len > size + 16) {
            abort();
        }
        return 0;
    }
    bool salt_good =
        !request.has_salt || cut_salt_valid((struct str){request.salt, request.salt_len});
    if (request.share_ppm > CUT_BUCKETS || request.revision == 0 ||
        request.revision > SPLIT_REVISION_MAX || request.if_revision > SPLIT_REVISION_MAX ||
        !salt_good || (!request.has_share && !request.has_salt && !request.has_enabled)) {
        abort();
    }
    return 0;
}
