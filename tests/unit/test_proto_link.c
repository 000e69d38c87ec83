/* The linker: what descriptors become, and what is refused. */
#include "support/descriptor.h"

#include "support/rich.h"

struct refused {
    const char *file, *message;
};

#define MESSAGE(BODY) "{'name':'a.proto','package':'p','messageType':[{'name':'M'," BODY "}]}"
#define FIELD(BODY)   MESSAGE("'field':[{'name':'f','label':'LABEL_OPTIONAL'," BODY "}]")
#define FIELD3(BODY)                                                                            \
    "{'name':'a.proto','syntax':'proto3','messageType':[{'name':'M','field':[{'name':'f'," BODY \
    "}]}]}"
#define ENUM(BODY) "{'name':'a.proto','enumType':[{'name':'E'," BODY "}]}"
#define EXTEND(BODY)                                                                           \
    "{'name':'a.proto','messageType':[{'name':'M','extensionRange':[{'start':10,'end':20}]}]," \
    "'extension':[{'name':'x','label':'LABEL_OPTIONAL'," BODY "}]}"

static const struct refused refusals[] = {
    {"{'name':'a.proto','syntax':'editions'}",
     "a.proto: is written in an edition of protobuf, which is not supported; supported are proto2 "
     "and proto3"},
    {"{'name':'a.proto','syntax':'proto4'}",
     "a.proto: has syntax \"proto4\"; known are proto2 and proto3"},
    {"{'name':'a.proto','package':'p..q'}",
     "a.proto: p..q: is no package: names with dots between them make one"},
    {"{'name':'a.proto','messageType':[{}]}",
     "a.proto: \"\" is no name: letters, digits and _ make one"},
    {"{'name':'a.proto','messageType':[{'name':'1a'}]}",
     "a.proto: \"1a\" is no name: letters, digits and _ make one"},
    {"{'name':'a.proto','messageType':[{'name':'M'},{'name':'M'}]}",
     "a.proto: M: is already a message of a.proto; a name can mean one thing"},
    {"{'name':'a.proto','package':'M','messageType':[{'name':'M'}],'enumType':[{'name':'M'}]}",
     "a.proto: M.M: is already a message of a.proto; a name can mean one thing"},
    {"{'name':'a.proto','package':'google.protobuf','messageType':[{'name':'FileOptions'}]}",
     "a.proto: google.protobuf.FileOptions: is already a message of "
     "google/protobuf/descriptor.proto; a name can mean one thing"},
    {"{'name':'a.proto','messageType':[{'name':'google'}]}",
     "a.proto: google: is already a package of google/protobuf/descriptor.proto; a name can mean "
     "one thing"},
    {ENUM("'value':[{'name':'E','number':0}]"),
     "a.proto: E: is already an enum of a.proto; a name can mean one thing"},
    {MESSAGE("'field':[{'name':'f','number':1,'type':'TYPE_BOOL'},"
             "{'name':'f','number':2,'type':'TYPE_BOOL'}]"),
     "a.proto: p.M.f: is already a field of a.proto; a name can mean one thing"},
    {MESSAGE("'field':[{'name':'f','number':1,'type':'TYPE_BOOL'},"
             "{'name':'g','number':1,'type':'TYPE_BOOL'}]"),
     "a.proto: p.M: fields f and g both have number 1"},
    {FIELD("'number':0,'type':'TYPE_BOOL'"),
     "a.proto: p.M.f: has number 0; numbers go from 1 to 536870911"},
    {FIELD("'number':-1,'type':'TYPE_BOOL'"),
     "a.proto: p.M.f: has number -1; numbers go from 1 to 536870911"},
    {FIELD("'number':536870912,'type':'TYPE_BOOL'"),
     "a.proto: p.M.f: has number 536870912; numbers go from 1 to 536870911"},
    {FIELD("'number':19500,'type':'TYPE_BOOL'"),
     "a.proto: p.M.f: has number 19500; 19000 to 19999 are protobuf's own: take another"},
    {FIELD("'number':1"), "a.proto: p.M.f: has no type"},
    {FIELD("'number':1,'type':'TYPE_MESSAGE'"), "a.proto: p.M.f: has no type name"},
    {FIELD("'number':1,'typeName':'.p.X'"),
     "a.proto: p.M.f: type \".p.X\" is not in this file nor in what it imports"},
    {FIELD("'number':1,'type':'TYPE_ENUM','typeName':'M'"),
     "a.proto: p.M.f: type \"M\" is no enum"},
    {FIELD("'number':1,'type':'TYPE_BOOL','typeName':'M'"),
     "a.proto: p.M.f: has a scalar type and also type name \"M\""},
    {FIELD("'number':1,'type':'TYPE_BOOL','extendee':'M'"),
     "a.proto: p.M.f: is a field of a message and also extends M; extensions stand apart from "
     "fields"},
    {FIELD("'number':1,'type':'TYPE_BOOL','oneofIndex':0"),
     "a.proto: p.M.f: is in oneof 0 of 0, counted from 0"},
    {FIELD("'number':1,'type':'TYPE_BOOL','proto3Optional':true"),
     "a.proto: p.M.f: has proto3_optional, which is for singular fields of proto3 in a oneof of "
     "their own"},
    {MESSAGE("'oneofDecl':[{'name':'o'}]"),
     "a.proto: p.M: oneof o has no fields; it needs one at least"},
    {MESSAGE("'oneofDecl':[{'name':'o'}],'field':[{'name':'f','number':1,'type':'TYPE_BOOL',"
             "'label':'LABEL_REPEATED','oneofIndex':0}]"),
     "a.proto: p.M.f: is repeated in a oneof, whose members are singular"},
    {MESSAGE("'reservedRange':[{'start':5,'end':8}],'field':[{'name':'f','number':7,"
             "'type':'TYPE_BOOL'}]"),
     "a.proto: p.M: field f has number 7, which is reserved"},
    {MESSAGE("'extensionRange':[{'start':5,'end':8}],'field':[{'name':'f','number':5,"
             "'type':'TYPE_BOOL'}]"),
     "a.proto: p.M: field f has number 5, which is of extensions"},
    {MESSAGE("'reservedRange':[{'start':5,'end':8},{'start':7,'end':9}]"),
     "a.proto: p.M: number 7 is reserved and again reserved"},
    {MESSAGE("'reservedRange':[{'start':5,'end':5}]"),
     "a.proto: p.M: has a range of numbers from 5 to below 5; ranges lie in 1 to 536870911"},
    {MESSAGE("'extensionRange':[{'start':0,'end':5}]"),
     "a.proto: p.M: has a range of numbers from 0 to below 5; ranges lie in 1 to 536870911"},
    {MESSAGE("'reservedName':['f'],'field':[{'name':'f','number':5,'type':'TYPE_BOOL'}]"),
     "a.proto: p.M: field f has a reserved name"},
    {FIELD("'number':1,'type':'TYPE_INT32','defaultValue':'1.5'"),
     "a.proto: p.M.f: default \"1.5\" is no number of 32 bits"},
    {FIELD("'number':1,'type':'TYPE_UINT64','defaultValue':'-1'"),
     "a.proto: p.M.f: default \"-1\" is no number of 64 bits without a sign"},
    {FIELD("'number':1,'type':'TYPE_BOOL','defaultValue':'1'"),
     "a.proto: p.M.f: default \"1\" is no bool: true or false"},
    {FIELD("'number':1,'type':'TYPE_DOUBLE','defaultValue':'x'"),
     "a.proto: p.M.f: default \"x\" is no number"},
    {FIELD("'number':1,'type':'TYPE_BYTES','defaultValue':'a\\\\q'"),
     "a.proto: p.M.f: default \"a\\q\" is no text with escapes of C"},
    {FIELD("'number':1,'typeName':'M','defaultValue':'x'"),
     "a.proto: p.M.f: has a default, which only singular scalars of proto2 have"},
    {FIELD3("'number':1,'type':'TYPE_INT32','defaultValue':'1'"),
     "a.proto: M.f: has a default, which proto3 does not have"},
    {FIELD3("'number':1,'type':'TYPE_INT32','label':'LABEL_REQUIRED'"),
     "a.proto: M.f: is required, which only proto2 has"},
    {FIELD3("'number':1,'typeName':'.google.protobuf.FieldDescriptorProto.Type'"),
     "a.proto: M.f: has type google.protobuf.FieldDescriptorProto.Type, an enum of proto2; proto3 "
     "can only use open enums"},
    {"{'name':'a.proto','syntax':'proto3','messageType':[{'name':'M','field':["
     "{'name':'a_b','number':1,'type':'TYPE_BOOL'},{'name':'aB','number':2,'type':'TYPE_BOOL'}]}]}",
     "a.proto: M: fields a_b and aB both are \"aB\" in JSON; set json_name of one"},
    {"{'name':'a.proto','syntax':'proto3','messageType':[{'name':'M','extensionRange':["
     "{'start':1,'end':2}]}]}",
     "a.proto: M: has a range for extensions, which proto3 does not have"},
    {ENUM("'value':[]"), "a.proto: E: is an enum without values; it needs one at least"},
    {ENUM("'value':[{'name':'A','number':1},{'name':'B','number':1}]"),
     "a.proto: E: values A and B both have number 1; write option allow_alias = true if they "
     "shall"},
    {ENUM("'reservedRange':[{'start':1,'end':3}],'value':[{'name':'A','number':3}]"),
     "a.proto: E: value A has number 3, which is reserved"},
    {ENUM("'reservedRange':[{'start':1,'end':3},{'start':3,'end':3}],'value':[{'name':'A'}]"),
     "a.proto: E: reserves 3 twice"},
    {ENUM("'reservedRange':[{'start':3,'end':1}],'value':[{'name':'A'}]"),
     "a.proto: E: reserves 3 to 1, which is empty"},
    {ENUM("'reservedName':['A'],'value':[{'name':'A'}]"),
     "a.proto: E: value A has a reserved name"},
    {"{'name':'a.proto','syntax':'proto3','enumType':[{'name':'E','value':[{'name':'A',"
     "'number':1}]}]}",
     "a.proto: E: its first value A has number 1; in proto3 it is 0"},
    {EXTEND("'number':10,'type':'TYPE_BOOL'"),
     "a.proto: x: extends \"\", which is no message of this file or its imports"},
    {EXTEND("'number':10,'type':'TYPE_BOOL','extendee':'E'"),
     "a.proto: x: extends \"E\", which is no message of this file or its imports"},
    {EXTEND("'number':20,'type':'TYPE_BOOL','extendee':'M'"),
     "a.proto: x: has number 20, which M has not set apart for extensions"},
    {EXTEND("'number':11,'type':'TYPE_BOOL','extendee':'M'},{'name':'y','number':11,"
            "'type':'TYPE_BOOL','extendee':'M'"),
     "a.proto: y: extends M with number 11, as x does"},
    {MESSAGE("'options':{'messageSetWireFormat':true},'field':[{'name':'f','number':1,"
             "'type':'TYPE_BOOL'}]"),
     "a.proto: p.M: has message_set_wire_format, which is for messages of proto2 without fields, "
     "only extensions"},
    {MESSAGE("'nestedType':[{'name':'X','options':{'mapEntry':true}}]"),
     "a.proto: p.M.X: is no entry of a map: that has the optional fields key = 1 and value = 2, "
     "nothing else, and is nested"},
    {MESSAGE("'nestedType':[{'name':'X','options':{'mapEntry':true},'field':["
             "{'name':'key','number':1,'type':'TYPE_DOUBLE'},"
             "{'name':'value','number':2,'type':'TYPE_BOOL'}]}]"),
     "a.proto: p.M.X: has keys of type double; keys of a map are integers, bool or string"},
    {MESSAGE("'nestedType':[{'name':'X','options':{'mapEntry':true},'field':["
             "{'name':'key','number':1,'type':'TYPE_BOOL'},"
             "{'name':'value','number':2,'type':'TYPE_BOOL'}]}],"
             "'field':[{'name':'f','number':1,'typeName':'X'}]"),
     "a.proto: p.M.f: has type p.M.X, an entry of a map; only the map's own field can have it: "
     "repeated, in the message that the entry is nested in"},
    {"{'name':'a.proto','service':[{'name':'S','method':[{'name':'Do','inputType':'X'}]}]}",
     "a.proto: S.Do: its request \"X\" is no message of this file or its imports"},
};

