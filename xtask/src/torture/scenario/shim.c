/* What goes wrong between the broker and the system? Preloaded by `cargo xtask torture`.
 *
 * A failing disk: counts pwrite64, fsync and fdatasync on files below EIO_UNDER in the 8 bytes of the file EIO_COUNTER, and fails number EIO_AT with EIO.
 * With EIO_KIND=short the failing write first writes half of its bytes, as a disk does that fails in the middle.
 *
 * A slow disk: each fsync and fdatasync first takes up to SLOW_MS_MAX ms, at random, and the ms in the 8 bytes of the file SLOW_FILE.
 *
 * A clock that jumps: CLOCK_REALTIME is ahead by the nanoseconds in the 8 bytes of the file CLOCK_FILE. */
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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t *counter;
static uint64_t fail_at;
static const char *under;
static int is_short;
static unsigned slow_ms_max;
static _Atomic uint64_t *slow_ms;
static _Atomic int64_t *ahead_ns;
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static void *shared(const char *path) {
    int fd = path ? open(path, O_RDWR) : -1;
    if (fd < 0) return NULL;
    void *page = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

__attribute__((constructor)) static void begin(void) {
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    under = getenv("EIO_UNDER");
    const char *at = getenv("EIO_AT"), *path = getenv("EIO_COUNTER"), *kind = getenv("EIO_KIND");
    fail_at = at ? strtoull(at, NULL, 10) : 0;
    is_short = kind && !strcmp(kind, "short");
    counter = shared(path);
    const char *slow = getenv("SLOW_MS_MAX");
    slow_ms_max = slow ? atoi(slow) : 0;
    slow_ms = shared(getenv("SLOW_FILE"));
    ahead_ns = shared(getenv("CLOCK_FILE"));
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

static void dawdle(void) {
    uint64_t ms = slow_ms ? atomic_load(slow_ms) : 0;
    if (slow_ms_max) {
        struct timespec now;
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
        ms += ((uint64_t)now.tv_nsec * 2654435761u >> 16) % (slow_ms_max + 1);
    }
    if (!ms) return;
    struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

int fsync(int fd) {
    dawdle();
    if (fails(fd)) { errno = EIO; return -1; }
    return real_fsync(fd);
}

int fdatasync(int fd) {
    dawdle();
    if (fails(fd)) { errno = EIO; return -1; }
    return real_fdatasync(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (result == 0 && ahead_ns && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + atomic_load(ahead_ns);
        now->tv_sec = ns / 1000000000;
        now->tv_nsec = ns % 1000000000;
    }
    return result;
}
