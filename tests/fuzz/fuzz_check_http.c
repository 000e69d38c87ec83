/*
 * Answers to http checks. The first byte chooses what is asked for, the second how the rest is cut:
 * whatever the cut, the verdict is the same.
 */
#include "fuzz/talk.h"

#define SUCCESS          \
    {                    \
        1,               \
        {                \
            {            \
                200, 299 \
            }            \
        }                \
    }

static const struct check_plan PLANS[] = {
    {.kind = CHECK_KIND_HTTP, .host = {"h", 1}, .uri = {"/", 1}, .statuses = SUCCESS},
    {.kind = CHECK_KIND_HTTP, .host = {"h", 1}, .uri = {"/", 1}, .statuses = SUCCESS, .head = true},
    {.kind = CHECK_KIND_HTTP,
     .host = {"h", 1},
     .uri = {"/", 1},
     .statuses = SUCCESS,
     .body = {"aab", 3}},
    {.kind = CHECK_KIND_HTTP,
     .host = {"h", 1},
     .uri = {"/", 1},
     .statuses = SUCCESS,
     .header_name = {"x", 1},
     .header_text = {"y", 1}},
    {.kind = CHECK_KIND_TCP, .expect = {"aab", 3}},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2) {
        size_t which = data[0] % (sizeof(PLANS) / sizeof(PLANS[0]));
        fuzz_talk(&PLANS[which], data[1], data + 2, size - 2);
    }
    return 0;
}
