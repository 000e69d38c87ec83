
/*
 * What a command tells the router of its answers:
 *
 *   ngx_http_pourover_maintenance.c  services out of service
 *   ngx_http_pourover_healthcheck.c  health checks answered, or failed, here
 */

#ifndef _NGX_HTTP_POUROVER_TOLD_H_INCLUDED_
#define _NGX_HTTP_POUROVER_TOLD_H_INCLUDED_


#include "ngx_http_pourover.h"


/* pourover_maintenance */

struct ngx_http_pourover_maintenance_s {
    ngx_str_t                      page;          /* len 0: our own */
    ngx_str_t                      retry_after;   /* seconds */
    ngx_array_t                   *allow;         /* of ngx_cidr_t, or NULL */
};


/* pourover_healthcheck */

struct ngx_http_pourover_healthcheck_s {
    ngx_array_t                    names;         /* of ngx_str_t */
    ngx_array_t                    services;      /* ... of service_t * */
    ngx_http_core_loc_conf_t      *clcf;          /* its location */
    u_char                        *file_name;
    ngx_uint_t                     line;
};


/* conf.c: a service by its name; NULL with the nearest name if there is one */

ngx_http_pourover_service_t *ngx_http_pourover_find_service(
    ngx_http_pourover_main_conf_t *pmcf, ngx_str_t *name, const char **near);


/* maintenance.c */

char *ngx_http_pourover_conf_maintenance(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_http_pourover_merge_maintenance(ngx_http_pourover_loc_conf_t *prev,
    ngx_http_pourover_loc_conf_t *conf);
/* which modules pass requests on, for all is read */
void ngx_http_pourover_find_passing(ngx_conf_t *cf);
/* PREACCESS */
ngx_int_t ngx_http_pourover_told_handler(ngx_http_request_t *r);


/* healthcheck.c */

char *ngx_http_pourover_conf_healthcheck(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* all is read: refuses those that could not tell the truth */
ngx_int_t ngx_http_pourover_healthcheck_check(ngx_conf_t *cf);
/* a request of its location */
ngx_int_t ngx_http_pourover_healthcheck_enter(ngx_http_request_t *r);
ngx_int_t ngx_http_pourover_healthcheck_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_POUROVER_TOLD_H_INCLUDED_ */
