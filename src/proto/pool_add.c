/* Files into a pool, one or a set in any order: see pool.h. */
#include "proto/numbers_int.h"
#include "proto/pool_int.h"
#include "proto/wire_int.h"

#include "base/cleanup.h"
#include "base/mem.h"

/* What may differ between two copies of one file: comments, and names for JSON that go unsaid. */
static bool normalize_fields(struct proto_msg *msg, uint32_t number)
{
    for (size_t i = 0; i < proto_len_at(msg, number); i++) {
        struct proto_msg *field = proto_item_at(msg, number, i).msg;
        union proto_value name = {.bytes = {NULL, 0}};
        if (!proto_has_at(field, FIELD_JSON_NAME) &&
            (!proto_json_name(field->arena, proto_str(field, FIELD_NAME), &name.bytes) ||
             !proto_set(field, proto_field_of(field, FIELD_JSON_NAME), name))) {
            return false;
        }
    }
    return true;
}

static bool normalize_message(struct proto_msg *msg)
{
    bool fine = normalize_fields(msg, MESSAGE_FIELD) && normalize_fields(msg, MESSAGE_EXTENSION);
    for (size_t i = 0; fine && i < proto_len_at(msg, MESSAGE_NESTED); i++) {
        fine = normalize_message(proto_item_at(msg, MESSAGE_NESTED, i).msg);
    }
    return fine;
}

static struct proto_msg *normal_copy(const struct proto_msg *file, struct arena *arena)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, PROTO_POOL_BYTES_MAX);
    struct proto_msg *copy = proto_msg_new(arena, file->desc);
    if (copy == NULL || proto_wire_write(file, PROTO_WIRE_PARTIAL, &b, NULL) != 0 ||
        proto_wire_read(buf_str(&b), copy, PROTO_WIRE_PARTIAL | PROTO_WIRE_PLAIN, NULL) != 0) {
        return NULL;
    }
    proto_read_custom_options(file->desc->file->pool, proto_str(file, FILE_NAME), copy);
    proto_clear(copy, proto_field_of(copy, FILE_SOURCE_CODE_INFO));
    bool fine = normalize_fields(copy, FILE_EXTENSION);
    for (size_t i = 0; fine && i < proto_len_at(copy, FILE_MESSAGE); i++) {
        fine = normalize_message(proto_item_at(copy, FILE_MESSAGE, i).msg);
    }
    if (str_eq_cstr(proto_str(copy, FILE_SYNTAX), "proto2")) {
        proto_clear(copy, proto_field_of(copy, FILE_SYNTAX));
    }
    return fine ? copy : NULL;
}

static bool same_file(const struct proto_msg *a, const struct proto_msg *b)
{
    struct arena arena;
    if (proto_equal(a, b)) {
        return true;
    }
    arena_init(&arena, PROTO_POOL_BYTES_MAX);
    const struct proto_msg *left = normal_copy(a, &arena), *right = normal_copy(b, &arena);
    bool same = left != NULL && right != NULL && proto_equal(left, right);
    arena_done(&arena);
    return same;
}

int proto_pool_add(struct proto_pool *pool, const struct proto_msg *file, struct err *err)
{
    struct str name = proto_str(file, FILE_NAME);
    const struct proto_file_desc *old = map_get(&pool->file, name);
    if (name.len == 0) {
        return err_set(err, ERR_INVALID, "a file without a name is among the descriptors");
    }
    if (old == NULL) {
        return proto_link(pool, file, err);
    }
    /* Other versions of protobuf have other versions of its own files: the first one stays. */
    if (proto_pool_is_builtin(name) || same_file(old->source, file)) {
        return 0;
    }
    return err_set(err, ERR_CONFLICT,
                   STR_FMT ": is there twice, with different content; take one of the two",
                   STR_ARG(name));
}

/* A file that waits for its imports. */
struct waiting {
    const struct proto_msg *file;
    size_t next; /* import to look at */
    enum { NEW, OPEN, DONE } state;
};

struct batch {
    struct proto_pool *pool;
    struct err *err;
    struct waiting *file;
    size_t files;
    struct map by_name;
    VEC(struct waiting *) open; /* each imports the one behind it */
};

static struct str name_of(const struct waiting *file)
{
    return proto_str(file->file, FILE_NAME);
}

