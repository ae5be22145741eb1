#include "anneal_parallel.h"

#include "anneal_signals.h"

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

// Whether this thread of the pool takes no signals any more.
static _Thread_local int takes_no_signals;

static void enter(void *pointer) {
    struct region *region = pointer;
    // The threads of the pool compute and do nothing else (see Parallel.withoutSignals). The first is the caller's own.
    if (omp_get_thread_num() > 0 && !takes_no_signals) {
        anneal_block_signals();
        takes_no_signals = 1;
    }
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
