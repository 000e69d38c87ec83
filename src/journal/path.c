/*
 * Where the journal lies, and whether the file can be ours.  The file itself is never opened here:
 * closing any descriptor of it would drop the locks that SQLite has on it in this process.
 */
#include "base/cleanup.h"
#include "journal/journal_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define ELSEWHERE "or name another file in POUROVER_JOURNAL"

static void free_text(char **text)
{
    mem_free(*text);
}

static char *join(const char *folder, const char *name)
{
    struct buf b;
    buf_init(&b, SIZE_MAX / 4);
    buf_addf(&b, "%s%s", folder, name);
    return b.ptr;
}

/* Only absolute paths count, as XDG says. */
static const char *absolute(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    return value != NULL && value[0] == '/' ? value : NULL;
}

char *journal_default_path(void)
{
    const char *said = getenv("POUROVER_JOURNAL"); /* NOLINT(concurrency-mt-unsafe): as above */
    if (said != NULL && said[0] != '\0') {
        return mem_strdup(said);
    }
    const char *state = absolute("XDG_STATE_HOME");
    if (state != NULL) {
        return join(state, "/pourover/journal.db");
    }
    const char *home = geteuid() == 0 ? NULL : absolute("HOME");
    if (home == NULL && geteuid() != 0) {
        struct passwd *user = getpwuid(geteuid()); /* NOLINT(concurrency-mt-unsafe): at the start */
        home = user != NULL && user->pw_dir != NULL && user->pw_dir[0] == '/' ? user->pw_dir : NULL;
    }
    return home != NULL ? join(home, "/.local/state/pourover/journal.db")
                        : mem_strdup("/var/lib/pourover/journal.db");
}

const char *journal_network_fs(uint64_t type)
{
    static const struct {
        uint32_t type;
        const char *name;
    } known[] = {{0x6969, "nfs"},      {0x517b, "smb"},        {0xff534d42, "cifs"},
                 {0xfe534d42, "smb2"}, {0x5346414f, "afs"},    {0x6b414653, "afs"},
                 {0x00c36400, "ceph"}, {0x0bd00bd0, "lustre"}, {0x01161970, "gfs2"},
                 {0x73757245, "coda"}, {0x7461636f, "ocfs2"},  {0x47504653, "gpfs"},
                 {0x19830326, "fhgfs"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if ((uint32_t) type == known[i].type) {
            return known[i].name;
        }
    }
    return NULL;
}

/* What was made in a folder survives a loss of power only when the folder is synced. */
static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void) fsync(fd);
        (void) close(fd);
    }
}

/* Makes the folders of path up to its byte `len`, those that are missing. */
static int make_folders(const char *path, size_t len, struct err *err)
{
    _cleanup_(free_text) char *folder = mem_strdup_str((struct str){path, len});
    for (size_t i = 1; i <= len; i++) {
        if (folder[i] != '/' && folder[i] != '\0') {
            continue;
        }
        char kept = folder[i];
        folder[i] = '\0';
        if (mkdir(folder, 0700) == 0) {
            size_t up = i;
            while (up > 0 && folder[up - 1] != '/') {
                up--;
            }
            _cleanup_(free_text) char *parent =
                up == 0 ? mem_strdup(".") : mem_strdup_str((struct str){folder, up});
            sync_folder(parent);
        } else if (errno != EEXIST) {
            /* Of a folder that is there, some systems say EROFS or EACCES first. */
            int code = errno;
            struct stat st;
            if (stat(folder, &st) != 0) {
                return err_set(err, ERR_IO,
                               "journal %.240s: cannot make the folder %.100s: %s; make it, "
                               "writable for this user, " ELSEWHERE,
                               path, folder, strerrordesc_np(code));
            }
        }
        folder[i] = kept;
    }
    return 0;
}

static int check_folder(const char *path, const char *folder, struct err *err)
{
    struct stat st;
    struct statfs fs;
    if (stat(folder, &st) != 0 || statfs(folder, &fs) != 0) {
        return err_errno(err, errno, "journal %.240s: cannot look at the folder %.100s", path,
                         folder);
    }
    const char *network = journal_network_fs((uint64_t) fs.f_type);
    if (network != NULL) {
        return err_set(err, ERR_DENIED,
                       "journal %.240s: lies on a network file system (%s), where other machines "
                       "may write it at once and break it; name a file on a disk of this machine "
                       "in POUROVER_JOURNAL",
                       path, network);
    }
    if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0) {
        return err_set(err, ERR_DENIED,
                       "journal %.240s: anybody may replace it, as its folder has mode %04o; chmod "
                       "o-w %.100s, " ELSEWHERE,
                       path, (unsigned) st.st_mode & 07777, folder);
    }
    return 0;
}

