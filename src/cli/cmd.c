/* Reads a command line by the tables of commands and options. */
#include "cli/cmd.h"

#include "base/buf.h"
#include "base/str.h"

#include <string.h>

#define MAX_NAMES 128

void cli_init(struct cli *cli)
{
    *cli = (struct cli){
        .timeout_ms = 10000,
        .requests = 400,
        .confidence = 0.999,
        .dwell_ms = 10000,
        .interval_ms = 1000,
        .test = {.jobs = 1, .count = 1, .concurrency = 1},
        .stages = {.share_ppm = {0, 1000, 10000, 100000, 500000, 1000000}, .len = 6},
    };
}

void cli_done(struct cli *cli)
{
    vec_done(&cli->routers);
    vec_done(&cli->visits);
    vec_done(&cli->kinds);
    vec_done(&cli->release_files);
    cli_test_done(&cli->test);
}

static const struct opt *find_in(const struct opt *table, struct str name, char letter)
{
    for (; table->name != NULL; table++) {
        bool same = letter != 0 ? table->letter == letter : str_eq_cstr(name, table->name);
        if (same) {
            return table;
        }
    }
    return NULL;
}

const struct opt *cmd_find_opt(const struct cmd *cmd, struct str name, char letter)
{
    const struct opt *opt = NULL;
    /* A command's own --json FILE goes before the one that all commands have. */
    for (size_t i = 0; opt == NULL && cmd != NULL && cmd->option[i] != NULL; i++) {
        opt = find_in(cmd->option[i], name, letter);
    }
    return opt != NULL ? opt : find_in(opt_global, name, letter);
}

/* Appends `; did you mean "X"?` when one of the names is near. */
static int unknown(const char *what, struct str seen, const char *dashes, const char *const *name,
                   size_t n, const char *help, struct err *err)
{
    const char *near = str_nearest(seen, name, n);
    if (near != NULL) {
        return err_set(err, ERR_INVALID, "there is no %s \"%s" STR_FMT "\"; did you mean \"%s%s\"?",
                       what, dashes, STR_ARG(seen), dashes, near);
    }
    return err_set(err, ERR_INVALID, "there is no %s \"%s" STR_FMT "\"; see \"%s\"", what, dashes,
                   STR_ARG(seen), help);
}

static int unknown_opt(const struct cmd *cmd, struct str name, struct err *err)
{
    const char *names[MAX_NAMES];
    char help[128];
    struct buf b;
    size_t n = 0;
    for (const struct opt *o = opt_global; o->name != NULL; o++) {
        names[n++] = o->name;
    }
    for (size_t i = 0; cmd != NULL && cmd->option[i] != NULL; i++) {
        for (const struct opt *o = cmd->option[i]; o->name != NULL && n < MAX_NAMES; o++) {
            names[n++] = o->name;
        }
    }
    buf_init_fixed(&b, help, sizeof help);
    buf_addf(&b, "pourover %s%s--help", cmd != NULL ? cmd->name : "", cmd != NULL ? " " : "");
    return unknown("option", name, "--", names, n, help, err);
}

static int take_opt(struct cli *cli, const struct opt *opt, const char *value, struct err *err)
{
    int code = opt->take(cli, value, err);
    return code != 0 ? err_wrap(err, "--%s", opt->name) : 0;
}

/* One word that begins with "--"; *i is advanced when the next word is its value. */
static int take_long(struct cli *cli, int argc, char **argv, int *i, struct err *err)
{
    struct str word = str_of(argv[*i] + 2);
    struct str name = {word.ptr, str_find_char(word, '=')};
    const char *value = name.len < word.len ? name.ptr + name.len + 1 : NULL;
    const struct opt *opt = cmd_find_opt(cli->cmd, name, 0);
    if (opt == NULL) {
        return unknown_opt(cli->cmd, name, err);
    }
    if (opt->arg == NULL && value != NULL) {
        return err_set(err, ERR_INVALID, "--%s takes no value, not \"%s\"", opt->name, value);
    }
    bool may_lack =
        opt->arg != NULL && opt->arg[0] == '[' && str_ends_with(str_of(opt->arg), STR("]"));
    bool has_number = *i + 1 < argc && str_is_digit(argv[*i + 1][0]);
    if (opt->arg != NULL && value == NULL && (!may_lack || has_number)) {
        if (*i + 1 >= argc) {
            return err_set(err, ERR_INVALID, "--%s lacks its value: --%s %s", opt->name, opt->name,
                           opt->arg);
        }
        value = argv[++*i];
    }
    return take_opt(cli, opt, value, err);
}

/* One word of letters, "-qv"; the last may take a value: "-f FILE", "-fFILE". */
static int take_letters(struct cli *cli, int argc, char **argv, int *i, struct err *err)
{
    for (const char *c = argv[*i] + 1; *c != '\0'; c++) {
        const struct opt *opt = cmd_find_opt(cli->cmd, STR(""), *c);
        const char *value = NULL;
        if (opt == NULL) {
            return err_set(err, ERR_INVALID, "there is no option \"-%c\"; see \"pourover --help\"",
                           *c);
        }
        if (opt->arg != NULL && c[1] == '\0' && *i + 1 >= argc) {
            return err_set(err, ERR_INVALID, "-%c lacks its value: -%c %s", *c, *c, opt->arg);
        }
        if (opt->arg != NULL) {
            value = c[1] != '\0' ? c + 1 : argv[++*i];
        }
        int code = take_opt(cli, opt, value, err);
        if (code != 0 || value != NULL) {
            return code;
        }
    }
    return 0;
}

