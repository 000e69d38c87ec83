/* Wrong .proto files, each with the whole of what is said of it. */
#include "support/t.h"

#include "base/buf.h"
#include "proto/source.h"

struct row {
    const char *text; /* of main.proto, behind the line with the syntax */
    const char *said; /* line:col: message; with the file in front when that is another one */
};

/* What main.proto may import. */
static const struct {
    const char *name, *text;
} FILES[] = {
    {"other.proto", "syntax = \"proto3\";\n"
                    "package other;\n"
                    "import \"third.proto\";\n"
                    "message O {}"},
    {"third.proto", "syntax = \"proto3\";\n"
                    "package third;\n"
                    "message T {}"},
    {"two.proto", "syntax = \"proto2\";\n"
                  "package two;\n"
                  "enum Closed { A = 0; }\n"
                  "message Open { extensions 100 to max; }"},
    {"loop_a.proto", "syntax = \"proto3\";\n"
                     "import \"loop_b.proto\";"},
    {"loop_b.proto", "syntax = \"proto3\";\n"
                     "import \"loop_a.proto\";"},
    {"wrong.proto", "syntax = \"proto3\";\n"
                    "message M { int32 a = 0; }"},
    {"opt.proto",
     "syntax = \"proto2\";\n"
     "package opt;\n"
     "import \"google/protobuf/descriptor.proto\";\n"
     "import \"google/protobuf/any.proto\";\n"
     "enum Level { LOW = 0; HIGH = 1; }\n"
     "message Rule {\n"
     "  optional string text = 1;\n"
     "  optional int32 number = 2;\n"
     "  repeated string list = 3;\n"
     "  optional Rule nested = 4;\n"
     "  optional Must must = 5;\n"
     "  oneof one { int32 left = 6; int32 right = 7; }\n"
     "  optional google.protobuf.Any any = 8;\n"
     "  repeated Level levels = 9;\n"
     "  optional bool flag = 10;\n"
     "}\n"
     "message Must { required int32 here = 1; }\n"
     "extend google.protobuf.FileOptions {\n"
     "  optional Rule rule = 50000;\n"
     "  repeated Rule rules = 50001;\n"
     "  optional Level level = 50002;\n"
     "  optional int32 number = 50003;\n"
     "  optional uint32 small = 50004;\n"
     "  optional double real = 50005;\n"
     "}\n"
     "extend google.protobuf.MessageOptions { optional int32 message_only = 50000; }\n"},
};

