
/*
 * What nginx's own build would write beside a dynamic module.
 *
 * The module stands before the headers filter in nginx's list, so that its
 * header filter runs after "expires" and "add_header" have had their say: a
 * response that sets the visitor's cookie is then made private for good.
 */

#include <ngx_config.h>
#include <ngx_core.h>


extern ngx_module_t  ngx_http_pourover_module;

/* nginx looks these three up by name. */
#define NGX_EXPORTED  __attribute__((visibility("default")))

extern char *ngx_module_order[];

NGX_EXPORTED ngx_module_t *ngx_modules[] = {
    &ngx_http_pourover_module,
    NULL
};

NGX_EXPORTED char *ngx_module_names[] = {
    (char *) "ngx_http_pourover_module",
    NULL
};

NGX_EXPORTED char *ngx_module_order[] = {
    (char *) "ngx_http_pourover_module",
    (char *) "ngx_http_headers_filter_module",
    NULL
};
