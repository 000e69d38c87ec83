/*
 * libyaml's errors made into sentences: what was seen, what would be right.  libyaml names an error
 * by a problem, and often by what it was doing (the context, with the place where that began).
 */
#include "conf/compose_int.h"

#include "base/buf.h"
#include "conf/text_int.h"

#include <string.h>

/* Which of libyaml's two places is the one to look at; its place of an escape may be behind it. */
enum where { AT_PROBLEM, AT_CONTEXT, AT_ESCAPE };

struct sentence {
    const char *problem; /* libyaml's words; the first entry whose begin and context fit is taken */
    const char *context; /* a part of libyaml's words, or NULL for any */
    enum where where;
    /* $S what was seen there, $E the escape, $C where the context began, $P the problem's line */
    const char *text;
    const char *midline; /* instead of text, when something else stands before it in its line */
};

static const char tabs[] = "a tab indents this line: YAML wants blanks there";
static const char tag[] = "\"!\" begins a tag, and tags are not supported: put a text that begins "
                          "with \"!\" in quotes";
static const char directive[] =
    "a line that begins with \"%\" is a directive, and %YAML 1.2 is the only one that is of use: "
    "put a text that begins with \"%\" in quotes";

static const char behind[] = "unexpected $S behind a value that is complete: put the whole text in "
                             "quotes, or begin a new line";
static const char variable[] =
    "unexpected $S behind \"$\": put a text with \"${\" in quotes inside "
    "of [..] and {..}, as \"{\" begins a map there";

static const struct sentence sentences[] = {
    {"mapping values are not allowed", NULL, AT_PROBLEM,
     "unexpected \":\": a key begins its own line, indented like its neighbors, and a text with "
     "\": \" inside needs quotes",
     NULL},
    {"mapping keys are not allowed", NULL, AT_PROBLEM,
     "unexpected \"?\": a text that begins with \"? \" needs quotes", NULL},
    {"block sequence entries are not allowed", NULL, AT_PROBLEM,
     "a list item \"- \" cannot begin here: put it on a line of its own, or the text in quotes",
     NULL},
    {"could not find expected ':'", NULL, AT_CONTEXT,
     "no \":\" follows $S: write \"KEY: VALUE\", or indent the line more when it goes on with the "
     "text above it",
     NULL},
    {"found unexpected end of stream", "quoted", AT_CONTEXT,
     "the quote that begins here is not closed until the end of the file", NULL},
    {"found unexpected document indicator", NULL, AT_CONTEXT,
     "the quote that begins here is not closed before the document ends in line $P", NULL},
    {"found unknown escape character", NULL, AT_ESCAPE,
     "$E is no escape of texts in double quotes: write \"\\\\\" for a backslash, or use single "
     "quotes",
     NULL},
    {"did not find expected hexdecimal", NULL, AT_ESCAPE,
     "$E: \\x needs 2 hexadecimal digits behind it, \\u 4 and \\U 8; write \"\\\\\" for a "
     "backslash",
     NULL},
    {"found invalid Unicode character escape", NULL, AT_ESCAPE,
     "$E is no character: \\u and \\U take code points up to 10FFFF without D800 to DFFF", NULL},
    {"found a tab character", NULL, AT_PROBLEM, tabs, NULL},
    {"found an indentation indicator equal to 0", NULL, AT_PROBLEM,
     "a text after \"|\" or \">\" is indented by 1 to 9 blanks, not by 0", NULL},
    {"did not find expected comment or line break", "block scalar", AT_PROBLEM,
     "unexpected $S behind \"|\" or \">\": the text begins in the next line, and a text that "
     "begins "
     "with \"|\" or \">\" needs quotes",
     NULL},
    {"did not find expected alphabetic", "alias", AT_CONTEXT,
     "\"*\" begins an alias and wants a name of letters, digits, \"_\" and \"-\": put a text that "
     "begins with \"*\" in quotes",
     NULL},
    {"did not find expected alphabetic", "anchor", AT_CONTEXT,
     "\"&\" begins an anchor and wants a name of letters, digits, \"_\" and \"-\": put a text that "
     "begins with \"&\" in quotes",
     NULL},
    {"found unexpected ':'", NULL, AT_PROBLEM,
     "unexpected \":\" inside of [..] or {..}: write a blank behind it, or put the text in quotes",
     NULL},
    {"", "directive", AT_CONTEXT, directive, NULL},
    {"found duplicate %", NULL, AT_PROBLEM, "the same directive for the second time: remove it",
     NULL},
    {"found incompatible YAML", NULL, AT_PROBLEM,
     "this version of YAML is not known: write %YAML 1.2, or leave the line out", NULL},
    {"found undefined tag handle", NULL, AT_PROBLEM, tag, NULL},
    {"", "tag", AT_CONTEXT, tag, NULL},
    {"did not find expected <document start>", NULL, AT_PROBLEM,
     "unexpected $S: the value above is complete; indent this like the lines before it, or begin "
     "another document with \"---\"",
     behind},
    {"did not find expected node content", NULL, AT_PROBLEM,
     "unexpected $S where a value should be: put a text that begins so in quotes", NULL},
    {"did not find expected '-'", NULL, AT_PROBLEM,
     "unexpected $S: the list that began at $C goes on with \"- \" in that column", behind},
    {"did not find expected key", NULL, AT_PROBLEM,
     "unexpected $S: the map that began at $C goes on with a key in that column", behind},
    {"did not find expected ',' or ']'", NULL, AT_PROBLEM,
     "unexpected $S: \",\" or \"]\" should follow in the list that began at $C", NULL},
    {"did not find expected ',' or '}'", NULL, AT_PROBLEM,
     "unexpected $S: \",\" or \"}\" should follow in the map that began at $C", NULL},
};

