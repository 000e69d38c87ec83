#include "cli/shell_word.h"

#include "apitest/report.h"

#include <string.h>

void shell_word(struct buf *b, const char *word)
{
    if (word[0] != '\0' &&
        strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                     "_-./:=@,%+[]") == strlen(word)) {
        buf_add_cstr(b, word);
    } else {
        apitest_shell_quote(b, str_of(word));
    }
}
