/* The table is made of the files below builtin/ by embed.py. */
#include "proto/builtin.h"

const struct proto_builtin *proto_builtin_find(struct str name)
{
    for (size_t i = 0; i < proto_builtins_len; i++) {
        if (str_eq_cstr(name, proto_builtins[i].name)) {
            return &proto_builtins[i];
        }
    }
    return NULL;
}