static void test_what_cannot_be_linked_is_refused(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct err err = {0};
    size_t n = proto_pool_files(pool);
    T_TABLE(row, refusals)
    {
        int status = t_add(pool, row->file, &err);
        t_check(status == ERR_INVALID, "%s: %d", row->file, status);
        t_check(strcmp(err.msg, row->message) == 0, "%s: %s", row->file, err.msg);
        assert_int_equal(proto_pool_files(pool), n);
    }
    proto_pool_free(pool);
}

static void test_files_may_extend_a_message_with_one_number(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct arena arena;
    struct err err;
    arena_init(&arena, 1 << 16);
    rich_add(pool, "a.proto",
             "syntax = \"proto2\"; package a; message M { extensions 5 to 9; }"
             "extend M { optional int32 six = 6; optional int32 x = 5; }");
    t_check(t_add(pool,
                  "{'name':'b.proto','dependency':['a.proto'],'extension':[{'name':'x','number':5,"
                  "'type':'TYPE_STRING','extendee':'.a.M','label':'LABEL_OPTIONAL'}]}",
                  &err) == 0,
            "%s", err.msg);
    const struct proto_message_desc *desc = proto_pool_message(pool, STR("a.M"));
    const struct proto_field_desc *first = proto_pool_extension(pool, STR("a.x"));
    const struct proto_field_desc *second = proto_pool_extension(pool, STR("x"));
    assert_ptr_equal(proto_pool_extension_by_number(pool, desc, 5), first);
    struct proto_msg *msg = proto_msg_new(&arena, desc);
    assert_true(
        proto_set(msg, proto_pool_extension(pool, STR("a.six")), (union proto_value){.i32 = 6}));
    assert_true(proto_set(msg, second, (union proto_value){.bytes = STR("x")}));
    assert_true(proto_set(msg, first, (union proto_value){.i32 = 1}));
    assert_str(proto_get(msg, second).bytes, "x");
    assert_int_equal(proto_get(msg, first).i32, 1);
    proto_clear(msg, second);
    assert_false(proto_has(msg, second));
    assert_true(proto_has(msg, first));
    arena_done(&arena);
    proto_pool_free(pool);
}

