
/*
 * The list of modules that nginx looks up in the shared object.  nginx's own
 * auto/module writes this file in its builds (see ngx/config); the meson
 * build takes this one.
 */


#include <ngx_config.h>
#include <ngx_core.h>


/* Everything else in the shared object is hidden from nginx's own names. */
#pragma GCC visibility push(default)

extern ngx_module_t   ngx_http_pourover_module;
extern char          *ngx_module_order[];


ngx_module_t *ngx_modules[] = {
    &ngx_http_pourover_module,
    NULL
};


char *ngx_module_names[] = {
    (char *) "ngx_http_pourover_module",
    NULL
};


char *ngx_module_order[] = {
    NULL
};

#pragma GCC visibility pop
