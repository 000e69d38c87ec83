/*
 * The first file of a pool.  The linker reads a file from a message of type FileDescriptorProto,
 * and where that type is declared is the file itself.  So rough descriptors, just enough for
 * messages to be made, come out of the rows (bootstrap_int.h); a message of them is linked as any
 * file is; and then that message is told that its types are the ones that were just linked, whose
 * fields are in the same order.
 */
#include "proto/bootstrap_int.h"
#include "proto/link_int.h"

#include <string.h>

#define FILE_OF_DESCRIPTORS "google/protobuf/descriptor.proto"
#define PACKAGE             "google.protobuf"

enum { ROUGH_MAX = 64, ROUGH_BYTES = 1 << 20 };

struct boot {
    struct arena *arena; /* the pool's */
    struct arena rough_arena;
    struct proto_message_desc *rough[ROUGH_MAX];
    size_t roughs;
    struct {
        struct proto_field_desc *field;
        const char *type_name;
    } typed[ROUGH_MAX]; /* fields whose type is a message */
    size_t typeds;
    size_t row; /* the next one */
};

static void *must(void *ptr)
{
    if (ptr == NULL) {
        BUG("no memory for " FILE_OF_DESCRIPTORS);
    }
    return ptr;
}

static struct str text_of(char *arena_text)
{
    return str_of(must(arena_text));
}

