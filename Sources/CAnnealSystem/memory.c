#include "anneal_memory.h"

#include <malloc.h>
#include <sys/resource.h>

void anneal_fit_address_space(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) mallopt(M_ARENA_MAX, 1);
}

void anneal_trim_heap(void) { malloc_trim(0); }
