/*
 * Any bytes as a FileDescriptorSet.  Whatever of it was linked is then used: all names are looked
 * up, and the same bytes are read as each of its messages.
 */
#include "base/arena.h"
#include "base/mem.h"
#include "proto/pool.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_enum(const struct proto_enum_desc *desc)
{
    for (size_t i = 0; i < desc->values; i++) {
        if (proto_enum_by_name(desc, desc->value[i].name) != &desc->value[i] ||
            proto_enum_by_number(desc, desc->value[i].number) == NULL) {
            BUG("a value of an enum is not found");
        }
    }
}

static void use_fields(const struct proto_message_desc *desc)
{
    char type[128];
    for (size_t i = 0; i < desc->fields; i++) {
        const struct proto_field_desc *field = &desc->field[i];
        if (field->index != i || field->parent != desc ||
            proto_field_by_name(desc, field->name) != field ||
            proto_field_by_number(desc, field->number) != field ||
            proto_field_by_any_name(desc, field->json_name) == NULL ||
            (i > 0 && desc->by_number[i - 1]->number >= desc->by_number[i]->number)) {
            BUG("a field is not found");
        }
        if ((field->message != NULL) !=
                (field->type == PROTO_MESSAGE || field->type == PROTO_GROUP) ||
            (field->enumeration != NULL) != (field->type == PROTO_ENUM)) {
            BUG("a field without its type");
        }
        (void) proto_field_type_text(field, type, sizeof type);
    }
    for (size_t i = 0; i < desc->oneofs; i++) {
        if (proto_oneof_by_name(desc, desc->oneof[i].name) != &desc->oneof[i] ||
            desc->oneof[i].fields == 0) {
            BUG("a oneof is not found");
        }
    }
}

static void read_as(const struct proto_message_desc *desc, struct str bytes)
{
    struct arena arena;
    struct buf b;
    struct err err;
    arena_init(&arena, 1 << 20);
    buf_init(&b, 1 << 20);
    struct proto_msg *msg = proto_msg_new(&arena, desc);
    if (msg != NULL && proto_wire_read(bytes, msg, PROTO_WIRE_PARTIAL, &err) == 0 &&
        proto_wire_write(msg, PROTO_WIRE_PARTIAL, &b, &err) != 0 && err.code != ERR_FULL) {
        BUG("read, but not written: %s", err.msg);
    }
    if (msg != NULL && !proto_equal(msg, msg)) {
        BUG("a message differs from itself");
    }
    buf_done(&b);
    arena_done(&arena);
}

static void use_message(const struct proto_message_desc *desc, struct str bytes)
{
    if (proto_pool_message(desc->file->pool, desc->full_name) != desc) {
        BUG("a message is not found");
    }
    use_fields(desc);
    read_as(desc, bytes);
    for (size_t i = 0; i < desc->messages; i++) {
        use_message(desc->message[i], bytes);
    }
    for (size_t i = 0; i < desc->enumerations; i++) {
        use_enum(desc->enumeration[i]);
    }
}

static void use_file(const struct proto_file_desc *file, struct str bytes)
{
    for (size_t i = 0; i < file->messages; i++) {
        use_message(file->message[i], bytes);
    }
    for (size_t i = 0; i < file->enumerations; i++) {
        use_enum(file->enumeration[i]);
    }
    for (size_t i = 0; i < file->extensions; i++) {
        const struct proto_field_desc *field = file->extension[i];
        if (proto_pool_extension(file->pool, field->full_name) != field ||
            proto_pool_extension_by_number(file->pool, field->parent, field->number) == NULL) {
            BUG("an extension is not found");
        }
    }
    for (size_t i = 0; i < file->services; i++) {
        const struct proto_service_desc *service = file->service[i];
        for (size_t k = 0; k < service->methods; k++) {
            if (proto_method_by_name(service, service->method[k].name) != &service->method[k] ||
                service->method[k].input == NULL || service->method[k].output == NULL) {
                BUG("a method is not found");
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct str bytes = {(const char *) data, size};
    struct proto_pool *pool = proto_pool_new();
    int status = proto_pool_add_set(pool, bytes, &err);
    if (status != 0 && (status != (int) err.code || err.msg[0] == '\0')) {
        BUG("an error without its reason");
    }
    for (size_t i = 1; i < proto_pool_files(pool); i++) {
        use_file(proto_pool_file_at(pool, i), bytes);
    }
    proto_pool_free(pool);
    return 0;
}