static bool contains(const char *text, const char *part)
{
    return text != NULL && strstr(text, part) != NULL;
}

static const struct sentence *find(const yaml_parser_t *parser)
{
    struct str problem = str_of(parser->problem);
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        const struct sentence *s = &sentences[i];
        if (str_starts_with(problem, str_of(s->problem)) &&
            (s->context == NULL || contains(parser->context, s->context))) {
            return s;
        }
    }
    return NULL;
}

/* The escape at a backslash: `"\q"`, of hexadecimal ones up to 8 digits. */
static void add_escape(struct buf *b, struct str from)
{
    size_t n = 0, len = 1;
    if (from.len > 1) {
        struct str next = {from.ptr + 1, from.len - 1};
        (void) text_char(next, &n);
        len += n;
    }
    bool hex = len == 2 && str_find_char(STR("xuU"), from.ptr[1]) < 3;
    while (hex && len < from.len && len < 10 &&
           str_find_char(STR("0123456789abcdefABCDEF"), from.ptr[len]) < 22) {
        len++;
    }
    buf_add_char(b, '"');
    buf_add(b, from.ptr, from.len < len ? from.len : len);
    buf_add_char(b, '"');
}

struct places {
    struct str text; /* of the file */
    struct pos at;
    const yaml_mark_t *context, *problem;
};

/* What stands at the place and behind it in its line. */
static struct str here(const struct places *p)
{
    return text_from_col(text_line(p->text, p->at.line), p->at.col);
}

/* What stands before the place in its line. */
static struct str before(const struct places *p)
{
    struct str line = text_line(p->text, p->at.line);
    return (struct str){line.ptr, line.len - here(p).len};
}

static void add_placeholder(struct buf *b, char which, const struct places *p)
{
    char seen[64];
    switch (which) {
    case 'S':
        buf_add_cstr(b, text_seen(p->text, p->at.line, p->at.col, seen));
        break;
    case 'C':
        buf_addf(b, "%zu:%zu", p->context->line + 1, p->context->column + 1);
        break;
    case 'P':
        buf_add_u64(b, p->problem->line + 1);
        break;
    default:
        add_escape(b, here(p));
        break;
    }
}