static void test_names_of_types_are_looked_for_from_inside_out(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct err err;
    const struct {
        const char *name, *found; /* NULL: not found */
    } rows[] = {
        {"X", "p.q.M.X"},
        {"M.X", "p.q.M.X"},
        {"q.Y", "p.q.Y"},
        {"Y", "p.q.Y"},
        {"p.Z", "p.Z"},
        {"Z", "p.Z"},
        {".p.Z", "p.Z"},
        {".Z", NULL},
        {"X.Z", NULL},
        {"q.Z", NULL},
        {"p.q.M.X", "p.q.M.X"},
        {"M.f", NULL},
        {"google.protobuf.FileOptions", "google.protobuf.FileOptions"},
    };
    assert_int_equal(
        t_add(pool, "{'name':'z.proto','package':'p','messageType':[{'name':'Z'}]}", &err), 0);
    T_TABLE(row, rows)
    {
        char text[512], name[32];
        (void) snprintf(name, sizeof name, "a%zu", (size_t) (row - rows));
        (void) snprintf(text, sizeof text,
                        "{'name':'%s','package':'p.q','messageType':[{'name':'Y'},{'name':'M',"
                        "'nestedType':[{'name':'X'}],'field':[{'name':'f','number':1,"
                        "'typeName':'%s'}]}]}",
                        name, row->name);
        struct proto_pool *fresh = proto_pool_new();
        assert_int_equal(
            t_add(fresh, "{'name':'z.proto','package':'p','messageType':[{'name':'Z'}]}", &err), 0);
        int status = t_add(fresh, text, &err);
        t_check((status == 0) == (row->found != NULL), "%s: %s", row->name, err.msg);
        if (status == 0) {
            const struct proto_message_desc *desc = proto_pool_message(fresh, STR("p.q.M"));
            assert_str(desc->field[0].message->full_name, row->found);
        }
        proto_pool_free(fresh);
    }
    proto_pool_free(pool);
}

