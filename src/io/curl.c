/* libcurl at its first use: see curl_int.h. */
#include "io/curl_int.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"
/* The first that knows CURLOPT_PROTOCOLS_STR: an older one would leave out what it does not know,
 * without a word. */
#define OLDEST      0x075500
#define OLDEST_TEXT "7.85.0"

static const struct {
    const char *symbol;
    size_t offset;
} functions[] = {
#define CURL_ROW(name) {"curl_" #name, offsetof(struct curl_functions, name)},
    CURL_FUNCTIONS(CURL_ROW)
#undef CURL_ROW
};

static int find_all(void *library, struct curl_functions *ret, struct err *err)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *symbol = dlsym(library, functions[i].symbol);
        if (symbol == NULL) {
            return err_set(err, ERR_INTERNAL,
                           LIBRARY " has no %s: libcurl " OLDEST_TEXT " or newer is needed",
                           functions[i].symbol);
        }
        /* ISO C has no way from an object pointer to a function pointer; POSIX makes them alike. */
        memcpy((char *) ret + functions[i].offset, &symbol, sizeof symbol);
    }
    const curl_version_info_data *info = ret->version_info(CURLVERSION_NOW);
    if (info->version_num < OLDEST) {
        return err_set(err, ERR_INTERNAL, "libcurl is %s: " OLDEST_TEXT " or newer is needed",
                       info->version);
    }
    return 0;
}

/* Written once, by open_once, before curl_open returns to anybody. */
static struct curl_functions opened;
const struct curl_functions *const curl = &opened;
static struct err open_err;

static void open_once(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *why = dlerror(); /* NOLINT(concurrency-mt-unsafe): its text is the thread's */
        (void) err_set(&open_err, ERR_INTERNAL,
                       "HTTP needs " LIBRARY ", which cannot be opened: %s; install libcurl "
                       "(Debian: libcurl4)",
                       why != NULL ? why : "no reason given");
    } else if (find_all(library, &opened, &open_err) < 0) {
        (void) dlclose(library);
    }
}

int curl_open(struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void) pthread_once(&once, open_once);
    if (open_err.code != 0 && err != NULL) {
        *err = open_err;
    }
    return open_err.code;
}

/* libcurl counts its users, but not everywhere so that threads may come at once. */
static pthread_mutex_t users = PTHREAD_MUTEX_INITIALIZER;

bool curl_begin(void)
{
    (void) pthread_mutex_lock(&users);
    bool began = opened.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    (void) pthread_mutex_unlock(&users);
    return began;
}

void curl_end(void)
{
    (void) pthread_mutex_lock(&users);
    opened.global_cleanup();
    (void) pthread_mutex_unlock(&users);
}
