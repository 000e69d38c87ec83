#pragma once
/* The forms in which a secret may stand in a text. */
#include "apitest/scope.h"

/*
 * Of base64 inside a longer text the digits at the ends hold bits of the secret and of its
 * neighbor: they are hidden too.
 */
enum { SECRET_EDGE_BEFORE = 1, SECRET_EDGE_AFTER = 2 };

bool apitest_is_base64(char c);
/* Adds one form; below 4 bytes it is left out. */
void apitest_secrets_form(struct apitest_secrets *secrets, struct str form, unsigned edge);
/* Adds all forms of a value. */
void apitest_secrets_forms(struct apitest_secrets *secrets, struct str value);