static void test_defaults_are_values(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    rich_add(pool, "d.proto",
             "syntax = \"proto2\"; enum E { A = 3; B = -4; }\n"
             "message M { optional int32 i = 1 [default = -2147483648];\n"
             "optional uint64 u = 2 [default = 18446744073709551615];\n"
             "optional double d = 3 [default = -1.5e3]; optional float f = 4 [default = inf];\n"
             "optional double n = 5 [default = nan]; optional bool b = 6 [default = true];\n"
             "optional string s = 7 [default = 'a\\\\\"\\303\\244'];\n"
             "optional bytes y = 8 [default = '\\000\\377\\n\\x7f\\'\\\\'];\n"
             "optional E e = 9; optional E e2 = 10 [default = B]; optional M m = 11;\n"
             "optional sint64 l = 12 [default = -9223372036854775808]; }\n");
    const struct proto_message_desc *desc = proto_pool_message(pool, STR("M"));
    const struct proto_field_desc *field = desc->field;
    assert_int_equal(field[0].fallback.i32, INT32_MIN);
    assert_true(field[1].fallback.u64 == UINT64_MAX);
    assert_true(field[2].fallback.f64 == -1500.0);
    assert_true(field[3].fallback.f32 > 3e38f);
    assert_true(field[4].fallback.f64 != field[4].fallback.f64);
    assert_true(field[5].fallback.boolean);
    assert_str(field[6].fallback.bytes, "a\\\"\xc3\xa4");
    assert_true(str_eq(field[7].fallback.bytes, STR("\0\xff\n\x7f'\\")));
    assert_int_equal(field[8].fallback.i32, 3);
    assert_int_equal(field[9].fallback.i32, -4);
    assert_null(field[10].fallback.msg);
    assert_true(field[11].fallback.i64 == INT64_MIN);
    proto_pool_free(pool);
}

