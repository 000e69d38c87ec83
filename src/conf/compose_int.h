#pragma once
/* The two halves of conf_parse: libyaml's events made into nodes, and its errors into sentences. */
#include "conf/node.h"

#include <yaml.h>

/*
 * file: name, text (checked by text_check) and arena are set; gets its documents.  err->pos.file is
 * file->name.  ERR_INVALID or ERR_FULL.
 */
int compose(struct conf_file *file, struct err *err);

/* The sentence for the error at which parser stopped, with its place.  Returns ERR_INVALID. */
int compose_explain(const yaml_parser_t *parser, const struct conf_file *file, struct err *err);