static int cycle(struct batch *batch, const struct waiting *again)
{
    const struct waiting *last = batch->open.ptr[batch->open.len - 1];
    return err_set(batch->err, ERR_INVALID,
                   STR_FMT ": imports \"" STR_FMT "\", which imports it in turn: a cycle of %zu "
                           "files",
                   STR_ARG(name_of(last)), STR_ARG(name_of(again)), batch->open.len);
}

/* The innermost open file: opens its next import, or links it when there is none. */
static int step(struct batch *batch)
{
    struct waiting *top = batch->open.ptr[batch->open.len - 1];
    if (top->next < proto_len_at(top->file, FILE_DEPENDENCY)) {
        struct str name = proto_item_at(top->file, FILE_DEPENDENCY, top->next++).bytes;
        struct waiting *import = map_get(&batch->by_name, name);
        if (import == NULL || import->state == DONE) {
            return 0; /* in the pool, built in, or missing, which the linker says */
        }
        if (import->state == OPEN) {
            return cycle(batch, import);
        }
        import->state = OPEN;
        vec_push(&batch->open, import); /* NOLINT(bugprone-sizeof-expression): of pointers */
        return 0;
    }
    top->state = DONE;
    batch->open.len--;
    return proto_pool_add(batch->pool, top->file, batch->err);
}

static int add_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->files; i++) {
        struct waiting *file = &batch->file[i];
        if (map_get(&batch->by_name, name_of(file)) == NULL) {
            (void) map_put(&batch->by_name, name_of(file), file);
        }
    }
    for (size_t i = 0; i < batch->files; i++) {
        struct waiting *file = &batch->file[i];
        if (file->state == DONE) {
            continue;
        }
        file->state = OPEN;
        vec_push(&batch->open, file); /* NOLINT(bugprone-sizeof-expression): of pointers */
        while (batch->open.len > 0) {
            int status = step(batch);
            if (status != 0) {
                return status;
            }
        }
    }
    return 0;
}

static int add_all(struct proto_pool *pool, struct waiting *take_file, size_t n, struct err *err)
{
    struct batch batch = {.pool = pool, .err = err, .file = take_file, .files = n};
    int status = add_batch(&batch);
    map_done(&batch.by_name);
    vec_done(&batch.open);
    mem_free(take_file);
    return status;
}

/* bytes: a message of that type; they are copied as a whole. */
static int read_copy(struct proto_pool *pool, struct str bytes,
                     const struct proto_message_desc *type, struct proto_msg **ret, struct err *err)
{
    const char *copy = arena_strdup(&pool->arena, bytes);
    struct proto_msg *msg = proto_msg_new(&pool->arena, type);
    if (copy == NULL || msg == NULL) {
        return err_set(err, ERR_FULL, "descriptors take more than %zu MiB",
                       PROTO_POOL_BYTES_MAX >> 20);
    }
    *ret = msg;
    return proto_wire_read((struct str){copy, bytes.len}, msg,
                           PROTO_WIRE_PARTIAL | PROTO_WIRE_BORROW | PROTO_WIRE_PLAIN, err);
}

int proto_pool_add_set(struct proto_pool *pool, struct str bytes, struct err *err)
{
    const struct proto_message_desc *type =
        proto_pool_message(pool, STR("google.protobuf.FileDescriptorSet"));
    struct proto_msg *set = NULL;
    int status = read_copy(pool, bytes, type, &set, err);
    if (status != 0) {
        return err == NULL ? status : err_wrap(err, "not a descriptor set (FileDescriptorSet)");
    }
    size_t n = proto_len_at(set, 1);
    struct waiting *file = mem_array(n + 1, sizeof *file);
    for (size_t i = 0; i < n; i++) {
        file[i].file = proto_item_at(set, 1, i).msg;
    }
    return add_all(pool, file, n, err);
}

int proto_pool_add_files(struct proto_pool *pool, const struct str *bytes, size_t n,
                         struct err *err)
{
    struct waiting *file = mem_array(n + 1, sizeof *file);
    for (size_t i = 0; i < n; i++) {
        struct proto_msg *msg = NULL;
        int status = read_copy(pool, bytes[i], pool->file_type, &msg, err);
        if (status != 0) {
            mem_free(file);
            return err == NULL ? status : err_wrap(err, "not a file's descriptor");
        }
        file[i].file = msg;
    }
    return add_all(pool, file, n, err);
}