static const struct proto_field_desc *field_of(const struct proto_pool *pool, const char *message,
                                               const char *name)
{
    const struct proto_field_desc *field =
        proto_field_by_name(proto_pool_message(pool, str_of(message)), str_of(name));
    t_check(field != NULL, "no %s.%s", message, name);
    return field;
}

static void test_what_depends_on_the_syntax_is_told_by_each_field(void **state)
{
    (void) state;
    struct proto_pool *pool = rich_pool();
    const struct {
        const char *message, *field;
        bool presence, packed, utf8, optional, in_oneof;
        const char *type;
    } rows[] = {
        {"rich2.Two", "i32", true, false, false, false, false, "int32"},
        {"rich2.Two", "s", true, false, false, false, false, "string"},
        {"rich2.Two", "ri64", false, false, false, false, false, "repeated int64"},
        {"rich2.Two", "ru64", false, true, false, false, false, "repeated uint64"},
        {"rich2.Two", "one_i", true, false, false, false, true, "int32"},
        {"rich2.Two", "gr", true, false, false, false, false, "group rich2.Two.Gr"},
        {"rich2.Two", "by_i32", false, false, false, false, false, "map<int32, rich2.Two>"},
        {"rich3.Three", "i32", false, false, false, false, false, "int32"},
        {"rich3.Three", "s", false, false, true, false, false, "string"},
        {"rich3.Three", "rs", false, false, true, false, false, "repeated string"},
        {"rich3.Three", "ri64", false, true, false, false, false, "repeated int64"},
        {"rich3.Three", "ru64", false, false, false, false, false, "repeated uint64"},
        {"rich3.Three", "re", false, true, false, false, false, "repeated enum rich3.Open"},
        {"rich3.Three", "oi", true, false, false, true, false, "int32"},
        {"rich3.Three", "m", true, false, false, false, false, "message rich3.Three"},
        {"rich3.Three", "one_i", true, false, false, false, true, "int32"},
        {"rich3.Three", "by_u32", false, false, false, false, false, "map<uint32, float>"},
    };
    T_TABLE(row, rows)
    {
        char type[64];
        const struct proto_field_desc *field = field_of(pool, row->message, row->field);
        t_check(field->has_presence == row->presence && field->packed == row->packed &&
                    field->check_utf8 == row->utf8 && field->proto3_optional == row->optional &&
                    (field->oneof != NULL) == row->in_oneof,
                "%s.%s", row->message, row->field);
        assert_string_equal(proto_field_type_text(field, type, sizeof type), row->type);
    }
    assert_true(proto_pool_enum(pool, STR("rich2.Color"))->closed);
    assert_false(proto_pool_enum(pool, STR("rich3.Open"))->closed);
    /* Oneofs of optional fields are not told. */
    assert_int_equal(proto_pool_message(pool, STR("rich3.Three"))->oneofs, 1);
    assert_str(proto_pool_message(pool, STR("rich3.Three"))->oneof[0].name, "pick");
    assert_int_equal(proto_pool_message(pool, STR("rich3.Three"))->oneof[0].fields, 6);
    proto_pool_free(pool);
}

static void test_required_fields_are_known_from_above(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    rich_add(
        pool, "r.proto",
        "syntax = \"proto2\"; message A { required int32 i = 1; } message B { optional C c = 1; }"
        "message C { repeated D d = 1; optional B b = 2; } message D { map<int32, A> a = 1; }"
        "message E { optional E e = 1; extensions 5; } extend E { optional A a = 5; }");
    const struct {
        const char *name;
        bool required;
    } rows[] = {{"A", true}, {"B", true}, {"C", true}, {"D", true}, {"E", false}};
    T_TABLE(row, rows)
    {
        t_check(proto_pool_message(pool, str_of(row->name))->has_required == row->required, "%s",
                row->name);
    }
    proto_pool_free(pool);
}

