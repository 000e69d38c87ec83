/* What has to hold inside of each enum. */
#include "base/cleanup.h"
#include "proto/source_check_int.h"

/* The name of a value without the name of its enum in front: COLOR_RED of Color is RED. */
static struct str without_prefix(struct str name, struct str enum_name)
{
    size_t i = 0;
    size_t j = 0;
    while (j < enum_name.len && enum_name.ptr[j] == '_') {
        j++;
    }
    for (; i < name.len && j < enum_name.len; i++) {
        if (name.ptr[i] == '_') {
            continue;
        }
        if (source_lower(name.ptr[i]) != source_lower(enum_name.ptr[j])) {
            return name;
        }
        do {
            j++;
        } while (j < enum_name.len && enum_name.ptr[j] == '_');
    }
    while (i < name.len && name.ptr[i] == '_') {
        i++;
    }
    return j < enum_name.len || i == name.len ? name : (struct str){name.ptr + i, name.len - i};
}

/* RED_BLUE becomes RedBlue: what generated code makes of it. */
static char *pascal(struct arena *arena, struct str name, size_t *ret_len)
{
    char *out = arena_alloc(arena, name.len + 1);
    size_t len = 0;
    bool upper = true;
    for (size_t i = 0; out != NULL && i < name.len; i++) {
        char c = source_lower(name.ptr[i]);
        if (c != '_') {
            if (upper) {
                c = source_upper(c);
            }
            out[len++] = c;
        }
        upper = c == '_';
    }
    *ret_len = len;
    return out;
}

static int check_names(struct resolve *r, const struct proto_msg *enumeration)
{
    _cleanup_(map_done) struct map names;
    map_init(&names);
    struct str enum_name = proto_str(enumeration, ENUM_NAME);
    for (size_t i = 0; i < source_len(enumeration, ENUM_VALUE); i++) {
        struct proto_msg *value = source_item(enumeration, ENUM_VALUE, i);
        struct str name = proto_str(value, VALUE_NAME);
        size_t len = 0;
        char *plain = pascal(&r->scratch, without_prefix(name, enum_name), &len);
        TRY(plain == NULL ? source_resolve_full(r) : 0);
        struct str key = {plain, len};
        const struct proto_msg *other = map_get(&names, key);
        if (other == NULL) {
            (void) map_put(&names, key, value);
        } else if (source_i32(other, VALUE_NUMBER) != source_i32(value, VALUE_NUMBER)) {
            return lex_fail(&r->lex, name.ptr,
                            "the values \"" STR_FMT "\" and \"" STR_FMT
                            "\" are the same without the name of the enum",
                            STR_ARG(proto_str(other, VALUE_NAME)), STR_ARG(name));
        }
    }
    return 0;
}

int source_check_values(struct resolve *r, const struct proto_msg *enumeration)
{
    const struct proto_msg *options = source_child(enumeration, ENUM_OPTIONS);
    const struct proto_msg *first;
    const struct proto_msg *second;
    struct str name = proto_str(enumeration, ENUM_NAME);
    const struct proto_field_desc *alias =
        options == NULL ? NULL : proto_field_by_name(options->desc, STR("allow_alias"));
    bool given = alias != NULL && proto_has(options, alias);
    bool allowed = given && proto_get(options, alias).boolean;
    bool twice = source_check_twice(enumeration, ENUM_VALUE, VALUE_NUMBER, &first, &second);
    if (given && !allowed) {
        return lex_fail(&r->lex, name.ptr,
                        "allow_alias = false says nothing in enum \"" STR_FMT "\": leave it out",
                        STR_ARG(name));
    }
    if (allowed && !twice) {
        return lex_fail(&r->lex, name.ptr,
                        "allow_alias is set in enum \"" STR_FMT
                        "\", but no two values have the same number",
                        STR_ARG(name));
    }
    if (twice && !allowed) {
        struct str value = proto_str(second, VALUE_NAME);
        return lex_fail(&r->lex, value.ptr,
                        "\"" STR_FMT "\" and \"" STR_FMT
                        "\" have the same number %d: if that is meant, add option "
                        "allow_alias = true;",
                        STR_ARG(proto_str(first, VALUE_NAME)), STR_ARG(value),
                        (int) source_i32(second, VALUE_NUMBER));
    }
    if (!r->proto3) {
        return 0;
    }
    const struct proto_msg *zero = source_item(enumeration, ENUM_VALUE, 0);
    if (source_i32(zero, VALUE_NUMBER) != 0) {
        return lex_fail(&r->lex, proto_str(zero, VALUE_NAME).ptr,
                        "the first value of an enum of proto3 is 0, not %d",
                        (int) source_i32(zero, VALUE_NUMBER));
    }
    return check_names(r, enumeration);
}
