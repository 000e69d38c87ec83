#pragma once
/* Between the files that load a suite. */
#include "apitest/suite.h"

/* What is known while a test is being read. */
struct suite_reader {
    struct apitest_suite *suite;
    struct apitest_load *load;
    struct conf_diags *diags;
    struct apitest_test *test;
    const struct proto_pool *pool;       /* of the test; NULL for HTTP without one */
    const struct conf_node *defaults[2]; /* of the test, of the file; may be NULL */
    struct apitest_scope scope;          /* of the file, then of the test: names for checking */
};

/* Memory that the suite's arena gives; a full arena is an error of the file, told once. */
void *suite_alloc(struct suite_reader *r, size_t n, size_t size);

/* Descriptors of a test by its proto, protoSet or reflection.  NULL with errors. */
const struct proto_pool *suite_pool(struct suite_reader *r, const struct conf_node *test);
/* The service of a test in its pool. NULL with errors. */
const struct proto_service_desc *suite_service(struct suite_reader *r,
                                               const struct conf_node *test);

/* node may be NULL: no names. */
void suite_texts(struct suite_reader *r, const struct conf_node *node, struct str **ret,
                 size_t *ret_len);
/* The key of a case, else of the defaults. */
const struct conf_node *suite_inherit(const struct suite_reader *r, const struct conf_node *node,
                                      const char *key);

/* Reads one case; scope: the names that it may use, saves are added to it. NULL: too wrong. */
struct apitest_case *suite_case(struct suite_reader *r, const struct conf_node *node,
                                enum apitest_role role, struct apitest_scope *scope);
int suite_case_grpc(struct suite_reader *r, struct apitest_case *c,
                    const struct apitest_scope *scope);
int suite_case_http(struct suite_reader *r, struct apitest_case *c,
                    const struct apitest_scope *scope);

/* The key itself of an entry, as a place; NULL: it is not there. */
const struct conf_node *suite_key(const struct conf_node *map, const char *key);

/* The key of vars or save, or an item of requires: something that ${..} can name. */
int suite_variable(struct conf_diags *diags, const struct conf_node *name);

/* Shared by both kinds. */
void suite_meta(struct suite_reader *r, const struct conf_node *map,
                const struct apitest_scope *scope, struct apitest_meta_list *list);
/* All keys of a map as patterns of texts (headers). */
void suite_headers(struct suite_reader *r, const struct conf_node *map,
                   const struct apitest_scope *scope, struct apitest_named_list *ret);
void suite_wire(struct suite_reader *r, const struct conf_node *map,
                const struct apitest_scope *scope, struct apitest_named_list *ret);
/* method: NULL for HTTP. */
void suite_timing(struct suite_reader *r, const struct conf_node *map,
                  const struct proto_method_desc *method, const struct apitest_scope *scope,
                  struct apitest_named_list *ret);
/*
 * What paths begin in: responses and more of gRPC, json and more of HTTP (method NULL), the message
 * itself for a step.
 */
void suite_saves(struct suite_reader *r, const struct conf_node *map,
                 const struct proto_method_desc *method, bool is_step, struct apitest_save **ret,
                 size_t *ret_len);
struct apitest_error *suite_error(struct suite_reader *r, const struct conf_node *node,
                                  const struct apitest_scope *scope);
/* Assertions of a list. */
size_t suite_named_checks(const struct apitest_named_list *list);