static void test_services_know_their_methods(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    rich_add(
        pool, "s.proto",
        "syntax = \"proto3\"; package a.b; message M {}\n"
        "service S { rpc Unary (M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; }\n"
        "rpc Up (stream M) returns (M) { option deprecated = true; }\n"
        "rpc Down (M) returns (stream M); rpc Both (stream M) returns (stream M); }\n");
    const struct proto_service_desc *service = proto_pool_service(pool, STR("a.b.S"));
    const struct {
        const char *name, *kind, *path;
        enum proto_idempotency idempotency;
        bool deprecated;
    } rows[] = {
        {"Unary", "unary", "/a.b.S/Unary", PROTO_NO_SIDE_EFFECTS, false},
        {"Up", "client streaming", "/a.b.S/Up", PROTO_IDEMPOTENCY_UNKNOWN, true},
        {"Down", "server streaming", "/a.b.S/Down", PROTO_IDEMPOTENCY_UNKNOWN, false},
        {"Both", "bidirectional streaming", "/a.b.S/Both", PROTO_IDEMPOTENCY_UNKNOWN, false},
    };
    assert_int_equal(service->methods, T_LEN(rows));
    T_TABLE(row, rows)
    {
        const struct proto_method_desc *method = proto_method_by_name(service, str_of(row->name));
        assert_non_null(method);
        assert_string_equal(proto_method_kind(method), row->kind);
        assert_string_equal(method->path, row->path);
        assert_int_equal(method->idempotency, row->idempotency);
        assert_int_equal(method->deprecated, row->deprecated);
        assert_str(method->input->full_name, "a.b.M");
    }
    assert_null(proto_method_by_name(service, STR("No")));
    proto_pool_free(pool);
}

static void test_fields_are_found_by_each_of_their_names(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    rich_add(pool, "n.proto",
             "syntax = \"proto3\"; message M { int32 foo_bar = 1; int32 _a__b_ = 20;\n"
             "int32 x1_y2 = 3 [json_name = 'X']; int32 last = 536870911; int32 v = 2; }\n"
             "enum E { option allow_alias = true; A = 0; B = 5; C = 5; D = -1; }\n");
    const struct proto_message_desc *desc = proto_pool_message(pool, STR("M"));
    assert_str(desc->field[0].json_name, "fooBar");
    assert_str(desc->field[1].json_name, "AB");
    assert_str(desc->field[2].json_name, "X");
    assert_ptr_equal(proto_field_by_any_name(desc, STR("fooBar")), &desc->field[0]);
    assert_ptr_equal(proto_field_by_any_name(desc, STR("foo_bar")), &desc->field[0]);
    assert_null(proto_field_by_name(desc, STR("fooBar")));
    assert_null(proto_field_by_any_name(desc, STR("x1Y2")));
    assert_null(proto_field_by_any_name(desc, STR("")));
    const uint32_t numbers[] = {1, 2, 3, 20, 536870911};
    for (size_t i = 0; i < T_LEN(numbers); i++) {
        assert_ptr_equal(proto_field_by_number(desc, numbers[i]), desc->by_number[i]);
        assert_int_equal(desc->by_number[i]->number, numbers[i]);
    }
    assert_null(proto_field_by_number(desc, 0));
    assert_null(proto_field_by_number(desc, 4));
    assert_null(proto_field_by_number(desc, UINT32_MAX));
    const struct proto_enum_desc *e = proto_pool_enum(pool, STR("E"));
    assert_ptr_equal(proto_enum_by_number(e, 5), &e->value[1]);
    assert_ptr_equal(proto_enum_by_name(e, STR("C")), &e->value[2]);
    assert_ptr_equal(proto_enum_by_number(e, -1), &e->value[3]);
    assert_null(proto_enum_by_number(e, 1));
    assert_null(proto_enum_by_name(e, STR("Z")));
    proto_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_cannot_be_linked_is_refused),
        cmocka_unit_test(test_files_may_extend_a_message_with_one_number),
        cmocka_unit_test(test_names_of_types_are_looked_for_from_inside_out),
        cmocka_unit_test(test_defaults_are_values),
        cmocka_unit_test(test_what_depends_on_the_syntax_is_told_by_each_field),
        cmocka_unit_test(test_required_fields_are_known_from_above),
        cmocka_unit_test(test_services_know_their_methods),
        cmocka_unit_test(test_fields_are_found_by_each_of_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
