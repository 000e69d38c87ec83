#pragma once
/* The reference of files of API tests in Markdown, from the tables that the loader itself uses. */
#include "base/buf.h"

void test_reference(struct buf *b);