/* Whether the words from argv[at] on begin with the name of the command; sets how many it has. */
static bool is_named(const struct cmd *cmd, int argc, char **argv, int at, int *ret_words)
{
    struct str word, rest = str_of(cmd->name);
    int n = 0;
    while (str_cut(&rest, ' ', &word)) {
        if (at + n >= argc || !str_eq_cstr(word, argv[at + n])) {
            return false;
        }
        n++;
    }
    *ret_words = n;
    return true;
}

/* The first or, in a group, second words that there are. */
static size_t collect_words(const char *group, const char *name[], char (*store)[32])
{
    size_t n = 0;
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        struct str head, rest = str_of(cmd_table[i]->name);
        (void) str_cut(&rest, ' ', &head);
        if (group != NULL && !str_eq_cstr(head, group)) {
            continue;
        }
        struct str word = group != NULL ? rest : head;
        struct buf b;
        buf_init_fixed(&b, store[n], sizeof store[n]);
        buf_add_str(&b, word);
        name[n] = store[n];
        n += word.len > 0;
    }
    return n;
}

static bool is_group(const char *word)
{
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        size_t len = strlen(word);
        if (strncmp(cmd_table[i]->name, word, len) == 0 && cmd_table[i]->name[len] == ' ') {
            return true;
        }
    }
    return false;
}

/* The command of a group that is called by its last word alone, such as "status"; or NULL. */
static const char *name_in_group(const char *word)
{
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        const char *space = strchr(cmd_table[i]->name, ' ');
        if (space != NULL && strcmp(space + 1, word) == 0) {
            return cmd_table[i]->name;
        }
    }
    return NULL;
}

/* What people call it who have not read the help. */
static const char *synonym_of(const char *word)
{
    static const char *const list[][2] = {
        {"abort", "rollback\" or \"pause"},
        {"cancel", "rollback\" or \"pause"},
        {"stop", "pause\" or \"rollback"},
        {"undo", "rollback"},
        {"revert", "rollback"},
        {"deploy", "release"},
        {"continue", "resume"},
        {"log", "logs"},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (strcmp(list[i][0], word) == 0) {
            return list[i][1];
        }
    }
    return NULL;
}

static int find_cmd(struct cli *cli, int argc, char **argv, int at, int *ret_words, struct err *err)
{
    const char *name[MAX_NAMES];
    char store[MAX_NAMES][32];
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        if (is_named(cmd_table[i], argc, argv, at, ret_words)) {
            cli->cmd = cmd_table[i];
            return 0;
        }
    }
    const char *word = argv[at];
    const char *whole = synonym_of(word);
    whole = whole != NULL ? whole : name_in_group(word);
    if (whole != NULL) {
        return err_set(err, ERR_INVALID, "there is no command \"%s\"; did you mean \"%s\"?", word,
                       whole);
    }
    if (!is_group(word)) {
        size_t n = collect_words(NULL, name, store);
        return unknown("command", str_of(word), "", name, n, "pourover --help", err);
    }
    if (at + 1 < argc && argv[at + 1][0] != '-') {
        char what[64], help[64];
        size_t n = collect_words(word, name, store);
        buf_print(what, sizeof what, "%.32s command", word);
        buf_print(help, sizeof help, "pourover %.32s --help", word);
        return unknown(what, str_of(argv[at + 1]), "", name, n, help, err);
    }
    *ret_words = 1; /* "pourover router": the caller lists the group */
    cli->operand[cli->noperands++] = word;
    return 0;
}

static int check_operands(const struct cli *cli, struct err *err)
{
    const struct cmd *cmd = cli->cmd;
    if (cmd == NULL || cli->wants_help) {
        return 0;
    }
    if (cli->noperands < cmd->operands_min) {
        return err_set(err, ERR_INVALID, "%s lacks its operand: pourover %s %s", cmd->name,
                       cmd->name, cmd->operand);
    }
    if (cli->noperands > cmd->operands_max) {
        return err_set(err, ERR_INVALID, "%s: \"%s\" is one operand too many: pourover %s%s%s",
                       cmd->name, cli->operand[cmd->operands_max], cmd->name,
                       cmd->operand != NULL ? " " : "", cmd->operand != NULL ? cmd->operand : "");
    }
    if (cli->release_files.len > 1 && !cmd->several) {
        return err_set(err, ERR_INVALID,
                       "%s is about one service, and \"%s\" and \"%s\" are two release files: give "
                       "it for each by itself",
                       cmd->name, cli->release_files.ptr[0], cli->release_files.ptr[1]);
    }
    return 0;
}

/* A word that is not an option: the command's name, or an operand of it. */
static int take_word(struct cli *cli, int argc, char **argv, int *i, struct err *err)
{
    if (cli->cmd == NULL && cli->noperands == 0) {
        int words = 1;
        int code = find_cmd(cli, argc, argv, *i, &words, err);
        *i += words - 1;
        return code;
    }
    if (cli->noperands == CLI_OPERANDS_MAX) {
        return err_set(err, ERR_INVALID, "\"%s\" is one operand too many", argv[*i]);
    }
    cli->operand[cli->noperands++] = argv[*i];
    return 0;
}

int cmd_parse(struct cli *cli, int argc, char **argv, struct err *err)
{
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        int code;
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        if (!only_words && strncmp(word, "--", 2) == 0) {
            code = take_long(cli, argc, argv, &i, err);
        } else if (!only_words && word[0] == '-' && word[1] != '\0' &&
                   (word[1] < '0' || word[1] > '9')) { /* "-5%" is a wrong operand, no option */
            code = take_letters(cli, argc, argv, &i, err);
        } else {
            code = take_word(cli, argc, argv, &i, err);
        }
        if (code != 0) {
            return code;
        }
    }
    return check_operands(cli, err);
}
