/*
 * Faults of a disk and of a clock, for one process: preloaded, it stands between the process and the
 * system's calls.
 *
 * It touches files below one directory alone (SHIM_DIRECTORY). What it does is said in a small file
 * (SHIM_CONTROL) that the test has mapped too, and may change at any time. Without these variables it
 * does nothing.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* As `shim.py` packs it: eight bytes each, in this order. */
struct control {
    atomic_long space;        /* bytes that files may still grow by; -1: any number */
    atomic_long refused;      /* calls that found no space */
    atomic_long sync_after;   /* calls that reach the disk until one fails; -1: none does */
    atomic_long sync_times;   /* how many then fail; -1: all */
    atomic_long sync_writes;  /* whether a failing write is there all the same */
    atomic_long syncs;        /* calls that reached the disk, failed ones too */
    atomic_long sync_failed;  /* of those, the failed ones */
    atomic_long clock_step;   /* nanoseconds that CLOCK_REALTIME is ahead */
    char match[64];           /* what a path must contain to fail a sync */
};

static struct control *control;
static char directory[PATH_MAX];
static size_t directory_size;
static int (*real_clock)(clockid_t, struct timespec *);
static int (*real_statvfs)(const char *, struct statvfs *);

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("SHIM_CONTROL"), *below = getenv("SHIM_DIRECTORY");
    real_clock = dlsym(RTLD_NEXT, "clock_gettime");
    real_statvfs = dlsym(RTLD_NEXT, "statvfs");
    if (path == NULL || below == NULL)
        return;
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    snprintf(directory, sizeof directory, "%s/", below);
    directory_size = strlen(directory);
    if (mapped != MAP_FAILED)
        control = mapped;
}

static int failed(int code)
{
    errno = code;
    return -1;
}

/* Whether a descriptor is of a file below the directory, whose path contains `match`. */
static int is_ours(int file, const char *match)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (size < 0)
        return 0;
    path[size] = '\0';
    if (strncmp(path, directory, directory_size) != 0 &&
        strncmp(path, directory, directory_size - 1) != 0)
        return 0;
    return strstr(path, match) != NULL;
}

/* How much of `size` bytes at `offset` there is space for; it is taken. -1: none. */
static ssize_t take_space(int file, size_t size, off_t offset)
{
    struct stat found;
    if (control == NULL || atomic_load(&control->space) < 0 || size == 0 || !is_ours(file, "") ||
        fstat(file, &found) != 0 || !S_ISREG(found.st_mode))
        return size;
    off_t growth = offset + (off_t)size - found.st_size;
    if (growth <= 0)
        return size;
    if (growth > (off_t)size)
        growth = size; /* a hole takes nothing */
    long left = atomic_load(&control->space), taken;
    do {
        if (left < 0)
            return size;
        taken = left < growth ? left : growth;
    } while (!atomic_compare_exchange_weak(&control->space, &left, left - taken));
    if (taken == growth)
        return size;
    atomic_fetch_add(&control->refused, 1);
    ssize_t fits = size - (growth - taken);
    return fits > 0 ? fits : failed(ENOSPC);
}

/* Whether this call, which is to reach the disk, fails. */
static int fails_to_sync(int file)
{
    if (control == NULL || !is_ours(file, control->match))
        return 0;
    atomic_fetch_add(&control->syncs, 1);
    if (atomic_load(&control->sync_after) < 0)
        return 0;
    if (atomic_load(&control->sync_after) > 0) {
        atomic_fetch_sub(&control->sync_after, 1);
        return 0;
    }
    long times = atomic_load(&control->sync_times);
    if (times == 0)
        return 0;
    if (times > 0)
        atomic_fetch_sub(&control->sync_times, 1);
    atomic_fetch_add(&control->sync_failed, 1);
    return 1;
}

static int is_synced(int file)
{
    return control != NULL && (fcntl(file, F_GETFL) & O_DSYNC) != 0;
}

static size_t size_of(const struct iovec *parts, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    return size;
}

