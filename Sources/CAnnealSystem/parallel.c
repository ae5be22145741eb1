#include "anneal_parallel.h"

// GCC's OpenMP runtime (libgomp), the pool that oneDNN runs on too. These are its documented entry points.
void GOMP_parallel(void (*body)(void *), void *context, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
void omp_set_num_threads(int threads);
int omp_in_parallel(void);

struct region {
    void (*body)(void *, int, int);
    void *context;
};

static void enter(void *pointer) {
    struct region *region = pointer;
    region->body(region->context, omp_get_thread_num(), omp_get_num_threads());
}

int anneal_max_threads(void) { return omp_get_max_threads(); }

void anneal_set_threads(int threads) { omp_set_num_threads(threads); }

void anneal_parallel(void (*body)(void *, int, int), void *context) {
    struct region region = {body, context};
    if (omp_in_parallel() || omp_get_max_threads() == 1) {
        body(context, 0, 1);
        return;
    }
    GOMP_parallel(enter, &region, 0, 0);
}
