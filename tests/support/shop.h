#pragma once
/* The messages of a shop, with all that JSON has rules for, and some of proto2. */
#include "proto/pool.h"
#include "proto/source.h"

#include <string.h>

static const char shop_proto[] =
    "syntax = \"proto3\";\n"
    "package shop;\n"
    "import \"google/protobuf/any.proto\";\n"
    "import \"google/protobuf/duration.proto\";\n"
    "import \"google/protobuf/empty.proto\";\n"
    "import \"google/protobuf/field_mask.proto\";\n"
    "import \"google/protobuf/struct.proto\";\n"
    "import \"google/protobuf/timestamp.proto\";\n"
    "import \"google/protobuf/wrappers.proto\";\n"
    "enum State { UNKNOWN = 0; PENDING = 1; PAID = 2; }\n"
    "enum Mood { option allow_alias = true; NEUTRAL = 0; HAPPY = 1; MERRY = 1; SAD = -2; }\n"
    "message Line { string sku = 1; int32 quantity = 2; Line inner = 3; }\n"
    "message Order {\n"
    "  int64 id = 1; uint64 big_count = 2; int32 quantity = 3; double price = 4; float weight = "
    "5;\n"
    "  bool gift = 6; string name = 7; bytes photo = 8; State state = 9; Line line = 10;\n"
    "  repeated Line lines = 11; repeated int32 numbers = 12; repeated State states = 13;\n"
    "  map<string, int32> stock = 14; map<int64, Line> by_id = 15; map<bool, State> flags = 16;\n"
    "  map<uint32, google.protobuf.Value> values = 17;\n"
    "  oneof payment { string card = 18; int32 cash = 19; google.protobuf.NullValue nothing = 20; "
    "}\n"
    "  optional string note = 21;\n"
    "  string other = 22 [json_name = '@other'];\n"
    "  google.protobuf.Any any = 30; google.protobuf.Timestamp created_at = 31;\n"
    "  google.protobuf.Duration took = 32; google.protobuf.FieldMask mask = 33;\n"
    "  google.protobuf.Struct struct = 34; google.protobuf.Value value = 35;\n"
    "  google.protobuf.ListValue list = 36; google.protobuf.Empty empty = 37;\n"
    "  google.protobuf.Int64Value int64_value = 38; google.protobuf.StringValue string_value = "
    "39;\n"
    "  repeated google.protobuf.Value value_list = 40;\n"
    "}\n";

static const char old_proto[] =
    "syntax = \"proto2\";\n"
    "package old;\n"
    "enum Color { RED = 1; BLUE = 2; }\n"
    "enum Size { NONE = 0; BIG = 1; }\n"
    "message Thing {\n"
    "  optional Color color = 1; repeated Color colors = 2;\n"
    "  optional group Part = 3 { optional int32 size = 1; }\n"
    "  required string name = 4; optional string raw = 5; map<string, Size> by_name = 6;\n"
    "  extensions 100 to 200;\n"
    "}\n"
    "extend Thing { optional int64 weight = 100; repeated Thing sub = 101; }\n";

static inline int shop_read(const char *path, struct buf *ret, struct err *err, void *ctx)
{
    (void) ctx;
    if (strcmp(path, "shop.proto") != 0 && strcmp(path, "old.proto") != 0) {
        return err_set(err, ERR_NOT_FOUND, "there is no %s", path);
    }
    buf_add_cstr(ret, strcmp(path, "shop.proto") == 0 ? shop_proto : old_proto);
    return 0;
}

/* A pool with both, or NULL. */
static inline struct proto_pool *shop_pool(struct err *err)
{
    const struct proto_source_options options = {.read = shop_read};
    const struct proto_file_desc *file;
    struct proto_pool *pool = proto_pool_new();
    if (proto_source_load(pool, "shop.proto", &options, &file, err) < 0 ||
        proto_source_load(pool, "old.proto", &options, &file, err) < 0) {
        proto_pool_free(pool);
        return NULL;
    }
    return pool;
}
