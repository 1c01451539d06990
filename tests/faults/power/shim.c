/* Interposed on a process by LD_PRELOAD: appends every change of files under POWER_ROOT to the log POWER_LOG.

   A record is written before the call returns, so that records are in the order in which a caller could see their
   effects; of a sync it also tells how long the log was when the sync began. Calls of libc's own stdio do not come by
   here: the reader of the log compares what it replays with what is there. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, RENAME, LINK, UNLINK, MKDIR, RMDIR, SYNC, SYNC_FOLDER };

struct record {
    uint32_t kind, path_length, target_length, padding;
    uint64_t inode;
    int64_t offset; /* of a write; the new size; of a sync the length of the log when it began */
    uint64_t length; /* of the data after the paths */
};

static char root[PATH_MAX], log_path[PATH_MAX];
static size_t root_length;
static int log_fd = -1;
static ino_t log_inode;

static void open_log(void)
{
    struct stat status;
    int fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 500);
    if (log_fd < 0)
        log_fd = fd;
    else
        syscall(SYS_close, fd);
    log_inode = fstat(log_fd, &status) == 0 ? status.st_ino : 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("POWER_ROOT"), *path = getenv("POWER_LOG");
    if (folder == NULL || path == NULL || realpath(folder, root) == NULL)
        return;
    root_length = strlen(root);
    snprintf(log_path, sizeof log_path, "%s", path);
    open_log();
}

static int is_log_open(void)
{
    struct stat status;
    if (root_length == 0)
        return 0;
    if (log_fd < 0 || fstat(log_fd, &status) != 0 || status.st_ino != log_inode)
        open_log(); /* somebody has closed all files */
    return log_fd >= 0;
}

static int64_t log_length(void)
{
    struct stat status;
    return is_log_open() && fstat(log_fd, &status) == 0 ? status.st_size : 0;
}

static void append(int kind, const char *path, const char *target, uint64_t inode, int64_t offset,
                   const struct iovec *data, int parts, size_t length)
{
    int kept = errno, count = 3, part;
    struct record head = {kind, strlen(path), strlen(target), 0, inode, offset, length};
    struct iovec out[1024] = {{&head, sizeof head}, {(void *)path, head.path_length},
                              {(void *)target, head.target_length}};
    if (!is_log_open())
        return;
    for (part = 0; part < parts && length > 0 && count < 1024; part++) {
        size_t taken = data[part].iov_len < length ? data[part].iov_len : length;
        out[count].iov_base = data[part].iov_base;
        out[count++].iov_len = taken;
        length -= taken;
    }
    syscall(SYS_writev, log_fd, out, count);
    errno = kept;
}

/* Whether a path is below the root; writes it to `full`, without links in what is there already. */
static int resolve(int folder, const char *path, char *full)
{
    char named[PATH_MAX], link[64];
    ssize_t length = 0;
    if (root_length == 0 || path == NULL)
        return 0;
    if (path[0] != '/') {
        if (folder == AT_FDCWD) {
            if (syscall(SYS_getcwd, named, sizeof named) < 0)
                return 0;
            length = strlen(named);
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            if ((length = syscall(SYS_readlinkat, AT_FDCWD, link, named, sizeof named - 1)) < 0)
                return 0;
        }
        named[length++] = '/';
    }
    if (snprintf(named + length, sizeof named - length, "%s", path) >= (int)(sizeof named - length))
        return 0;
    snprintf(full, PATH_MAX, "%s", named);
    return strncmp(full, root, root_length) == 0 && full[root_length] == '/';
}

/* Whether a descriptor is that of a file or a folder at or below the root. */
static int find(int fd, char *path, struct stat *status)
{
    char link[64];
    ssize_t length;
    int kept = errno, found = 0;
    if (root_length > 0 && fd != log_fd && fstat(fd, status) == 0
        && (S_ISREG(status->st_mode) || S_ISDIR(status->st_mode))) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
        if (length > 0) {
            path[length] = 0;
            found = strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
        }
    }
    errno = kept;
    return found;
}

static int opened(int folder, const char *path, int flags, mode_t mode)
{
    char full[PATH_MAX];
    struct stat status;
    int kept = errno, writes = (flags & O_ACCMODE) != O_RDONLY, ours = writes && resolve(folder, path, full);
    int created = ours && (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, full, F_OK) != 0, fd;
    errno = kept;
    fd = syscall(SYS_openat, folder, path, flags, mode);
    if (fd >= 0 && ours && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        if (created)
            append(CREATE, full, "", status.st_ino, 0, NULL, 0, 0);
        else if (flags & O_TRUNC)
            append(TRUNCATE, full, "", status.st_ino, 0, NULL, 0, 0);
    }
    return fd;
}

#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                           \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

