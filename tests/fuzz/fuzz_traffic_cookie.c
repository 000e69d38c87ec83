/* A Cookie header from anybody: its first byte chooses signed ids or plain ones. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "traffic/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[] = "a key for the fuzzer";

    if (size == 0) {
        return 0;
    }
    struct id_key sign = {key, data[0] % 2 ? sizeof(key) - 1 : 0};
    struct str rest = {(const char *) data + 1, size - 1}, value;

    while (cookie_next(&rest, STR("pourover_id"), &value)) {
        const char *begin = (const char *) data + 1, *end = (const char *) data + size;
        if (value.len > 0 && (value.ptr < begin || value.ptr + value.len > end)) {
            abort();
        }
        if (id_valid(value, sign) && value.len < ID_LEN) {
            abort();
        }
    }
    if (rest.len > 0) {
        abort();
    }
    return 0;
}