/* Writes: `offset` is -1 where the file's own position counts. */
static ssize_t write_parts(int file, const struct iovec *parts, int count, off_t offset)
{
    size_t size = size_of(parts, count);
    off_t at = offset;
    if (control != NULL && offset < 0 && atomic_load(&control->space) >= 0)
        at = lseek(file, 0, SEEK_CUR);
    ssize_t fits = at < 0 ? (ssize_t)size : take_space(file, size, at);
    if (fits < 0)
        return -1;
    int fails = is_synced(file) && fails_to_sync(file);
    if (fails && !atomic_load(&control->sync_writes))
        return failed(EIO);
    ssize_t written;
    if ((size_t)fits < size) {
        struct iovec first = parts[0];
        if ((size_t)fits < first.iov_len)
            first.iov_len = fits;
        written = offset < 0 ? syscall(SYS_writev, file, &first, 1)
                             : syscall(SYS_pwritev, file, &first, 1, offset, 0);
    } else {
        written = offset < 0 ? syscall(SYS_writev, file, parts, count)
                             : syscall(SYS_pwritev, file, parts, count, offset, 0);
    }
    return fails ? failed(EIO) : written;
}

ssize_t write(int file, const void *data, size_t size)
{
    if (control == NULL)
        return syscall(SYS_write, file, data, size);
    struct iovec part = {(void *)data, size};
    return write_parts(file, &part, 1, -1);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    return write_parts(file, parts, count, -1);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    struct iovec part = {(void *)data, size};
    return write_parts(file, &part, 1, offset);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset)
{
    return write_parts(file, parts, count, offset);
}

ssize_t pwritev2(int file, const struct iovec *parts, int count, off_t offset, int flags)
{
    (void)flags;
    return write_parts(file, parts, count, offset);
}

static int grow(int file, off_t size)
{
    struct stat found;
    if (fstat(file, &found) != 0 || size <= found.st_size)
        return 0;
    ssize_t wanted = size - found.st_size;
    return take_space(file, wanted, found.st_size) == wanted ? 0 : failed(ENOSPC);
}

int ftruncate(int file, off_t size)
{
    return grow(file, size) < 0 ? -1 : (int)syscall(SYS_ftruncate, file, size);
}

int fallocate(int file, int mode, off_t offset, off_t size)
{
    return grow(file, offset + size) < 0 ? -1
                                         : (int)syscall(SYS_fallocate, file, mode, offset, size);
}

int posix_fallocate(int file, off_t offset, off_t size)
{
    return fallocate(file, 0, offset, size) < 0 ? errno : 0;
}

int fsync(int file)
{
    return fails_to_sync(file) ? failed(EIO) : (int)syscall(SYS_fsync, file);
}

int fdatasync(int file)
{
    return fails_to_sync(file) ? failed(EIO) : (int)syscall(SYS_fdatasync, file);
}

/* Of the files of the directory only LMDB's may be mapped to be written. */
int msync(void *address, size_t size, int flags)
{
    if (control != NULL && atomic_load(&control->sync_after) == 0 &&
        atomic_load(&control->sync_times) != 0 && strstr("data.mdb", control->match) != NULL)
        return failed(EIO);
    return syscall(SYS_msync, address, size, flags);
}

int statvfs(const char *path, struct statvfs *found)
{
    int result = real_statvfs(path, found);
    if (result == 0 && control != NULL && strncmp(path, directory, directory_size - 1) == 0) {
        long left = atomic_load(&control->space);
        if (left >= 0)
            found->f_bfree = found->f_bavail = left / found->f_frsize;
    }
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = real_clock(clock, now);
    if (result == 0 && control != NULL &&
        (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        long long at = now->tv_sec * 1000000000LL + now->tv_nsec + atomic_load(&control->clock_step);
        now->tv_sec = at / 1000000000;
        now->tv_nsec = at % 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec at;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &at) != 0)
        return -1;
    now->tv_sec = at.tv_sec;
    now->tv_usec = at.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (result != NULL)
        *result = at.tv_sec;
    return at.tv_sec;
}

/* What is compiled for large files calls these names; off_t is the same here. */
ssize_t pwrite64(int, const void *, size_t, off_t) __attribute__((alias("pwrite")));
ssize_t pwritev64(int, const struct iovec *, int, off_t) __attribute__((alias("pwritev")));
ssize_t pwritev64v2(int, const struct iovec *, int, off_t, int) __attribute__((alias("pwritev2")));
int ftruncate64(int, off_t) __attribute__((alias("ftruncate")));
int fallocate64(int, int, off_t, off_t) __attribute__((alias("fallocate")));
int posix_fallocate64(int, off_t, off_t) __attribute__((alias("posix_fallocate")));

int statvfs64(const char *path, struct statvfs64 *found)
{
    return statvfs(path, (struct statvfs *)found);
}