static void sort_numbers(struct boot *boot, struct proto_message_desc *desc)
{
    const struct proto_field_desc **sorted =
        must(arena_alloc(&boot->rough_arena, desc->fields * sizeof(void *)));
    for (size_t i = 0; i < desc->fields; i++) {
        size_t at = i;
        for (; at > 0 && sorted[at - 1]->number > desc->field[i].number; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = &desc->field[i];
    }
    desc->by_number = sorted;
}

static size_t count_fields(size_t row)
{
    size_t n = 0;
    while (proto_rows[row + n].kind == PROTO_ROW_FIELD) {
        n++;
    }
    return n;
}

/* From behind the MESSAGE row to behind its END. */
static void make_rough(struct boot *boot, struct str scope, const char *name)
{
    struct proto_message_desc *desc = must(arena_alloc(&boot->rough_arena, sizeof *desc));
    size_t fields = count_fields(boot->row);
    struct proto_field_desc *field = must(arena_alloc(&boot->rough_arena, fields * sizeof *field));
    if (boot->roughs == ROUGH_MAX) {
        BUG("more than %d messages in " FILE_OF_DESCRIPTORS, ROUGH_MAX);
    }
    boot->rough[boot->roughs++] = desc;
    desc->full_name =
        text_of(arena_printf(&boot->rough_arena, STR_FMT ".%s", STR_ARG(scope), name));
    desc->field = field;
    desc->fields = fields;
    for (size_t i = 0; i < fields; i++) {
        const struct proto_row *row = &proto_rows[boot->row++];
        field[i].full_name = desc->full_name;
        field[i].number = (uint32_t) row->number;
        field[i].type = (enum proto_type) row->type;
        field[i].repeated = row->label == LABEL_REPEATED;
        field[i].has_presence = row->label != LABEL_REPEATED;
        field[i].index = i;
        field[i].parent = desc;
        if (field[i].type == PROTO_MESSAGE) {
            if (boot->typeds == ROUGH_MAX) {
                BUG("more than %d fields of messages in " FILE_OF_DESCRIPTORS, ROUGH_MAX);
            }
            boot->typed[boot->typeds].field = &field[i];
            boot->typed[boot->typeds++].type_name = row->type_name;
        }
    }
    sort_numbers(boot, desc);
    for (; proto_rows[boot->row].kind != PROTO_ROW_END; boot->row++) {
        const struct proto_row *row = &proto_rows[boot->row];
        if (row->kind == PROTO_ROW_MESSAGE) {
            boot->row++;
            make_rough(boot, desc->full_name, row->name);
            boot->row--; /* stands behind the END of what was nested */
        } else if (row->kind == PROTO_ROW_ENUM) {
            while (proto_rows[boot->row].kind != PROTO_ROW_END) {
                boot->row++;
            }
        }
    }
    boot->row++;
}

static struct proto_message_desc *find_rough(const struct boot *boot, const char *name)
{
    for (size_t i = 0; i < boot->roughs; i++) {
        struct str full_name = boot->rough[i]->full_name;
        const size_t prefix = sizeof PACKAGE;
        if (str_eq_cstr((struct str){full_name.ptr + prefix, full_name.len - prefix}, name)) {
            return boot->rough[i];
        }
    }
    BUG("no message %s in " FILE_OF_DESCRIPTORS, name);
}

static void set(struct proto_msg *msg, uint32_t number, union proto_value value)
{
    const struct proto_field_desc *field = proto_field_of(msg, number);
    if (!(field->repeated ? proto_add(msg, field, value) : proto_set(msg, field, value))) {
        BUG("no memory for " FILE_OF_DESCRIPTORS);
    }
}

static void set_text(struct proto_msg *msg, uint32_t number, const char *text)
{
    set(msg, number, (union proto_value){.bytes = str_of(text)});
}

static void set_number(struct proto_msg *msg, uint32_t number, int32_t value)
{
    set(msg, number, (union proto_value){.i32 = value});
}

static struct proto_msg *add(struct proto_msg *msg, uint32_t number)
{
    return must(proto_add_message(msg, proto_field_of(msg, number)));
}

static void build_field(struct boot *boot, struct proto_msg *parent, const struct proto_row *row)
{
    struct proto_msg *field = add(parent, MESSAGE_FIELD);
    struct str json_name;
    set_text(field, FIELD_NAME, row->name);
    set_number(field, FIELD_NUMBER, row->number);
    set_number(field, FIELD_LABEL, row->label);
    set_number(field, FIELD_TYPE, row->type);
    if (row->type_name != NULL) {
        struct str name = text_of(arena_printf(boot->arena, "." PACKAGE ".%s", row->type_name));
        set(field, FIELD_TYPE_NAME, (union proto_value){.bytes = name});
    }
    if (row->fallback != NULL) {
        set_text(field, FIELD_DEFAULT, row->fallback);
    }
    if (row->option != 0) {
        struct proto_msg *options =
            must(proto_mutable(field, proto_field_of(field, FIELD_OPTIONS)));
        uint32_t number = row->option == PROTO_ROW_PACKED ? OPTION_PACKED : OPTION_OLD_FIELD;
        set(options, number, (union proto_value){.boolean = true});
    }
    if (!proto_json_name(boot->arena, str_of(row->name), &json_name)) {
        BUG("no memory for " FILE_OF_DESCRIPTORS);
    }
    set(field, FIELD_JSON_NAME, (union proto_value){.bytes = json_name});
}

static void build_enum(struct boot *boot, struct proto_msg *enumeration)
{
    for (; proto_rows[boot->row].kind == PROTO_ROW_VALUE; boot->row++) {
        struct proto_msg *value = add(enumeration, ENUM_VALUE);
        set_text(value, VALUE_NAME, proto_rows[boot->row].name);
        set_number(value, VALUE_NUMBER, proto_rows[boot->row].number);
    }
    boot->row++;
}

/* From behind the MESSAGE row to behind its END. */
static void build_message(struct boot *boot, struct proto_msg *msg)
{
    for (;;) {
        const struct proto_row *row = &proto_rows[boot->row++];
        struct proto_msg *made;
        switch (row->kind) {
        case PROTO_ROW_FIELD:
            build_field(boot, msg, row);
            break;
        case PROTO_ROW_MESSAGE:
            made = add(msg, MESSAGE_NESTED);
            set_text(made, MESSAGE_NAME, row->name);
            build_message(boot, made);
            break;
        case PROTO_ROW_ENUM:
            made = add(msg, MESSAGE_ENUM);
            set_text(made, ENUM_NAME, row->name);
            build_enum(boot, made);
            break;
        case PROTO_ROW_EXTENSIONS:
        case PROTO_ROW_RESERVED:
            made = add(msg, row->kind == PROTO_ROW_EXTENSIONS ? MESSAGE_EXTENSION_RANGE
                                                              : MESSAGE_RESERVED_RANGE);
            set_number(made, RANGE_START, row->number);
            set_number(made, RANGE_END, row->end);
            break;
        case PROTO_ROW_VALUE:
        case PROTO_ROW_END:
            return;
        }
    }
}

static struct proto_msg *build_file(struct boot *boot)
{
    struct proto_msg *file =
        must(proto_msg_new(boot->arena, find_rough(boot, "FileDescriptorProto")));
    set_text(file, FILE_NAME, FILE_OF_DESCRIPTORS);
    set_text(file, FILE_PACKAGE, PACKAGE);
    for (boot->row = 0; boot->row < proto_rows_len;) {
        struct proto_msg *msg = add(file, FILE_MESSAGE);
        set_text(msg, MESSAGE_NAME, proto_rows[boot->row++].name);
        build_message(boot, msg);
    }
    struct proto_msg *options = must(proto_mutable(file, proto_field_of(file, FILE_OPTIONS)));
    set_text(options, 1, "com.google.protobuf"); /* java_package */
    set_text(options, 8, "DescriptorProtos");    /* java_outer_classname */
    set_number(options, 9, 1);                   /* optimize_for SPEED */
    set_text(options, 11, "google.golang.org/protobuf/types/descriptorpb");
    set(options, 31, (union proto_value){.boolean = true}); /* cc_enable_arenas */
    set_text(options, 36, "GPB");                           /* objc_class_prefix */
    set_text(options, 37, "Google.Protobuf.Reflection");    /* csharp_namespace */
    return file;
}

/* Puts the linked descriptor in the place of the rough one, here and below. */
static void retype(const struct proto_pool *pool, struct proto_msg *msg)
{
    const struct proto_symbol *symbol = map_get(&pool->symbol, msg->desc->full_name);
    struct proto_iter it = {.msg = msg};
    while (proto_next(&it)) {
        if (it.field->type != PROTO_MESSAGE) {
            continue;
        }
        size_t n = it.field->repeated ? it.value.list->len : 1;
        for (size_t i = 0; i < n; i++) {
            retype(pool, it.field->repeated ? it.value.list->item[i].msg : it.value.msg);
        }
    }
    msg->desc = symbol->is.message;
}

void proto_bootstrap(struct proto_pool *pool)
{
    struct boot boot = {.arena = &pool->arena};
    struct err err;
    arena_init(&boot.rough_arena, ROUGH_BYTES);
    while (boot.row < proto_rows_len) {
        const char *name = proto_rows[boot.row++].name;
        make_rough(&boot, STR(PACKAGE), name);
    }
    for (size_t i = 0; i < boot.typeds; i++) {
        boot.typed[i].field->message = find_rough(&boot, boot.typed[i].type_name);
    }
    struct proto_msg *file = build_file(&boot);
    if (proto_link(pool, file, &err) != 0) {
        BUG("%s", err.msg);
    }
    retype(pool, file);
    arena_done(&boot.rough_arena);
    const struct proto_symbol *type = map_get(&pool->symbol, STR(PACKAGE ".FileDescriptorProto"));
    pool->file_type = type->is.message;
}
