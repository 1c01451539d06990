/* Interposed on a process by LD_PRELOAD: while the file FULL_FLAG exists, the disk below FULL_ROOT is full.

   Nothing below it may grow; what is there may be written over, as on a real disk. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <dlfcn.h>

static char root[PATH_MAX], flag[PATH_MAX];
static size_t root_length;

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("FULL_ROOT"), *path = getenv("FULL_FLAG");
    if (folder == NULL || path == NULL)
        return;
    snprintf(root, sizeof root, "%s", folder);
    snprintf(flag, sizeof flag, "%s", path);
    root_length = strlen(root);
}

static int is_below(const char *path)
{
    return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static int is_full(void)
{
    int kept = errno, full = root_length > 0 && syscall(SYS_faccessat, AT_FDCWD, flag, F_OK) == 0;
    errno = kept;
    return full;
}

/* Whether a file below the root would grow if it had bytes up to `end`; -1 stands for its current position. */
static int has_no_room(int fd, int64_t start, size_t length)
{
    char link[64], path[PATH_MAX];
    struct stat status;
    ssize_t count;
    int kept = errno, refused = 0;
    if (is_full() && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        count = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
        if (count > 0) {
            path[count] = 0;
            if (start < 0)
                start = syscall(SYS_lseek, fd, 0, SEEK_CUR);
            refused = is_below(path) && start + (int64_t)length > status.st_size;
        }
    }
    errno = refused ? ENOSPC : kept;
    return refused;
}

static size_t total(const struct iovec *data, int parts)
{
    size_t length = 0;
    int part;
    for (part = 0; part < parts; part++)
        length += data[part].iov_len;
    return length;
}

ssize_t write(int fd, const void *data, size_t length)
{
    return has_no_room(fd, -1, length) ? -1 : syscall(SYS_write, fd, data, length);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    return has_no_room(fd, offset, length) ? -1 : syscall(SYS_pwrite64, fd, data, length, offset);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t writev(int fd, const struct iovec *data, int parts)
{
    return has_no_room(fd, -1, total(data, parts)) ? -1 : syscall(SYS_writev, fd, data, parts);
}

ssize_t pwritev64(int fd, const struct iovec *data, int parts, off64_t offset)
{
    return has_no_room(fd, offset, total(data, parts)) ? -1 : syscall(SYS_pwritev, fd, data, parts, offset, 0L);
}

ssize_t pwritev(int fd, const struct iovec *data, int parts, off_t offset) { return pwritev64(fd, data, parts, offset); }

ssize_t sendfile64(int out, int in, off64_t *from, size_t length)
{
    return has_no_room(out, -1, length) ? -1 : syscall(SYS_sendfile, out, in, from, length);
}

ssize_t sendfile(int out, int in, off_t *from, size_t length) { return sendfile64(out, in, from, length); }

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags)
{
    (void)in, (void)from, (void)out, (void)to, (void)length, (void)flags;
    errno = ENOSYS; /* callers fall back to writing */
    return -1;
}

int posix_fallocate64(int fd, off64_t start, off64_t length)
{
    int kept = errno, code = has_no_room(fd, start, length) ? ENOSPC : 0;
    if (code == 0 && syscall(SYS_fallocate, fd, 0, start, length) != 0)
        code = errno;
    errno = kept;
    return code;
}

int posix_fallocate(int fd, off_t start, off_t length) { return posix_fallocate64(fd, start, length); }

int fallocate64(int fd, int mode, off64_t start, off64_t length)
{
    return has_no_room(fd, start, length) ? -1 : syscall(SYS_fallocate, fd, mode, start, length);
}

int fallocate(int fd, int mode, off_t start, off_t length) { return fallocate64(fd, mode, start, length); }

int statvfs64(const char *path, struct statvfs64 *found)
{
    int (*real)(const char *, struct statvfs64 *) = (int (*)(const char *, struct statvfs64 *))dlsym(RTLD_NEXT, "statvfs64");
    int result = real(path, found);
    if (result == 0 && is_full() && is_below(path))
        found->f_bavail = found->f_bfree = 0;
    return result;
}

int statvfs(const char *path, struct statvfs *found) { return statvfs64(path, (struct statvfs64 *)found); }
