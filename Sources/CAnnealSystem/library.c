#include "anneal_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
enum { UNKNOWN, LOADED, MISSING };

static int load(const char *file, const char *const *names, size_t count, void *functions) {
    void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
    if (!library) return MISSING;
    for (size_t i = 0; i < count; i++) {
        void *function = dlsym(library, names[i]);
        if (!function) return MISSING;
        // ISO C has no conversion from a data pointer to a function pointer.
        memcpy((char *)functions + i * sizeof function, &function, sizeof function);
    }
    return LOADED;
}

int anneal_load_library(int *state, const char *file, const char *const *names, size_t count, void *functions) {
    int known = __atomic_load_n(state, __ATOMIC_ACQUIRE);
    if (known != UNKNOWN) return known == LOADED;
    pthread_mutex_lock(&lock);
    if (*state == UNKNOWN) __atomic_store_n(state, load(file, names, count, functions), __ATOMIC_RELEASE);
    known = *state;
    pthread_mutex_unlock(&lock);
    return known == LOADED;
}