/* Two that SQLite would take for new ones and write over: a file of one byte, and an empty one
 * beside changes that wait for it. */
static int check_size(const char *path, const struct stat *st, struct err *err)
{
    if (st->st_size == 1) {
        return err_set(err, ERR_INVALID, "journal %.240s: " JOURNAL_NOT_ONE, path);
    }
    _cleanup_(free_text) char *wal = join(path, "-wal");
    struct stat waiting;
    if (st->st_size == 0 && stat(wal, &waiting) == 0 && waiting.st_size > 0) {
        return err_set(err, ERR_INVALID,
                       "journal %.240s: is empty, but there are changes for it beside (-wal); it "
                       "was cut, move both away or put a backup there",
                       path);
    }
    return 0;
}

static int check_file(const char *path, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return err_errno(err, errno, "journal %.240s: cannot look at it", path);
    }
    if (S_ISLNK(st.st_mode)) {
        return err_set(err, ERR_DENIED,
                       "journal %.240s: is a symbolic link; name the file it leads to in "
                       "POUROVER_JOURNAL",
                       path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(err, ERR_INVALID, "journal %.240s: is %s, not a file; move it, " ELSEWHERE,
                       path, S_ISDIR(st.st_mode) ? "a folder" : "a pipe, socket or device");
    }
    if (st.st_nlink > 1) {
        return err_set(err, ERR_DENIED,
                       "journal %.240s: has %lu names (hard links), under which its -wal file "
                       "would be missed; remove the others, " ELSEWHERE,
                       path, (unsigned long) st.st_nlink);
    }
    if (geteuid() != 0 && st.st_uid != geteuid()) {
        return err_set(err, ERR_DENIED,
                       "journal %.240s: belongs to the user with number %lu, not to %lu; run as "
                       "that user, " ELSEWHERE,
                       path, (unsigned long) st.st_uid, (unsigned long) geteuid());
    }
    if ((st.st_mode & 077) != 0) {
        return err_set(err, ERR_DENIED,
                       "journal %.240s: is open to others (mode %04o); chmod 600 %.100s", path,
                       (unsigned) st.st_mode & 07777, path);
    }
    return check_size(path, &st, err);
}

int journal_path_prepare(const char *path, char **ret_path, struct err *err)
{
    struct str all = str_of(path);
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t) (slash - path);
    const char *name = slash == NULL ? path : slash + 1;
    if (all.len == 0 || name[0] == '\0') {
        return err_set(err, ERR_INVALID,
                       "journal \"%.240s\": names no file; write one in POUROVER_JOURNAL, such as "
                       "/var/lib/pourover/journal.db",
                       path);
    }
    int rc = make_folders(path, len, err);
    if (rc < 0) {
        return rc;
    }
    char folder[PATH_MAX];
    _cleanup_(free_text) char *said =
        slash == NULL ? mem_strdup(".") : mem_strdup_str((struct str){path, len == 0 ? 1 : len});
    if (realpath(said, folder) == NULL) {
        return err_errno(err, errno, "journal %.240s: cannot look at its folder", path);
    }
    rc = check_folder(path, folder, err);
    if (rc < 0) {
        return rc;
    }
    _cleanup_(free_text) char *base = join(strcmp(folder, "/") == 0 ? "" : folder, "/");
    char *whole = join(base, name);
    /* mknod: makes the file with its mode and opens nothing. */
    if (mknod(whole, S_IFREG | 0600, 0) != 0 && errno != EEXIST && access(whole, F_OK) != 0) {
        rc = err_set(err, ERR_IO,
                     "journal %.240s: cannot make it: %s; its folder has to be writable for this "
                     "user, " ELSEWHERE,
                     path, strerrordesc_np(errno));
    } else {
        rc = check_file(whole, err);
    }
    if (rc < 0) {
        mem_free(whole);
        return rc;
    }
    *ret_path = whole;
    return 0;
}
