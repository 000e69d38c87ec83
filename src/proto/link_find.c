/* What a name of a type means in its scope; see link_int.h. */
#include "proto/link_int.h"

#include <string.h>

/* scope.name in mem; scope and name are at most LINK_NAME_MAX long. */
static const struct proto_symbol *find_in(const struct linker *l, struct str scope, struct str name)
{
    char mem[2 * LINK_NAME_MAX + 2];
    if (scope.len == 0) {
        return link_symbol(l, name);
    }
    memcpy(mem, scope.ptr, scope.len);
    mem[scope.len] = '.';
    memcpy(mem + scope.len + 1, name.ptr, name.len);
    return link_symbol(l, (struct str){mem, scope.len + 1 + name.len});
}

static bool is_type(const struct proto_symbol *symbol)
{
    return symbol->kind == PROTO_SYMBOL_MESSAGE || symbol->kind == PROTO_SYMBOL_ENUM;
}

const struct proto_symbol *link_find(const struct linker *l, struct str scope, struct str name)
{
    if (name.len == 0 || name.len > LINK_NAME_MAX) {
        return NULL;
    }
    if (name.ptr[0] == '.') {
        return link_symbol(l, (struct str){name.ptr + 1, name.len - 1});
    }
    struct str first = {name.ptr, str_find_char(name, '.')};
    for (;;) {
        const struct proto_symbol *symbol = find_in(l, scope, first);
        bool whole = first.len == name.len;
        if (symbol != NULL && whole && is_type(symbol)) {
            return symbol;
        }
        /* The first part binds: what is behind it is not looked for further out. */
        if (symbol != NULL && !whole && (is_type(symbol) || symbol->kind == PROTO_SYMBOL_PACKAGE)) {
            return find_in(l, scope, name);
        }
        if (scope.len == 0) {
            return NULL;
        }
        do {
            scope.len--;
        } while (scope.len > 0 && scope.ptr[scope.len] != '.');
    }
}
