/* Moves the wall clock of the processes that preload this; other clocks stay. The folder WALL_CLOCK_FOLDER has files
   with a number of seconds: a process reads that which is named by its id, or else "all". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static double read_seconds(const char *path) {
    char text[64];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0.0;
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    text[count > 0 ? count : 0] = 0;
    return atof(text);
}

static double moved(void) {
    const char *folder = getenv("WALL_CLOCK_FOLDER");
    char own[512], all[512];
    if (folder == NULL) return 0.0;
    snprintf(own, sizeof own, "%s/%d", folder, (int)getpid());
    snprintf(all, sizeof all, "%s/all", folder);
    return read_seconds(access(own, R_OK) == 0 ? own : all);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += (time_t)moved();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec fine;
    if (clock_gettime(CLOCK_REALTIME, &fine) != 0) return -1;
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result != NULL) *result = now.tv_sec;
    return now.tv_sec;
}