static const struct row PROTO3[] = {
    {"mesage M {}", "2:1: no statement begins with \"mesage\": did you mean \"message\"?"},
    {"foo", "2:1: expected a statement: message, enum, service, extend, import, package or option, "
            "not \"foo\""},
    {"}", "2:1: expected a statement: message, enum, service, extend, import, package or option, "
          "not \"}\""},
    {"package a\nmessage M {}", "2:10: expected \";\" behind the package, not \"message\""},
    {"package a; package b;", "2:20: a second package: the file has \"a\" already"},
    {"package a..b;", "2:11: expected the name of the package, not \".\""},
    {"import nowhere;", "2:8: expected the imported file in quotes, not \"nowhere\""},
    {"import \"../x.proto\";",
     "2:9: \"../x.proto\" is no name of an imported file: it is relative to an import path, with "
     "single slashes and without \".\" and \"..\""},
    {"import \"google/protobuf/any.proto\";\nimport \"google/protobuf/any.proto\";",
     "3:9: \"google/protobuf/any.proto\" is imported twice"},
    {"import \"main.proto\";",
     "2:9: files import each other in a circle: main.proto imports main.proto"},
    {"import \"loop_a.proto\";", "loop_b.proto:2:9: files import each other in a circle: "
                                 "loop_a.proto imports loop_b.proto imports loop_a.proto"},
    {"import \"wrong.proto\";",
     "wrong.proto:2:23: \"0\" is out of range: a field number is 1 to 536870911"},
    {"message M", "2:10: expected \"{\" behind the name of the message, not the end of the file"},
    {"message M {", "2:9: the message \"M\" has no end: \"}\" is missing"},
    {"message M {\n  int32 a = 1;\n", "2:9: the message \"M\" has no end: \"}\" is missing"},
    {"message 1 {}", "2:9: expected the name of a message, not \"1\""},
    {"message M {} }", "2:14: expected a statement: message, enum, service, extend, import, "
                       "package or option, not \"}\""},
    {"message M {\n  int32 a = 1\n  int32 b = 2;\n}",
     "3:14: expected \";\" behind the field, not \"int32\""},
    {"message M { int32 = 1; }", "2:19: expected the name of a field, not \"=\""},
    {"message M { int32 a; }",
     "2:20: expected \"=\" and a number behind the name of the field, not \";\""},
    {"message M { int32 a = ; }", "2:23: expected a field number, not \";\""},
    {"message M { int32 a = x; }", "2:23: expected a field number, not \"x\""},
    {"message M { int32 a = -1; }", "2:23: expected a field number, not \"-\""},
    {"message M { int32 a = 0; }", "2:23: \"0\" is out of range: a field number is 1 to 536870911"},
    {"message M { int32 a = 536870912; }",
     "2:23: \"536870912\" is out of range: a field number is 1 to 536870911"},
    {"message M { int32 a = 19500; }", "2:23: the field numbers 19000 to 19999 are kept for "
                                       "protobuf itself: take another than 19500"},
    {"message M { int32 a = 1.5; }", "2:23: expected a field number, not \"1.5\""},
    {"message M { required int32 a = 1; }", "2:13: proto3 has no required fields"},
    {"message M { int32 a = 1; int32 b = 1; }",
     "2:32: \"a\" and \"b\" have the same field number 1"},
    {"message M { int32 a = 1;\n string a = 2; }", "3:9: \"M.a\" is a field already, in line 2"},
    {"message M { int32 fooBar = 1; int32 foo_bar = 2; }",
     "2:37: the JSON names of \"fooBar\" and \"foo_bar\" are too alike for proto3"},
    {"message M { int32 a = 1; message a {} }", "2:34: \"M.a\" is a field already, in line 2"},
    {"message M {}\nmessage M {}", "3:9: \"M\" is a message already, in line 2"},
    {"message M {}\nenum M { A = 0; }", "3:6: \"M\" is a message already, in line 2"},
    {"message M { Mist a = 1; }\nmessage Mast {}",
     "2:13: no type \"Mist\" here or in the imports: did you mean \"Mast\"?"},
    {"message M { Nothing a = 1; }", "2:13: no type \"Nothing\" here or in the imports"},
    {"message M { .M.N a = 1; }", "2:13: no type \".M.N\" here or in the imports"},
    {"message M { string.x a = 1; }", "2:19: expected the name of a field, not \".\""},
    {"package a.b;\nmessage M { a a = 1; }", "3:13: \"a\" is no type"},
    {"message M { google.protobuf.Timestamp t = 1; }",
     "2:13: \"google.protobuf.Timestamp\" is not imported: add import "
     "\"google/protobuf/timestamp.proto\";"},
    {"import \"other.proto\";\nmessage M { third.T t = 1; }",
     "3:13: \"third.T\" is defined in \"third.proto\", which is not imported here: add import "
     "\"third.proto\";"},
    {"package x;\nmessage M { x.y.Z z = 1; }\nmessage x {}",
     "3:13: no type \"x.y.Z\": \"x\" is \"x.x\" here, which has no such name inside; begin with a "
     "dot to look from the outside"},
    {"message M { reserved 1, 5 to 7; int32 a = 6; }",
     "2:39: \"a\" has the number 6, which is reserved"},
    {"message M { reserved \"a\", \"b\"; int32 b = 6; }", "2:38: the name \"b\" is reserved"},
    {"message M { reserved \"a\", \"a\"; }", "2:28: the name \"a\" is reserved twice"},
    {"message M { reserved 1 to 5, 4; }",
     "2:9: \"M\": the reserved numbers 1 to 5 and the reserved number 4 overlap"},
    {"message M { reserved 5 to 1; }", "2:22: the range 5 to 1 ends before it begins"},
    {"message M { reserved a; }", "2:22: expected numbers or names in quotes, not \"a\""},
    {"message M { reserved 0; }", "2:22: \"0\" is out of range: a field number is 1 to 2147483646"},
    {"message M { reserved \"a\", 1; }", "2:27: expected a name in quotes, not \"1\""},
    {"message M { reserved; }", "2:21: expected a field number, not \";\""},
    {"message M { extensions 1 to 5; }",
     "2:24: proto3 has no extension ranges: use proto2, or google.protobuf.Any"},
    {"message M { oneof o {} }", "2:19: the oneof \"o\" has no field"},
    {"message M { oneof o { repeated int32 a = 1; } }",
     "2:23: a field of a oneof has no label: leave out \"repeated\""},
    {"message M { oneof o { map<int32, int32> a = 1; } }", "2:23: a map may not stand in a oneof"},
    {"message M { oneof o { int32 a = 1; } int32 o = 2; }",
     "2:19: \"M.o\" is a field already, in line 2"},
    {"message M { oneof { int32 a = 1; } }", "2:19: expected the name of a oneof, not \"{\""},
    {"message M { map<float, int32> a = 1; }", "2:17: the key of a map is an integer, a bool or a "
                                               "string, not a float, bytes, enum or message"},
    {"message M { map<M, int32> a = 1; }", "2:17: the key of a map is an integer, a bool or a "
                                           "string, not a float, bytes, enum or message"},
    {"message M { map<int32> a = 1; }",
     "2:22: expected \",\" behind the type of the map's key, not \">\""},
    {"message M { repeated map<int32, int32> a = 1; }",
     "2:22: a map has no label: leave out what stands before \"map\""},
    {"message M { map<int32, map<int32, int32>> a = 1; }",
     "2:27: expected \">\" behind the type of the map's value, not \"<\""},
    {"message M { map<int32, int32> a = 1; message AEntry {} }",
     "2:46: \"M.AEntry\" is a message already"},
    {"message M { map<int32, Nix> a = 1; }", "2:24: no type \"Nix\" here or in the imports"},
    {"message M { optional group G = 1 {} }", "2:22: proto3 has no groups: use a message"},
    {"message M { int32 a = 1 [default = 1]; }", "2:26: proto3 has no default values of one's own"},
    {"message M { int32 a = 1 [json_name = x]; }",
     "2:38: expected the JSON name in quotes, not \"x\""},
    {"message M { int32 a = 1 [json_name = \"x\", json_name = \"y\"]; }",
     "2:43: json_name is given twice"},
    {"message M { int32 a = 1 [; }", "2:26: expected the name of an option, not \";\""},
    {"message M { int32 a = 1 []; }", "2:26: expected the name of an option, not \"]\""},
    {"message M { int32 a = 1 [deprecated = true; }",
     "2:43: expected \"]\" or \",\" behind the option, not \";\""},
    {"enum E {}", "2:6: the enum \"E\" has no value"},
    {"enum E { A = 1; }", "2:10: the first value of an enum of proto3 is 0, not 1"},
    {"enum E { A = 0; B = 0; }", "2:17: \"A\" and \"B\" have the same number 0: if that is meant, "
                                 "add option allow_alias = true;"},
    {"enum E { A = 0; }\nenum F { A = 0; }",
     "3:10: \"A\" is a value of an enum already, in line 2; values of enums stand beside their "
     "enum, not in it"},
    {"enum Color { COLOR_RED = 0; RED = 1; }",
     "2:29: the values \"COLOR_RED\" and \"RED\" are the same without the name of the enum"},
    {"enum E { A = 2147483648; }",
     "2:14: \"2147483648\" is out of range: an enum number is -2147483648 to 2147483647"},
    {"enum E { A; }", "2:11: expected \"=\" and a number behind the name of the value, not \";\""},
    {"enum E { reserved 1 to 3; A = 0; B = 2; }",
     "2:34: \"B\" has the number 2, which is reserved"},
    {"enum E { reserved \"B\"; A = 0; B = 2; }", "2:31: the name \"B\" is reserved"},
    {"enum E { A = 0 B = 1; }", "2:15: expected \";\" behind the value, not \"B\""},
    {"enum E { 1 = 0; }", "2:10: expected the name of a value, \"option\", \"reserved\" or \"}\" "
                          "in the enum, not \"1\""},
    {"enum E { A = 0;", "2:16: expected the name of a value, \"option\", \"reserved\" or \"}\" in "
                        "the enum, not the end of the file"},
    {"import \"two.proto\";\nmessage M { two.Closed c = 1; }",
     "3:13: \"two.Closed\" is an enum of proto2, which a proto3 message may not use"},
    {"import \"two.proto\";\nextend two.Open { int32 a = 100; }",
     "3:8: proto3 extends the options of google/protobuf/descriptor.proto only, not \"two.Open\""},
    {"message M { option message_set_wire_format = true; }", "2:9: proto3 has no MessageSet"},
    {"service S { rpc A(M) returns (M) }\nmessage M {}",
     "2:33: expected \";\" behind the method, not \"}\""},
    {"service S { rpc A(M) }\nmessage M {}",
     "2:22: expected \"returns\" behind the type of the request, not \"}\""},
    {"service S { rpc A(E) returns (M); }\nmessage M {}\nenum E { A = 0; }",
     "2:19: \"E\" is no message: only those are sent by methods"},
    {"service S { rpc A(Nix) returns (M); }\nmessage M {}",
     "2:19: no message \"Nix\" here or in the imports"},
    {"service S { rpc A(M) returns (M); rpc A(M) returns (M); }\nmessage M {}",
     "2:39: \"S.A\" is a method already, in line 2"},
    {"service S { rpx A(M) returns (M); }",
     "2:13: expected \"rpc\", \"option\" or \"}\" in the service, not \"rpx\""},
    {"service S { rpc A(int32) returns (M); }\nmessage M {}",
     "2:19: no message \"int32\" here or in the imports"},
    {"service S {",
     "2:12: expected \"rpc\", \"option\" or \"}\" in the service, not the end of the file"},
    {"service S { rpc A(M) returns (M) { foo; } }\nmessage M {}",
     "2:36: expected \"}\" or \"option\" in the method, not \"foo\""},
    {"option java_pakage = \"x\";", "2:8: no option \"java_pakage\" in "
                                    "google.protobuf.FileOptions: did you mean \"java_package\"?"},
    {"option nothing_like_it = 1;",
     "2:8: no option \"nothing_like_it\" in google.protobuf.FileOptions"},
    {"option java_package = 1;", "2:8: the option \"java_package\" is a string in quotes, not 1"},
    {"option java_package = x;",
     "2:23: the option \"java_package\" is a string in quotes, not \"x\""},
    {"option java_multiple_files = 1;",
     "2:8: the option \"java_multiple_files\" is true or false, not 1"},
    {"option java_multiple_files = maybe;",
     "2:30: the option \"java_multiple_files\" is true or false, not \"maybe\""},
    {"option optimize_for = FAST;",
     "2:23: no value \"FAST\" in enum google.protobuf.FileOptions.OptimizeMode"},
    {"option optimize_for = 1;",
     "2:8: the option \"optimize_for\" is a name of an enum's value, not 1"},
    {"option java_package = \"a\";\noption java_package = \"b\";",
     "3:8: the option \"java_package\" is set twice"},
    {"option java_package.x = \"a\";",
     "2:8: the option \"java_package\" is no message: it has no fields"},
    {"option (nowhere) = 1;", "2:9: no option \"nowhere\" here or in the imports"},
    {"option java_package = { a: 1 };",
     "2:8: the option \"java_package\" is no message: { ... } does not fit"},
    {"option java_package = \"x\"",
     "2:26: expected \";\" behind the option, not the end of the file"},
    {"option java_package \"x\";", "2:21: expected \"=\" behind the name of the option, not \"x\""},
    {"option = 1;", "2:8: expected the name of an option, not \"=\""},
    {"option java_package = ;", "2:23: expected the value of the option, not \";\""},
    {"option java_package = -x;", "2:24: expected a number behind \"-\", not \"x\""},
    {"option uninterpreted_option = {};",
     "2:8: no option \"uninterpreted_option\" in google.protobuf.FileOptions"},
    {"option java_package = { a: 1 ;",
     "2:23: the value that begins here has no end: \"}\" is missing"},
    {"option deprecated = 18446744073709551616;",
     "2:21: \"18446744073709551616\" does not fit into 64 bits"},
    {"message M { int32 a = 1 [packed = true]; }",
     "2:19: packed is for repeated numbers, bools and enums, which \"a\" is not"},
    {"message M { int32 a = 1 [lazy = true]; }", "2:19: lazy is for messages, which \"a\" is not"},
    {"message M { int32 a = 1 [jstype = JS_STRING]; }",
     "2:19: jstype is for integers of 64 bits, which \"a\" is not"},
    {"message M { int32 a = 1 [deprecated = \"x\"]; }",
     "2:26: the option \"deprecated\" is true or false, not \"x\""},
    {"message M { int32 a = 1 [deprecatd = true]; }",
     "2:26: no option \"deprecatd\" in google.protobuf.FieldOptions: did you mean \"deprecated\"?"},
    {"message M { option (M) = 1; }",
     "2:21: \"M\" is no extension of google.protobuf.MessageOptions"},
    {"import \"opt.proto\";\noption (opt.rule) = 1;",
     "3:9: the option \"opt.rule\" is a message: write { field: value }, not 1"},
    {"import \"opt.proto\";\noption (opt.rule).nix = 1;", "3:19: no option \"nix\" in opt.Rule"},
    {"import \"opt.proto\";\noption (opt.rule).texd = \"x\";",
     "3:19: no option \"texd\" in opt.Rule: did you mean \"text\"?"},
    {"import \"opt.proto\";\noption (opt.rule) = { text: 1 };",
     "3:29: the option \"text\" is a string in quotes, not 1"},
    {"import \"opt.proto\";\noption (opt.rule) = { texd: \"x\" };",
     "3:23: no field \"texd\" in message opt.Rule: did you mean \"text\"?"},
    {"import \"opt.proto\";\noption (opt.rule) = { text: \"x\" text: \"y\" };",
     "3:33: \"text\" is given twice and is not repeated"},
    {"import \"opt.proto\";\noption (opt.rule) = {\n  text: \"x\"\n  number: x };",
     "5:11: the option \"number\" is an integer of 32 bits, not \"x\""},
    {"import \"opt.proto\";\noption (opt.rule) = { text \"x\" };",
     "3:28: expected \":\" behind \"text\", not \"x\""},
    {"import \"opt.proto\";\noption (opt.rule) = { nested: 1 };",
     "3:31: expected \"{\" before a message opt.Rule, not \"1\""},
    {"import \"opt.proto\";\noption (opt.rule) = { nested { text: \"x\" };",
     "3:21: the value that begins here has no end: \"}\" is missing"},
    {"import \"opt.proto\";\noption (opt.rule) = { text: [\"x\"] };",
     "3:29: \"text\" is not repeated: no list can be set"},
    {"import \"opt.proto\";\noption (opt.rule) = { list: [\"x\" };",
     "3:34: expected \",\" or \"]\" in the list, not the end of the value"},
    {"import \"opt.proto\";\noption (opt.rule) = { [opt.nix]: 1 };",
     "3:23: no extension \"opt.nix\" here or in the imports"},
    {"import \"opt.proto\";\noption (opt.rule) = { [opt.rule]: 1 };",
     "3:23: \"opt.rule\" is no extension of opt.Rule"},
    {"import \"opt.proto\";\noption (opt.rule) = { must {} };",
     "3:29: the required field \"here\" of opt.Must is missing"},
    {"import \"opt.proto\";\noption (opt.rule) = { left: 1 right: 2 };",
     "3:31: \"right\" is of a oneof that has a value already"},
    {"import \"opt.proto\";\noption (opt.rule) = { any { [type.googleapis.com/opt.Nix] {} } };",
     "3:50: no message \"opt.Nix\" here or in the imports"},
    {"import \"opt.proto\";\noption (opt.rule) = { any { [example.com/opt.Rule] {} } };",
     "3:30: the type in an Any is written as [type.googleapis.com/full.name.of.Type]"},
    {"import \"opt.proto\";\noption (opt.rule).text = \"x\";\noption (opt.rule).text = \"y\";",
     "4:19: the option \"text\" is set twice"},
    {"import \"opt.proto\";\noption (opt.rule).text = \"x\";\noption (opt.rule) = {};",
     "4:9: the option \"opt.rule\" is set twice"},
    {"import \"opt.proto\";\noption (opt.rules).text = \"x\";",
     "3:9: the option \"opt.rules\" is repeated: its fields are set by = { ... }"},
    {"import \"opt.proto\";\noption (opt.level) = LOUD;",
     "3:22: no value \"LOUD\" in enum opt.Level"},
    {"import \"opt.proto\";\noption (opt.level) = HIHG;",
     "3:22: no value \"HIHG\" in enum opt.Level: did you mean \"HIGH\"?"},
    {"import \"opt.proto\";\noption (opt.number) = 3000000000;",
     "3:9: the option \"opt.number\" is an integer of 32 bits, not 3000000000"},
    {"import \"opt.proto\";\noption (opt.small) = -1;",
     "3:9: the option \"opt.small\" is an unsigned integer of 32 bits, not -1"},
    {"import \"opt.proto\";\noption (opt.real) = inf;",
     "3:21: the option \"opt.real\" is a number, not \"inf\""},
    {"import \"opt.proto\";\noption (opt.message_only) = 1;",
     "3:9: \"opt.message_only\" is no extension of google.protobuf.FileOptions"},
    {"import \"opt.proto\";\noption (opt.Rule) = {};",
     "3:9: \"opt.Rule\" is no extension of google.protobuf.FileOptions"},
    {"import \"opt.proto\";\noption (opt.number).x = 1;",
     "3:9: the option \"opt.number\" is no message: it has no fields"},
    {"import \"opt.proto\";\noption (opt.rule) = { levels: 7 };",
     "3:31: the option \"levels\" is a name of an enum's value, not 7"},
    {"import \"opt.proto\";\noption (opt.rule) = { number: 1.5 };",
     "3:31: the option \"number\" is an integer of 32 bits, not 1.5"},
    {"import \"opt.proto\";\noption (opt.rule) = { flag: 2 };",
     "3:29: the option \"flag\" is true or false, not 2"},
    {"message M { string a = 08; }",
     "2:24: \"08\" begins with 0 and so is octal, where the digit 8 is not"},
    {"option java_package = \"x\ny\";",
     "2:23: the string that begins here has no end on its line: close it with \""},
    {"option java_package = \"\\q\";", "2:24: \\q is no escape; there are \\a \\b \\f \\n \\r \\t "
                                       "\\v \\\\ \\? \\' \\\" \\123 \\x1f \\u1234 \\U00012345"},
    {"/* no end", "2:1: the comment that begins here has no end: close it with */"},
    {"message M\303\251 {}", "2:10: \"\303\251\" may stand in strings and comments only"},
    {"message M { int32 a = 1; # no comment\n }", "2:26: expected the type of a field, not \"#\""},
    {"message M { int32 a = 1a; }", "2:23: \"1a\" is no number"},
    {"message M { int32 a = 0x; }", "2:23: a hexadecimal number needs digits, such as 0x1f"},
    {"message M\001 {}", "2:10: the byte 0x01 may not stand here"},
    {"option java_package = \"x",
     "2:23: the string that begins here has no end on its line: close it with \""},
};

