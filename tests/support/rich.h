#pragma once
/* A pool with messages of everything that proto2 and proto3 have, made of sources. */
#include "base/mem.h"
#include "proto/pool.h"
#include "proto/source.h"
#include "proto/wire.h"

static const char rich2_proto[] =
    "syntax = \"proto2\"; package rich2;\n"
    "enum Color { RED = 1; BLUE = 2; MINUS = -3; }\n"
    "enum Tone { NONE = 0; LOUD = 5; }\n"
    "message Two {\n"
    "  optional double d = 1 [default = -1.5]; optional float f = 2; optional int64 i64 = 3;\n"
    "  optional uint64 u64 = 4; optional int32 i32 = 5 [default = -7]; optional fixed64 x64 = 6;\n"
    "  optional fixed32 x32 = 7; optional bool b = 8 [default = true];\n"
    "  optional string s = 9 [default = 'hi']; optional group Gr = 10 { optional int32 a = 1;\n"
    "  optional Two two = 2; repeated group Deep = 3 { optional string s = 4; } }\n"
    "  optional Two m = 11; optional bytes y = 12 [default = '\\001\\xff']; optional uint32 u32 = "
    "13;\n"
    "  optional Color e = 14 [default = BLUE]; optional sfixed32 sx32 = 15;\n"
    "  optional sfixed64 sx64 = 16; optional sint32 si32 = 17; optional sint64 si64 = 18;\n"
    "  repeated double rd = 21; repeated float rf = 22; repeated int64 ri64 = 23;\n"
    "  repeated uint64 ru64 = 24 [packed = true]; repeated int32 ri32 = 25 [packed = true];\n"
    "  repeated bool rb = 28 [packed = true]; repeated string rs = 29; repeated group Rg = 30 {\n"
    "  optional int32 a = 1; } repeated Two rm = 31; repeated bytes ry = 32;\n"
    "  repeated Color re = 34; repeated Color rpe = 35 [packed = true];\n"
    "  repeated sint64 rs64 = 38 [packed = true]; repeated fixed32 rx32 = 39 [packed = true];\n"
    "  map<string, int32> by_string = 41; map<int32, Two> by_i32 = 42; map<bool, Tone> by_b = "
    "43;\n"
    "  map<uint64, bytes> by_u64 = 44; map<sint64, double> by_s64 = 45;\n"
    "  map<fixed32, string> by_x32 = 46;\n"
    "  oneof pick { int32 one_i = 51; string one_s = 52; Two one_m = 53; Color one_e = 54; }\n"
    "  optional Set set = 60; optional Needs needs = 61; optional int32 far = 536870911;\n"
    "  extensions 100 to 199, 2000 to 3000;\n"
    "}\n"
    "message Needs { required int32 id = 1; optional Needs below = 2; repeated Needs all = 3;\n"
    "  map<int32, Needs> map = 4; oneof o { Needs in_o = 5; } extensions 10; }\n"
    "message Set { option message_set_wire_format = true; extensions 4 to max; }\n"
    "message InSet { extend Set { optional InSet item = 1000; } optional int32 v = 1;\n"
    "  optional Set set = 2; }\n"
    "extend Set { optional Two two_item = 2000000000; }\n"
    "extend Two { optional int64 ext_i = 100; repeated string ext_s = 101; optional Two ext_m = "
    "102;\n"
    "  repeated Color ext_e = 103 [packed = true]; optional Needs ext_needs = 104;\n"
    "  repeated Two ext_rm = 2000; optional group ExtG = 105 { optional int32 a = 1; } }\n"
    "extend Needs { optional Needs needs_ext = 10; }\n";

static const char rich3_proto[] =
    "syntax = \"proto3\"; package rich3;\n"
    "enum Open { ZERO = 0; ONE = 1; NEG = -1; }\n"
    "message Three {\n"
    "  double d = 1; float f = 2; int64 i64 = 3; uint64 u64 = 4; int32 i32 = 5; fixed64 x64 = 6;\n"
    "  fixed32 x32 = 7; bool b = 8; string s = 9; Three m = 11; bytes y = 12; uint32 u32 = 13;\n"
    "  Open e = 14; sfixed32 sx32 = 15; sfixed64 sx64 = 16; sint32 si32 = 17; sint64 si64 = 18;\n"
    "  optional int32 oi = 20; repeated double rd = 21; repeated float rf = 22;\n"
    "  repeated int64 ri64 = 23; repeated uint64 ru64 = 24 [packed = false];\n"
    "  repeated int32 ri32 = 25; repeated fixed64 rx64 = 26; repeated bool rb = 28;\n"
    "  repeated string rs = 29; repeated Three rm = 31; repeated bytes ry = 32;\n"
    "  repeated Open re = 34; repeated sint32 rsi32 = 37; repeated sfixed32 rsx32 = 38;\n"
    "  map<string, string> by_string = 41; map<int64, Three> by_i64 = 42; map<bool, Open> by_b = "
    "43;\n"
    "  map<uint32, float> by_u32 = 44; map<sfixed64, bytes> by_sx64 = 45; optional string os = "
    "46;\n"
    "  oneof pick { int32 one_i = 51; string one_s = 52; Three one_m = 53; Open one_e = 54;\n"
    "  double one_d = 55; bytes one_y = 56; }\n"
    "  optional Three om = 57; optional Open oe = 58;\n"
    "}\n";

static inline void rich_add(struct proto_pool *pool, const char *name, const char *text)
{
    struct err err;
    struct proto_msg *file;
    if (proto_source_parse(pool, str_of(text), name, name, &file, &err) != 0 ||
        proto_source_resolve(pool, file, name, &err) != 0 ||
        proto_pool_add(pool, file, &err) != 0) {
        BUG("%s: %s", name, err.msg);
    }
}

/* The caller frees it. */
static inline struct proto_pool *rich_pool(void)
{
    struct proto_pool *pool = proto_pool_new();
    rich_add(pool, "rich2.proto", rich2_proto);
    rich_add(pool, "rich3.proto", rich3_proto);
    return pool;
}
