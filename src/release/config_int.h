#pragma once
/*
 * Inside of the configuration.  A file of this room (config_*.c) builds one section: it reads the
 * merged tree, whose keys and kinds were checked by the tables, so what has a wrong kind has been
 * told and is passed over in silence here; what a builder adds is what tables cannot know.
 */
#include "base/vec.h"
#include "release/config.h"

#define CONFIG_MS_MAX (UINT64_C(90) * 86400 * 1000) /* the longest time of a file */

/* A port whose number in slot b is needed when two copies live side by side. */
struct config_port {
    const char *name;
    const struct conf_node *at; /* the text that has ${port.NAME} */
};

struct config_build {
    struct release_config *c;
    struct conf_diags *diags;
    struct conf_node *root; /* all files merged, with defaults */
    VEC(struct config_port) ports;
    bool fleet_failed; /* the fleet file could not be read: its hosts are not missed */
};

/* Trees.  All memory is of the arena and never NULL. */
void *config_alloc(struct arena *arena, size_t size);
struct conf_node *config_copy(struct arena *arena, const struct conf_node *node);
/* base with over put over it: maps merge, null takes a key away, everything else replaces. */
struct conf_node *config_merge(struct arena *arena, const struct conf_node *base,
                               const struct conf_node *over);
/* Adds what the map lacks.  Other kinds than maps are left as they are. */
void config_fill(struct arena *arena, struct conf_node *map, const struct conf_node *defaults);
void config_put(struct arena *arena, struct conf_node *map, const char *key,
                struct conf_node *value);
/* A plain scalar whose place is that of the defaults; text is copied. */
struct conf_node *config_default(struct config_build *b, const char *text);
/* Whether a value was not written by anybody. */
bool config_is_default(const struct release_config *c, const struct conf_node *node);

/* Defaults */
int config_defaults_load(struct config_build *b);
const struct conf_node *config_defaults(const struct config_build *b, const char *section);

/* dir/path without "." and "..", or path when it is absolute. */
char *config_path(struct arena *arena, const char *dir, const char *path);
/* Paths of hosts and routers, relative to the fleet file, made relative to the release file. */
void config_rebase(struct arena *arena, struct conf_node *fleet, const char *prefix);

/* Readers: NULL, 0, false, empty when the key is missing or of a wrong kind. */
struct conf_node *config_map(const struct conf_node *map, const char *key);
struct conf_node *config_list(const struct conf_node *map, const char *key);
const struct conf_node *config_scalar(const struct conf_node *map, const char *key);
const char *config_text(const struct conf_node *map, const char *key);
bool config_true(const struct conf_node *map, const char *key);
bool config_is(const struct conf_node *map, const char *key, const char *word);
uint32_t config_share(const struct conf_node *map, const char *key);
struct release_texts config_texts(struct config_build *b, const struct conf_node *map,
                                  const char *key);
/* The node of item i of a key that config_texts reads. */
const struct conf_node *config_texts_at(const struct conf_node *map, const char *key, size_t i);
/* The words of a command: one text has to be one word. */
struct release_texts config_words(struct config_build *b, const struct conf_node *map,
                                  const char *key);
struct release_pairs config_pairs(struct config_build *b, const struct conf_node *map,
                                  const char *key);
/* These two tell what is out of range. */
uint64_t config_ms(struct config_build *b, const struct conf_node *map, const char *key);
uint64_t config_number(struct config_build *b, const struct conf_node *map, const char *key,
                       uint64_t min, uint64_t max);
/* [A-Za-z0-9_][A-Za-z0-9._-]*, at most 64; else tells that `what` cannot be called so. */
bool config_name(struct config_build *b, const struct conf_node *node, const char *what);
bool config_is_env_name(const char *name);
bool config_has(struct release_texts texts, const char *word);
/* `unknown WHAT "x"HINT`: did you mean, or `: one of a, b`. */
void config_unknown(struct config_build *b, const struct conf_node *node, const char *what,
                    const char *const *choice, size_t n);
/* The value of a nested map, such as {"rolling", "keep_up", "total", NULL}; NULL. */
const struct conf_node *config_find(const struct conf_node *map, const char *const *path);

/*
 * Templates.  Looks at all variables of a text; with ON_HOST those of a host are there, and ports
 * have to be those of every host; with SLOT the port is needed in slot b, too.
 */
enum { CONFIG_ON_HOST = 1, CONFIG_SLOT = 2 };
void config_template(struct config_build *b, const struct conf_node *node, const char *text,
                     unsigned flags);
/* Every text of a key that config_texts or config_pairs reads. */
void config_templates(struct config_build *b, const struct conf_node *map, const char *key,
                      unsigned flags);

/* Sections, in this order */
void config_fleet(struct config_build *b);
void config_service(struct config_build *b); /* driver, programs, images, secrets */
void config_peer(struct config_build *b);
void config_roles(struct config_build *b);
void config_connects(struct config_build *b);
void config_migration(struct config_build *b);
void config_tests(struct config_build *b);
void config_hooks(struct config_build *b);
void config_canary(struct config_build *b);
void config_spec(struct config_build *b);    /* rolling, order, swap; the engine's view */
void config_keep_up(struct config_build *b); /* whether any host may leave at all */
void config_chain(struct config_build *b);   /* warnings about times that contradict one another */

const struct release_program *config_program(const struct release_config *c, const char *name);
const struct release_port *config_port(const struct release_host *host, struct str name);
extern const char *const config_role_name[ROLES];
