// glibc lets a program replace malloc, and provides its own under these names.
#include "anneal_fuzz.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static _Atomic int64_t held, most, start;
static _Atomic int64_t ceiling = INT64_MAX;

static void check(size_t size) {
    int64_t limit = atomic_load(&ceiling);
    if (limit == INT64_MAX || (size <= (size_t)INT64_MAX && (int64_t)size <= limit - atomic_load(&held))) return;
    char text[128];
    int length = snprintf(
        text, sizeof text, "wants %zu bytes in addition to the %lld that it holds\n", size,
        (long long)(atomic_load(&held) - atomic_load(&start)));
    if (write(STDERR_FILENO, text, (size_t)length) < 0) _exit(ANNEAL_FUZZ_OVER_LIMIT);
    _exit(ANNEAL_FUZZ_OVER_LIMIT);
}

static void *taken(void *memory) {
    if (!memory) return NULL;
    int64_t now = atomic_fetch_add(&held, (int64_t)malloc_usable_size(memory)) + (int64_t)malloc_usable_size(memory);
    int64_t before = atomic_load(&most);
    while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) {
    }
    return memory;
}

static void given_back(void *memory) {
    if (memory) atomic_fetch_sub(&held, (int64_t)malloc_usable_size(memory));
}

void *malloc(size_t size) {
    check(size);
    return taken(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    check(bytes);
    return taken(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size) {
    check(size);
    size_t before = memory ? malloc_usable_size(memory) : 0;
    void *moved = __libc_realloc(memory, size);
    if (!moved && size) return NULL;
    atomic_fetch_sub(&held, (int64_t)before);
    return taken(moved);
}

void free(void *memory) {
    given_back(memory);
    __libc_free(memory);
}

void *memalign(size_t alignment, size_t size) {
    check(size);
    return taken(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **out, size_t alignment, size_t size) {
    if (alignment < sizeof(void *) || (alignment & (alignment - 1))) return EINVAL;
    void *memory = memalign(alignment, size);
    if (!memory) return ENOMEM;
    *out = memory;
    return 0;
}

void anneal_fuzz_watch(int64_t limit) {
    int64_t now = atomic_load(&held);
    atomic_store(&start, now);
    atomic_store(&most, now);
    atomic_store(&ceiling, now + limit);
}

int64_t anneal_fuzz_peak(void) {
    atomic_store(&ceiling, INT64_MAX);
    return atomic_load(&most) - atomic_load(&start);
}