static const struct row PROTO2[] = {
    {"message M { int32 a = 1; }", "2:13: expected \"optional\", \"repeated\" or \"required\" "
                                   "before the type \"int32\", as the file is proto2"},
    {"message M { 5 }", "2:13: expected a field or \"}\" in the message, not \"5\""},
    {"message M { extensions 1 to 5; optional int32 a = 5; }",
     "2:47: \"a\" has the number 5, which is in the range for extensions"},
    {"message M { extensions 1 to 5; extensions 5; }",
     "2:9: \"M\": the extensions 1 to 5 and the extension 5 overlap"},
    {"message M { extensions 1 to 5; reserved 5; }",
     "2:9: \"M\": the extensions 1 to 5 and the reserved number 5 overlap"},
    {"message M { extensions 0; }",
     "2:24: \"0\" is out of range: a field number is 1 to 2147483646"},
    {"message M { extensions 1 to 600000000; }",
     "2:9: \"M\": numbers of extensions end at 536870911"},
    {"message M { map<int32, E> a = 1; }\nenum E { A = 1; }",
     "2:9: the enum \"E\" in a map has to begin with 0"},
    {"message M { optional group g = 1 {} }",
     "2:28: the name of a group begins with a capital letter, unlike \"g\""},
    {"message M { optional group G = 1; }",
     "2:33: expected \"{\" behind the name of the message, not \";\""},
    {"message M { optional int32 a = 1 [default = 1.5]; }",
     "2:45: expected an integer as the default value, not \"1.5\""},
    {"message M { optional int32 a = 1 [default = 2147483648]; }",
     "2:45: the default value 2147483648 is out of range: -2147483648 to 2147483647"},
    {"message M { optional int32 a = 1 [default = -2147483649]; }",
     "2:45: the default value -2147483649 is out of range: -2147483648 to 2147483647"},
    {"message M { optional uint32 a = 1 [default = -1]; }",
     "2:46: the default value of an unsigned field may not be negative"},
    {"message M { optional bool a = 1 [default = yes]; }",
     "2:44: expected true or false as the default value, not \"yes\""},
    {"message M { optional string a = 1 [default = x]; }",
     "2:46: expected a string in quotes as the default value, not \"x\""},
    {"message M { optional E a = 1 [default = C]; }\nenum E { A = 0; B = 1; }",
     "2:41: no value \"C\" in enum E"},
    {"message M { optional M a = 1 [default = A]; }", "2:41: a message has no default value"},
    {"message M { repeated int32 a = 1 [default = 1]; }",
     "2:35: a repeated field has no default value"},
    {"message M { optional int32 a = 1 [default = 1, default = 2]; }",
     "2:48: the default value is given twice"},
    {"message M { optional float a = 1 [default = x]; }",
     "2:45: expected a number as the default value, not \"x\""},
    {"message M { optional double a = 1 [default = 100000000000000000000]; }",
     "2:46: an integer that does not fit into 64 bits: write it with a point or an exponent"},
    {"message M { optional bytes a = 1 [default = 1]; }",
     "2:45: expected a string in quotes as the default value, not \"1\""},
    {"enum E { option allow_alias = true; A = 0; B = 1; }",
     "2:6: allow_alias is set in enum \"E\", but no two values have the same number"},
    {"enum E { option allow_alias = false; A = 0; }",
     "2:6: allow_alias = false says nothing in enum \"E\": leave it out"},
    {"enum E { A = 0; reserved -3 to -5; }", "2:26: the range -3 to -5 ends before it begins"},
    {"extend M { optional int32 a = 1; }", "2:8: no message \"M\" here or in the imports"},
    {"message M {}\nextend M { optional int32 a = 1; }",
     "3:27: \"M\" has no extension range with the number 1"},
    {"message M { extensions 5; }\nextend M { }",
     "3:12: expected a field in \"extend\", not \"}\""},
    {"message M { extensions 5; }\nextend M { required int32 a = 5; }",
     "3:27: an extension may not be required"},
    {"enum E { A = 0; }\nextend E { optional int32 a = 5; }",
     "3:8: \"E\" is no message: only those are extended"},
    {"message M { extensions 5; }\nextend M { map<int32, int32> a = 5; }",
     "3:12: an extension may not be a map"},
    {"message M { extensions 5; }\nextend M { optional int32 a = 5 [json_name = \"b\"]; }",
     "3:34: an extension has no json_name: in JSON it is [its full name]"},
    {"message M { extensions 5; }\nextend M { optional int32 a = 5; optional int32 b = 5; }",
     "3:49: \"a\" and \"b\" extend \"M\" with the same number 5"},
    {"message M { option message_set_wire_format = true; extensions 4 to max; }\nextend M { "
     "optional int32 a = 5; }",
     "3:27: an extension of a MessageSet is an optional message"},
    {"message M { option message_set_wire_format = true; optional int32 a = 1; }",
     "2:9: a MessageSet has extensions only, no fields"},
    {"message M { option map_entry = true; }",
     "2:20: map_entry is set by protobuf itself: write map<Key, Value>"},
};