static void fill(const char *text, const struct places *p, struct buf *b)
{
    for (; *text != '\0'; text++) {
        if (*text == '$' && strchr("SECP", text[1]) != NULL) {
            add_placeholder(b, *++text, p);
        } else {
            buf_add_char(b, *text);
        }
    }
}

/* A character that begins no token: a tab, or one that YAML keeps for itself. */
static void explain_character(const struct places *p, struct buf *b)
{
    struct str rest = here(p);
    if (rest.len > 0 && rest.ptr[0] == '\t') {
        buf_add_cstr(b, tabs);
    } else {
        buf_addf(b, "a text cannot begin with \"%.*s\": put ", rest.len > 0, rest.ptr);
        fill("$S in quotes", p, b);
    }
}

/* libyaml may be behind the backslash, by an "x" or all digits. */
static void step_back_to_escape(struct places *p)
{
    struct str left = before(p);
    if (str_starts_with(here(p), STR("\\"))) {
        return;
    }
    for (unsigned back = 1; back <= 10 && back <= left.len; back++) {
        if (left.ptr[left.len - back] == '\\') {
            p->at.col -= back;
            return;
        }
    }
}

static bool at_end_of_file(const struct places *p)
{
    char seen[64];
    return strcmp(text_seen(p->text, p->at.line, p->at.col, seen), "end of the file") == 0;
}

/* A list or map that is open when the file ends is looked for where it began. */
static const char *choose_open(const struct sentence *sentence, struct places *p)
{
    bool list = sentence->problem[strlen(sentence->problem) - 2] == ']';
    if (!at_end_of_file(p)) {
        return NULL;
    }
    p->at.line = (unsigned) p->context->line + 1;
    p->at.col = (unsigned) p->context->column + 1;
    return list ? "the list that begins here has no \"]\" until the end of the file"
                : "the map that begins here has no \"}\" until the end of the file";
}

static const char *choose_text(const struct sentence *sentence, struct places *p)
{
    struct str left = before(p);
    if (str_starts_with(str_of(sentence->problem), STR("did not find expected ','"))) {
        const char *open = choose_open(sentence, p);
        if (open != NULL || str_ends_with(left, STR("$"))) {
            return open != NULL ? open : variable;
        }
    }
    if (str_starts_with(str_of(sentence->problem), STR("did not find expected node content")) &&
        at_end_of_file(p)) {
        return "the file ends where a value should be: a \"[\" or \"{\" above is not closed";
    }
    if (str_starts_with(str_of(sentence->problem), STR("did not find expected key")) &&
        str_starts_with(here(p), STR(":"))) {
        return "a key should stand before this \":\": an empty one is written \"\"";
    }
    bool midline = sentence->midline != NULL && str_trim(left).len > 0;
    return midline ? sentence->midline : sentence->text;
}

int compose_explain(const yaml_parser_t *parser, const struct conf_file *file, struct err *err)
{
    const struct sentence *sentence = find(parser);
    bool context = sentence != NULL && sentence->where == AT_CONTEXT;
    const yaml_mark_t *mark = context ? &parser->context_mark : &parser->problem_mark;
    struct places p = {.text = file->text,
                       .at = {file->name, (unsigned) mark->line + 1, (unsigned) mark->column + 1},
                       .context = &parser->context_mark,
                       .problem = &parser->problem_mark};
    char message[sizeof err->msg];
    struct buf b;
    buf_init_fixed(&b, message, sizeof message);
    if (sentence != NULL && sentence->where == AT_ESCAPE) {
        step_back_to_escape(&p);
    }
    if (sentence != NULL) {
        fill(choose_text(sentence, &p), &p, &b);
    } else if (contains(parser->problem, "cannot start any token")) {
        explain_character(&p, &b);
    } else {
        buf_addf(&b, "this is no YAML: %s%s%s", parser->problem == NULL ? "?" : parser->problem,
                 parser->context == NULL ? "" : " ",
                 parser->context == NULL ? "" : parser->context);
    }
    int code = err_set(err, ERR_INVALID, "%s", message);
    if (err != NULL) {
        err->pos = p.at;
    }
    return code;
}
