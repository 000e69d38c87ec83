/*
 * Answers to grpc checks: HTTP/2 of any peer. The first byte says how the rest is cut: whatever the
 * cut, the verdict is the same.
 */
#include "fuzz/talk.h"

static const struct check_plan PLAN = {
    .kind = CHECK_KIND_GRPC, .host = {"h", 1}, .service = {"demo.Echo", 9}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 1) {
        fuzz_talk(&PLAN, data[0], data + 1, size - 1);
    }
    return 0;
}