static const struct row BARE[] = {
    {"syntax = \"proto4\";", "1:10: no syntax \"proto4\": there are \"proto2\" and \"proto3\""},
    {"syntax = proto3;", "1:10: expected \"proto2\" or \"proto3\", not \"proto3\""},
    {"edition = \"2023\";", "1:1: editions are not supported yet: write syntax = \"proto3\" or "
                            "\"proto2\", or compile the file to a descriptor set"},
    {"package a;\nsyntax = \"proto3\";", "2:1: syntax has to be the first statement"},
};

static int read_file(const char *path, struct buf *ret, struct err *err, void *ctx)
{
    const char *main_text = ctx;
    if (strcmp(path, "main.proto") == 0) {
        buf_add_cstr(ret, main_text);
        return 0;
    }
    for (size_t i = 0; i < T_LEN(FILES); i++) {
        if (strcmp(path, FILES[i].name) == 0) {
            buf_add_cstr(ret, FILES[i].text);
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "no file");
}

/* What is said of a text, as "line:col: message". */
static void check_text(const char *text, const char *wanted)
{
    union {
        const char *in;
        void *ctx;
    } pass = {.in = text};
    struct proto_source_options options = {.read = read_file, .ctx = pass.ctx};
    struct proto_pool *pool = proto_pool_new();
    const struct proto_file_desc *file = NULL;
    struct err err = {0};
    char said[1024];
    int rc = proto_source_load(pool, "main.proto", &options, &file, &err);
    t_check(rc == ERR_INVALID || rc == ERR_NOT_FOUND, "%s: code %d", text, rc);
    t_check(err.pos.file != NULL && err.pos.line > 0 && err.pos.col > 0, "%s: no place", text);
    bool other = strcmp(err.pos.file, "main.proto") != 0;
    (void) snprintf(said, sizeof said, "%s%s%u:%u: %s", other ? err.pos.file : "", other ? ":" : "",
                    err.pos.line, err.pos.col, err.msg);
    t_check(strcmp(said, wanted) == 0, "%s\nsaid:   %s\nwanted: %s", text, said, wanted);
    assert_null(file);
    proto_pool_free(pool);
}

static void check_rows(const struct row *rows, size_t n, const char *first_line)
{
    for (size_t i = 0; i < n; i++) {
        struct buf text;
        buf_init(&text, 4096);
        buf_add_cstr(&text, first_line);
        buf_add_cstr(&text, rows[i].text);
        check_text(text.ptr, rows[i].said);
        buf_done(&text);
    }
}

static void test_wrong_proto3_files_are_told(void **state)
{
    (void) state;
    check_rows(PROTO3, T_LEN(PROTO3), "syntax = \"proto3\";\n");
}

static void test_wrong_proto2_files_are_told(void **state)
{
    (void) state;
    check_rows(PROTO2, T_LEN(PROTO2), "syntax = \"proto2\";\n");
}

static void test_wrong_first_lines_are_told(void **state)
{
    (void) state;
    check_rows(BARE, T_LEN(BARE), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_proto3_files_are_told),
        cmocka_unit_test(test_wrong_proto2_files_are_told),
        cmocka_unit_test(test_wrong_first_lines_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
