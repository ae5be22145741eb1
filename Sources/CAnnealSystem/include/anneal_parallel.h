// The process's thread pool: GCC's OpenMP runtime, called without -fopenmp so that no unsafe flag is needed. Each
// thread that starts parallel regions has its own pool.
#ifndef ANNEAL_PARALLEL_H
#define ANNEAL_PARALLEL_H

#ifdef __cplusplus
extern "C" {
#endif

/// The number of threads in a parallel region that the calling thread starts.
int anneal_max_threads(void);
/// Sets this number, for the calling thread only.
void anneal_set_threads(int threads);

/// Runs body(context, part, parts) once on each thread of the pool. Within a parallel region it runs as a single part.
void anneal_parallel(void (*body)(void *context, int part, int parts), void *context);

#ifdef __cplusplus
}
#endif
#endif
