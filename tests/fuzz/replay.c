/*
 * Runs one fuzz target over the files of its kept corpus, one TAP test a file, so that an input
 * that once broke a parser is tried in every build.  usage: replay_TARGET CORPUS-DIR
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Longer inputs than this teach nothing about parsers whose own limits are lower. */
enum { INPUT_MAX = 1 << 20 };

static int replay_file(const char *dir, const char *name, uint8_t *buf)
{
    char path[4096];
    FILE *file;
    size_t len;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int) sizeof(path)) {
        return -1;
    }
    file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    len = fread(buf, 1, INPUT_MAX, file);
    fclose(file);

    /* A copy of the exact length lets ASan see a read past the end. */
    uint8_t *exact = malloc(len > 0 ? len : 1);
    if (exact == NULL) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        exact[i] = buf[i];
    }
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return 0;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    int count = argc == 2 ? scandir(argv[1], &entries, is_input, alphasort) : -1;
    uint8_t *buf = malloc(INPUT_MAX);

    if (count <= 0 || buf == NULL) {
        fprintf(stderr, "usage: %s CORPUS-DIR (with at least one file in it)\n", argv[0]);
        free(buf);
        free(entries);
        return 2;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        int failed = replay_file(argv[1], entries[i]->d_name, buf);
        printf("%s %d - %s\n", failed ? "not ok" : "ok", i + 1, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    free(buf);
    return 0;
}
