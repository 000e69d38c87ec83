/* What is no YAML for us: each mistake's place and its whole message. */
#include "conf/node.h"
#include "support/t.h"

/* A text with its length, as some have a NUL inside. */
#define ROW(text, message)              \
    {                                   \
        text, sizeof(text) - 1, message \
    }

static const struct {
    const char *text;
    size_t len;
    const char *message;
} rows[] = {
    ROW("a: 1\nb\nc: 2\n", "2:1: no \":\" follows \"b\": write \"KEY: VALUE\", or indent the line "
                           "more when it goes on with the text above it"),
    ROW("a:\n\tb: 1\n", "2:1: a tab indents this line: YAML wants blanks there"),
    ROW("a:\n  - b\n\t- c\n", "3:1: a tab indents this line: YAML wants blanks there"),
    ROW("a: |\n\tb\n", "2:1: a tab indents this line: YAML wants blanks there"),
    ROW("a: x\n  y\n\tz: 1\n", "3:1: a tab indents this line: YAML wants blanks there"),
    ROW("a: b: c\n", "1:5: unexpected \":\": a key begins its own line, indented like its "
                     "neighbors, and a text with \": \" inside needs quotes"),
    ROW("a: 1\n  b: 2\n", "2:4: unexpected \":\": a key begins its own line, indented like its "
                          "neighbors, and a text with \": \" inside needs quotes"),
    ROW("a: - b\n", "1:4: a list item \"- \" cannot begin here: put it on a line of its own, or "
                    "the text in quotes"),
    ROW("a: @b\n", "1:4: a text cannot begin with \"@\": put \"@b\" in quotes"),
    ROW("a: `b`\n", "1:4: a text cannot begin with \"`\": put \"`b`\" in quotes"),
    ROW("a: %b\n", "1:4: a text cannot begin with \"%\": put \"%b\" in quotes"),
    ROW("%a\n", "1:1: a line that begins with \"%\" is a directive, and %YAML 1.2 is the only one "
                "that is of use: put a text that begins with \"%\" in quotes"),
    ROW("a: \"b\nc: d\n",
        "1:4: the quote that begins here is not closed until the end of the file"),
    ROW("a: 'b\n", "1:4: the quote that begins here is not closed until the end of the file"),
    ROW("a: \"b\n---\nc\"\n",
        "1:4: the quote that begins here is not closed before the document ends in line 2"),
    ROW("a: \"\\q\"\n", "1:5: \"\\q\" is no escape of texts in double quotes: write \"\\\\\" for a "
                        "backslash, or use single quotes"),
    ROW("a: \"\\u12\"\n", "1:5: \"\\u12\": \\x needs 2 hexadecimal digits behind it, \\u 4 and \\U "
                          "8; write \"\\\\\" for a backslash"),
    ROW("a: \"\\uD800\"\n", "1:5: \"\\uD800\" is no character: \\u and \\U take code points up to "
                            "10FFFF without D800 to DFFF"),
    ROW("a: \"b\"c\n", "1:7: unexpected \"c\" behind a value that is complete: put the whole text "
                       "in quotes, or begin a new line"),
    ROW("a: [1, 2\nb: 3\n",
        "2:2: unexpected \":\": \",\" or \"]\" should follow in the list that began at 1:4"),
    ROW("a: {b: 1 c: 2}\n",
        "1:11: unexpected \":\": \",\" or \"}\" should follow in the map that began at 1:4"),
    ROW("a: [1 2, {b}\n", "1:4: the list that begins here has no \"]\" until the end of the file"),
    ROW("a: {b: ${c d}}\n", "1:9: unexpected \"{c\" behind \"$\": put a text with \"${\" in quotes "
                            "inside of [..] and {..}, as \"{\" begins a map there"),
    ROW("a: [${}]\n", "1:6: unexpected \"{}]\" behind \"$\": put a text with \"${\" in quotes "
                      "inside of [..] and {..}, as \"{\" begins a map there"),
    ROW("a: b\n- c\n",
        "2:1: unexpected \"-\": the map that began at 1:1 goes on with a key in that column"),
    ROW("- a\nb: c\n",
        "2:1: unexpected \"b:\": the list that began at 1:1 goes on with \"- \" in that column"),
    ROW("a:\n  b: 1\n c: 2\n",
        "3:2: unexpected \"c:\": the map that began at 1:1 goes on with a key in that column"),
    ROW("a:\n- b\n  c\n- d: 1\n e\n",
        "5:2: unexpected \"e\": the map that began at 1:1 goes on with a key in that column"),
    ROW("a: b\n]\n",
        "2:1: unexpected \"]\": the map that began at 1:1 goes on with a key in that column"),
    ROW("a: ]\n",
        "1:4: unexpected \"]\" where a value should be: put a text that begins so in quotes"),
    ROW("a: |x\n  b\n", "1:5: unexpected \"x\" behind \"|\" or \">\": the text begins in the next "
                        "line, and a text that begins with \"|\" or \">\" needs quotes"),
    ROW("a: |0\n  b\n", "1:5: a text after \"|\" or \">\" is indented by 1 to 9 blanks, not by 0"),
    ROW("a: *\n", "1:4: \"*\" begins an alias and wants a name of letters, digits, \"_\" and "
                  "\"-\": put a text that begins with \"*\" in quotes"),
    ROW("a: & b\n", "1:4: \"&\" begins an anchor and wants a name of letters, digits, \"_\" and "
                    "\"-\": put a text that begins with \"&\" in quotes"),
    ROW("? a\n? - b\n", "2:3: a list is a key here: only texts may be keys; a text that begins "
                        "with \"? \" needs quotes"),
    ROW("a: *b\n",
        "1:4: the alias *b has no anchor &b above it; a text that begins with \"*\" needs quotes"),
    ROW("a: &b [*b]\n",
        "1:8: the alias *b stands inside of its own anchor &b: a value cannot contain itself"),
    ROW("a: !!str 1\n", "1:4: the tag !!str is not supported: leave it out; a text in quotes is "
                        "always text, and a text that begins with \"!\" needs quotes"),
    ROW("a: !b c\n", "1:4: the tag !b is not supported: leave it out; a text in quotes is always "
                     "text, and a text that begins with \"!\" needs quotes"),
    ROW("a: !<x> c\n", "1:4: the tag x is not supported: leave it out; a text in quotes is always "
                       "text, and a text that begins with \"!\" needs quotes"),
    ROW("a: !b!c d\n", "1:4: \"!\" begins a tag, and tags are not supported: put a text that "
                       "begins with \"!\" in quotes"),
    ROW("<<: {a: 1}\n", "1:1: the merge key \"<<\" is not supported: write the keys out, or use an "
                        "alias for a whole value"),
    ROW("[a]: b\n", "1:1: a list is a key here: only texts may be keys; a text that begins with "
                    "\"[\" or \"{\" needs quotes"),
    ROW("{{a}}: b\n", "1:1: a map is a key here: only texts may be keys; a text that begins with "
                      "\"[\" or \"{\" needs quotes"),
    ROW("? [a, b]\n: c\n", "1:3: a list is a key here: only texts may be keys; a text that begins "
                           "with \"[\" or \"{\" needs quotes"),
    ROW("&x [a]: 1\n", "1:1: a list is a key here: only texts may be keys; a text that begins with "
                       "\"[\" or \"{\" needs quotes"),
    ROW("a: 1\nb: 2\n\"a\": 3\n",
        "3:1: the key \"a\" is given twice in one map: first at 1:1; remove one of them"),
    ROW("{a: 1, a: 2}\n",
        "1:8: the key \"a\" is given twice in one map: first at 1:2; remove one of them"),
    ROW("\346\227\245\346\234\254: x\n: \377\n",
        "2:3: the byte 0xFF is not UTF-8: save the file as UTF-8"),
    ROW("a: \355\240\200\n", "1:4: the byte 0xED is not UTF-8: save the file as UTF-8"),
    ROW("\377\376a\000", "1:1: the file is UTF-16: save it as UTF-8"),
    ROW("a: \000\n", "1:4: the control character U+0000: only tabs and line breaks may be in YAML; "
                     "in a text in double quotes write \"\\x00\""),
    ROW("a\n\007\n", "2:1: the control character U+0007: only tabs and line breaks may be in YAML; "
                     "in a text in double quotes write \"\\x07\""),
    ROW("a: \357\273\277b\n", "1:4: a byte order mark (U+FEFF) inside the text: it may only be the "
                              "very first character; remove it"),
    ROW("a: b\n--- c\nd: e\n", "3:2: unexpected \":\": a key begins its own line, indented like "
                               "its neighbors, and a text with \": \" inside needs quotes"),
    ROW("%YAML 1.2\n%YAML 1.2\n---\na\n", "2:1: the same directive for the second time: remove it"),
    ROW("%YAML 3.0\n---\na\n",
        "1:1: this version of YAML is not known: write %YAML 1.2, or leave the line out"),
    ROW("a: b\n... c\n", "2:5: unexpected \"c\" behind a value that is complete: put the whole "
                         "text in quotes, or begin a new line"),
    ROW("[a\n---\n",
        "2:1: unexpected \"---\": \",\" or \"]\" should follow in the list that began at 1:1"),
    ROW("key: [a]b\n", "1:9: unexpected \"b\" behind a value that is complete: put the whole text "
                       "in quotes, or begin a new line"),
    ROW("{?a: b}\n", "1:3: \"?\" right before this: put a text that begins with \"?\" in quotes"),
    ROW("[?a]\n", "1:3: \"?\" right before this: put a text that begins with \"?\" in quotes"),
    ROW("a: &b:c d\n", "1:4: \":\" in the name of an anchor: a name has letters, digits, \"_\" and "
                       "\"-\"; put a text that begins with \"&\" in quotes"),
    ROW("a: [1, 2", "1:4: the list that begins here has no \"]\" until the end of the file"),
    ROW("- {a: [1],\n",
        "2:1: the file ends where a value should be: a \"[\" or \"{\" above is not closed"),
    ROW("a: {b: ${c", "1:9: unexpected \"{c\" behind \"$\": put a text with \"${\" in quotes "
                      "inside of [..] and {..}, as \"{\" begins a map there"),
    ROW("a: [1,\tb\n", "1:4: the list that begins here has no \"]\" until the end of the file"),
    ROW(": a\n", "1:1: a key should stand before this \":\": an empty one is written \"\""),
    ROW("\"a\" \"b\"\n", "1:5: unexpected '\"b\"' behind a value that is complete: put the whole "
                         "text in quotes, or begin a new line"),
};

static void test_errors_say_what_was_seen_and_what_would_be_right(void **state)
{
    (void) state;
    T_TABLE(row, rows)
    {
        struct conf_file file;
        struct err err = {.code = ERR_NONE};
        char got[600];
        int rc = conf_parse("a.yaml", (struct str){row->text, row->len}, &file, &err);
        t_check(rc == ERR_INVALID, "\"%s\" gives %d", row->text, rc);
        assert_string_equal(err.pos.file, "a.yaml");
        (void) snprintf(got, sizeof got, "%u:%u: %s", err.pos.line, err.pos.col, err.msg);
        t_check(strcmp(got, row->message) == 0, "of\n%s\ngot  %s\nwant %s", row->text, got,
                row->message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_say_what_was_seen_and_what_would_be_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
