/*
 * State files: any bytes are refused with a reason, or give services in range that are written
 * again to the same line.  A sum that is wrong would stop the fuzzer at the door, so the input is
 * read a second time with the sums of its lines made right.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "traffic/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TAIL_LEN 26u /* of ,"sum":"0123456789abcdef"} */

static void check_service(const struct state_service *service, struct str line)
{
    char mem[STATE_LINE_MAX + 1];
    struct buf buf;

    if (service->split.share_ppm > CUT_BUCKETS || service->name_len == 0 ||
        service->name_len > ZONE_NAME_MAX ||
        !cut_salt_valid((struct str){service->split.salt, service->split.salt_len})) {
        abort();
    }
    buf_init_fixed(&buf, mem, sizeof(mem));
    state_put_line(&buf, line);
    if (buf.failed) {
        abort();
    }
    buf_clear(&buf);
    state_put_service(&buf, state_name(service), &service->split);
    if (buf.failed) {
        abort();
    }
}

static void read_all(struct str text)
{
    struct state_reader reader;
    struct state_header header;
    struct state_service service;
    struct str line;
    struct err err = {.code = 0};
    enum state_item item;
    uint64_t lines = 0;

    if (state_read(&reader, text, &header, &err) != 0) {
        if (err.msg[0] == '\0') {
            abort();
        }
        return;
    }
    while ((item = state_next(&reader, &service, &line, &err)) != STATE_END) {
        lines++;
        if (item == STATE_SERVICE) {
            check_service(&service, line);
        }
    }
    if (lines != header.services) {
        abort();
    }
    (void) state_check_age(&header, 1763766000000u, 604800000u, &err);
}

static void mend_sums(char *text, size_t size)
{
    static const uint8_t key[16];
    size_t start = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] != '\n') {
            continue;
        }
        if (i - start >= TAIL_LEN) {
            char tail[TAIL_LEN + 1];
            struct buf buf;
            buf_init_fixed(&buf, tail, sizeof(tail));
            uint64_t sum = siphash24(key, text + start, i - start - TAIL_LEN);
            buf_addf(&buf, ",\"sum\":\"%016" PRIx64 "\"}", sum);
            memcpy(text + i - TAIL_LEN, tail, TAIL_LEN);
        }
        start = i + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *mended = malloc(size + 1);

    read_all((struct str){(const char *) data, size});
    if (mended != NULL) {
        memcpy(mended, data, size);
        mend_sums(mended, size);
        read_all((struct str){mended, size});
    }
    free(mended);
    return 0;
}