int open(const char *path, int flags, ...) { MODE(flags, mode) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, mode) return opened(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags, mode) return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags, mode) return opened(folder, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __openat_2(int folder, const char *path, int flags) { return opened(folder, path, flags, 0); }
int __openat64_2(int folder, const char *path, int flags) { return opened(folder, path, flags, 0); }

static ssize_t written(int fd, ssize_t count, int64_t offset, const struct iovec *data, int parts)
{
    char path[PATH_MAX];
    struct stat status;
    if (count > 0 && find(fd, path, &status)) {
        if (offset < 0)
            offset = syscall(SYS_lseek, fd, 0, SEEK_CUR) - count;
        append(WRITE, path, "", status.st_ino, offset, data, parts, count);
    }
    return count;
}

ssize_t write(int fd, const void *data, size_t length)
{
    struct iovec all = {(void *)data, length};
    return written(fd, syscall(SYS_write, fd, data, length), -1, &all, 1);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    struct iovec all = {(void *)data, length};
    return written(fd, syscall(SYS_pwrite64, fd, data, length, offset), offset, &all, 1);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t writev(int fd, const struct iovec *data, int parts)
{
    return written(fd, syscall(SYS_writev, fd, data, parts), -1, data, parts);
}

ssize_t pwritev64(int fd, const struct iovec *data, int parts, off64_t offset)
{
    return written(fd, syscall(SYS_pwritev, fd, data, parts, offset, 0L), offset, data, parts);
}

ssize_t pwritev(int fd, const struct iovec *data, int parts, off_t offset) { return pwritev64(fd, data, parts, offset); }

/* These copy within the kernel. Their callers fall back to writing. */
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags)
{
    (void)in, (void)from, (void)out, (void)to, (void)length, (void)flags;
    errno = ENOSYS;
    return -1;
}

ssize_t sendfile64(int out, int in, off64_t *from, size_t length)
{
    char path[PATH_MAX];
    struct stat status;
    if (!find(out, path, &status))
        return syscall(SYS_sendfile, out, in, from, length);
    errno = ENOTSOCK;
    return -1;
}

ssize_t sendfile(int out, int in, off_t *from, size_t length) { return sendfile64(out, in, from, length); }

int ftruncate64(int fd, off64_t size)
{
    char path[PATH_MAX];
    struct stat status;
    int result = syscall(SYS_ftruncate, fd, size);
    if (result == 0 && find(fd, path, &status))
        append(TRUNCATE, path, "", status.st_ino, size, NULL, 0, 0);
    return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int truncate64(const char *path, off64_t size)
{
    char full[PATH_MAX];
    struct stat status;
    int result = syscall(SYS_truncate, path, size);
    if (result == 0 && resolve(AT_FDCWD, path, full) && stat(full, &status) == 0)
        append(TRUNCATE, full, "", status.st_ino, size, NULL, 0, 0);
    return result;
}

int truncate(const char *path, off_t size) { return truncate64(path, size); }

static int moved(int kind, int result, int from, const char *source, int to, const char *target)
{
    char one[PATH_MAX] = "", two[PATH_MAX] = "";
    struct stat status = {0};
    int ours = resolve(from, source, one), theirs = resolve(to, target, two);
    if (result == 0 && (ours || theirs)) {
        fstatat(AT_FDCWD, two, &status, AT_SYMLINK_NOFOLLOW);
        append(kind, one, two, status.st_ino, 0, NULL, 0, 0);
    }
    return result;
}

int renameat2(int from, const char *source, int to, const char *target, unsigned flags)
{
    return moved(RENAME, syscall(SYS_renameat2, from, source, to, target, flags), from, source, to, target);
}

int renameat(int from, const char *source, int to, const char *target) { return renameat2(from, source, to, target, 0); }
int rename(const char *source, const char *target) { return renameat2(AT_FDCWD, source, AT_FDCWD, target, 0); }

int linkat(int from, const char *source, int to, const char *target, int flags)
{
    return moved(LINK, syscall(SYS_linkat, from, source, to, target, flags), from, source, to, target);
}

int link(const char *source, const char *target) { return linkat(AT_FDCWD, source, AT_FDCWD, target, 0); }

static int changed(int kind, int result, int folder, const char *path)
{
    char full[PATH_MAX];
    if (result == 0 && resolve(folder, path, full))
        append(kind, full, "", 0, 0, NULL, 0, 0);
    return result;
}

int unlinkat(int folder, const char *path, int flags)
{
    return changed(flags & AT_REMOVEDIR ? RMDIR : UNLINK, syscall(SYS_unlinkat, folder, path, flags), folder, path);
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdirat(int folder, const char *path, mode_t mode)
{
    return changed(MKDIR, syscall(SYS_mkdirat, folder, path, mode), folder, path);
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

static int synced(int fd, long call)
{
    char path[PATH_MAX];
    struct stat status;
    int64_t began = log_length();
    int result = syscall(call, fd);
    if (result == 0 && find(fd, path, &status))
        append(S_ISDIR(status.st_mode) ? SYNC_FOLDER : SYNC, path, "", status.st_ino, began, NULL, 0, 0);
    return result;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }
