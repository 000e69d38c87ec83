
/*
 * The state file, looked at with the configuration: could the worker user write
 * it, and does another nginx use it?  "nginx -t" changes nothing.
 */

#include "ngx_http_pourover_state.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>


#define NGX_HTTP_POUROVER_GROUPS       64
#define NGX_HTTP_POUROVER_DYING        1000       /* ms */


/* who the workers will be */

typedef struct {
    uid_t         uid;
    gid_t         gid;
    const char   *name;
    gid_t         groups[NGX_HTTP_POUROVER_GROUPS];
    int           ngroups;
    ngx_uint_t    level;                          /* of messages about it */
    char          text[4096];                     /* of its entry */
} ngx_http_pourover_user_t;


static ngx_int_t
ngx_http_pourover_check_paths(ngx_conf_t *cf, ngx_http_pourover_zone_t *pz)
{
    u_char                            *p, *last;
    ngx_str_t                         *path;
    struct ngx_http_pourover_saver_s  *saver;

    path = &pz->state;
    last = path->data + path->len;

    if (last[-1] == '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_zone: state \"%V\" names a directory; "
                           "right is state=%Vrouter.json", path, path);
        return NGX_ERROR;
    }

    if (path->len > NGX_MAX_PATH - sizeof(".refused-18446744073709551615")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_zone: the path of state is too long");
        return NGX_ERROR;
    }

    saver = ngx_pcalloc(cf->pool, sizeof(struct ngx_http_pourover_saver_s));
    p = ngx_pnalloc(cf->pool, 3 * path->len + sizeof(".lock") + sizeof(".tmp")
                              + 2);
    if (saver == NULL || p == NULL) {
        return NGX_ERROR;
    }

    saver->lock.data = p;
    p = ngx_sprintf(p, "%V.lock%Z", path);
    saver->lock.len = (size_t) (p - saver->lock.data) - 1;

    saver->tmp.data = p;
    p = ngx_sprintf(p, "%V.tmp%Z", path);
    saver->tmp.len = (size_t) (p - saver->tmp.data) - 1;

    for (last--; *last != '/'; last--) { /* void */ }

    saver->dir.data = p;
    saver->dir.len = (size_t) (last - path->data);

    if (saver->dir.len == 0) {
        saver->dir.len = 1;
    }

    (void) ngx_cpystrn(p, path->data, saver->dir.len + 1);
    pz->saver = saver;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_check_user(ngx_conf_t *cf, ngx_http_pourover_user_t *user)
{
    struct passwd    *pwd, entry;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);
    user->level = NGX_LOG_EMERG;
    user->uid = geteuid();
    user->gid = getegid();
    user->ngroups = NGX_HTTP_POUROVER_GROUPS;

    if (user->uid != 0) {
        (void) getpwuid_r(user->uid, &entry, user->text, sizeof(user->text),
                          &pwd);
        user->name = pwd ? pwd->pw_name : "of this process";
        user->ngroups = getgroups(user->ngroups, user->groups);
        return NGX_OK;
    }

    if (ccf->user != (uid_t) NGX_CONF_UNSET_UINT) {
        user->uid = ccf->user;
        user->gid = ccf->group;
        user->name = ccf->username;

    } else {
        /* "user" may still come behind the http block */
        user->level = NGX_LOG_WARN;
        user->name = NGX_USER;
        (void) getpwnam_r(NGX_USER, &entry, user->text, sizeof(user->text),
                          &pwd);

        if (pwd == NULL) {
            return NGX_DECLINED;
        }

        user->uid = pwd->pw_uid;
        user->gid = pwd->pw_gid;
    }

    if (getgrouplist(user->name, user->gid, user->groups, &user->ngroups) < 0) {
        user->ngroups = NGX_HTTP_POUROVER_GROUPS;
    }

    return NGX_OK;
}


/* may the user do that (bits of one rwx digit) there? */

static ngx_uint_t
ngx_http_pourover_check_may(ngx_http_pourover_user_t *user,
    ngx_file_info_t *fi, mode_t bits)
{
    int  i;

    if (user->uid == 0) {
        return 1;
    }

    if (fi->st_uid == user->uid) {
        return ((fi->st_mode >> 6) & bits) == bits;
    }

    if (fi->st_gid == user->gid) {
        return ((fi->st_mode >> 3) & bits) == bits;
    }

    for (i = 0; i < user->ngroups; i++) {
        if (fi->st_gid == user->groups[i]) {
            return ((fi->st_mode >> 3) & bits) == bits;
        }
    }

    return (fi->st_mode & bits) == bits;
}


/* the worker user has to pass through path[0 .. len) */

static ngx_int_t
ngx_http_pourover_check_passage(ngx_conf_t *cf, ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_user_t *user, size_t len)
{
    char              mode[8];
    u_char            path[NGX_MAX_PATH];
    mode_t            need;
    ngx_err_t         err;
    ngx_file_info_t   fi;

    (void) ngx_cpystrn(path, pz->saver->dir.data, len + 1);

    err = ngx_file_info(path, &fi) == NGX_FILE_ERROR ? ngx_errno
          : !ngx_is_dir(&fi) ? NGX_ENOTDIR : 0;

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "state file \"%V\": \"%s\" is no directory that can "
                           "be looked at; right is: install -d -o %s -m 0750 "
                           "%V", &pz->state, path, user->name, &pz->saver->dir);
        return NGX_ERROR;
    }

    need = len == pz->saver->dir.len ? 3 : 1;

    if (ngx_http_pourover_check_may(user, &fi, need)) {
        return NGX_OK;
    }

    /* nginx's own formats know no octal numbers */
    (void) snprintf(mode, sizeof(mode), "%04o", fi.st_mode & 07777u);

    ngx_conf_log_error(user->level, cf, 0,
                       "state file \"%V\": the worker user \"%s\"%s may not %s "
                       "directory \"%s\" (owner %ui, group %ui, mode %s); "
                       "right is: %s %s %s%s",
                       &pz->state, user->name,
                       geteuid() == 0 ? "" : " (this nginx is not run by root)",
                       need == 3 ? "write into the" : "pass through the", path,
                       (ngx_uint_t) fi.st_uid, (ngx_uint_t) fi.st_gid,
                       mode,
                       need == 3 ? "chown" : "chmod",
                       need == 3 ? user->name : "o+x", path,
                       need == 3 ? " if it is there for this file alone, else "
                                   "a directory that nginx may make" : "");

    return user->level == NGX_LOG_EMERG ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_pourover_check_make(ngx_conf_t *cf, ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_user_t *user)
{
    char  *dir;

    dir = (char *) pz->saver->dir.data;

    if (mkdir(dir, 0750) == -1
        || (geteuid() == 0 && chown(dir, user->uid, user->gid) == -1))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "state file \"%V\": cannot make its directory; "
                           "right is: install -d -o %s -m 0750 %s",
                           &pz->state, user->name, dir);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_check_writable(ngx_conf_t *cf, ngx_http_pourover_zone_t *pz)
{
    size_t                     i;
    ngx_str_t                 *dir;
    ngx_int_t                  rc;
    ngx_uint_t                 missing;
    ngx_file_info_t            fi;
    ngx_http_pourover_user_t   user;

    dir = &pz->saver->dir;

    if (ngx_file_info(pz->state.data, &fi) != NGX_FILE_ERROR
        && ngx_is_dir(&fi))
    {
        /* else it would be moved away as a state file that is refused */
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_zone: state \"%V\" is a directory; right "
                           "is state=%V/router.json", &pz->state, &pz->state);
        return NGX_ERROR;
    }

    missing = ngx_file_info(dir->data, &fi) == NGX_FILE_ERROR
              && ngx_errno == NGX_ENOENT;

    rc = ngx_http_pourover_check_user(cf, &user);
    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    for (i = 1; i < dir->len; i++) {
        if (dir->data[i] == '/'
            && ngx_http_pourover_check_passage(cf, pz, &user, i) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (missing) {
        /* the master makes it when it starts */
        return ngx_test_config ? NGX_OK
                               : ngx_http_pourover_check_make(cf, pz, &user);
    }

    return ngx_http_pourover_check_passage(cf, pz, &user, dir->len);
}


/* is this a reload, with the file that is ours already? */

static ngx_uint_t
ngx_http_pourover_check_ours(ngx_conf_t *cf, ngx_http_pourover_zone_t *pz)
{
    ngx_cycle_t               *old;
    ngx_http_pourover_zone_t  *opz;

    old = cf->cycle->old_cycle;

    if (old == NULL || ngx_is_init_cycle(old)) {
        return ngx_inherited;
    }

    opz = ngx_http_pourover_zone_of(old);

    return opz && opz->state.len == pz->state.len
           && ngx_strcmp(opz->state.data, pz->state.data) == 0;
}


static ngx_int_t
ngx_http_pourover_check_unused(ngx_conf_t *cf, ngx_http_pourover_zone_t *pz)
{
    char           pid[NGX_INT_T_LEN + 2];
    ssize_t        n;
    ngx_fd_t       fd;
    ngx_int_t      rc;
    ngx_uint_t     waited;

    fd = open((char *) pz->saver->lock.data, O_RDWR|O_CLOEXEC);
    if (fd == NGX_INVALID_FILE) {
        /* there is none yet, or state_restore tells what is wrong with it */
        return NGX_OK;
    }

    for (waited = 0; ; waited += 10) {
        rc = ngx_http_pourover_state_lock(fd, F_WRLCK,
                                          NGX_HTTP_POUROVER_LOCK_ALIVE);

        if (rc != NGX_DECLINED || waited >= NGX_HTTP_POUROVER_DYING) {
            break;
        }

        ngx_msleep(10);
    }

    n = pread(fd, pid, sizeof(pid) - 1, 0);
    (void) ngx_close_file(fd);

    if (rc != NGX_DECLINED) {
        return NGX_OK;
    }

    pid[n > 0 ? n : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "state file \"%V\" is used by another nginx (pid %s) or "
                       "by workers that it left behind; each nginx needs a "
                       "file of its own",
                       &pz->state, pid[0] ? pid : "unknown");

    return NGX_ERROR;
}


ngx_int_t
ngx_http_pourover_state_check(ngx_conf_t *cf, ngx_http_pourover_zone_t *pz)
{
    if (ngx_http_pourover_check_paths(cf, pz) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_THREADS)
    pz->saver->thread_pool = ngx_thread_pool_add(cf, NULL);
    if (pz->saver->thread_pool == NULL) {
        return NGX_ERROR;
    }
#endif

    if (ngx_process == NGX_PROCESS_SIGNALLER) {
        /* "nginx -s stop" has to work whatever is wrong here */
        return NGX_OK;
    }

    if (ngx_http_pourover_check_writable(cf, pz) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_test_config || ngx_http_pourover_check_ours(cf, pz)) {
        return NGX_OK;
    }

    return ngx_http_pourover_check_unused(cf, pz);
}
