/* Which write or sync below a folder fails? Preloaded by `cargo xtask torture eio`.
 *
 * Counts pwrite64, fsync and fdatasync on files below EIO_UNDER in the 8 bytes of the file EIO_COUNTER, and fails number EIO_AT with EIO.
 * With EIO_KIND=short the failing write first writes half of its bytes, as a disk does that fails in the middle. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint64_t *counter;
static uint64_t fail_at;
static const char *under;
static int is_short;
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void) {
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    under = getenv("EIO_UNDER");
    const char *at = getenv("EIO_AT"), *path = getenv("EIO_COUNTER"), *kind = getenv("EIO_KIND");
    fail_at = at ? strtoull(at, NULL, 10) : 0;
    is_short = kind && !strcmp(kind, "short");
    int fd = path ? open(path, O_RDWR) : -1;
    if (fd >= 0) {
        void *page = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        counter = page == MAP_FAILED ? NULL : page;
        close(fd);
    }
}

static int fails(int fd) {
    char link[64], path[4096];
    if (!counter || !under) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0) return 0;
    path[len] = 0;
    if (strncmp(path, under, strlen(under))) return 0;
    return atomic_fetch_add(counter, 1) + 1 == fail_at;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    if (fails(fd)) {
        if (is_short) (void)!real_pwrite64(fd, bytes, len / 2, at);
        errno = EIO;
        return -1;
    }
    return real_pwrite64(fd, bytes, len, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { return pwrite64(fd, bytes, len, at); }

int fsync(int fd) {
    if (fails(fd)) { errno = EIO; return -1; }
    return real_fsync(fd);
}

int fdatasync(int fd) {
    if (fails(fd)) { errno = EIO; return -1; }
    return real_fdatasync(fd);
}
