// Preloaded into the tool by tests (LD_PRELOAD): a system that has less.
//   POOR_ERRNO=N: flock and fsync fail with this error number.
//   POOR_THREADS=N: at most N threads run at the same time besides the first.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static int refused(void) {
    const char *number = getenv("POOR_ERRNO");
    if (number) errno = atoi(number);
    return number != NULL;
}

int flock(int descriptor, int operation) {
    int (*real)(int, int) = dlsym(RTLD_NEXT, "flock");
    return refused() ? -1 : real(descriptor, operation);
}

int fsync(int descriptor) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    return refused() ? -1 : real(descriptor);
}

static atomic_int running;

struct start {
    void *(*body)(void *);
    void *context;
};

static void *run(void *pointer) {
    struct start start = *(struct start *)pointer;
    free(pointer);
    void *result = start.body(start.context);
    atomic_fetch_sub(&running, 1);
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *context) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
    const char *limit = getenv("POOR_THREADS");
    if (atomic_fetch_add(&running, 1) >= (limit ? atoi(limit) : 1000000)) {
        atomic_fetch_sub(&running, 1);
        return EAGAIN;
    }
    struct start *start = malloc(sizeof *start);
    *start = (struct start){body, context};
    return real(thread, attributes, run, start);
}
