// The process's pool of threads: GCC's OpenMP runtime, called without -fopenmp so that no unsafe flag is needed. Each thread
// that starts parallel regions has a pool of its own.
#ifndef ANNEAL_PARALLEL_H
#define ANNEAL_PARALLEL_H

#ifdef __cplusplus
extern "C" {
#endif

/// Threads of a parallel region that the calling thread starts.
int anneal_max_threads(void);
/// Sets them, for the calling thread alone.
void anneal_set_threads(int threads);

/// Runs body(context, part, parts) once on each thread of the pool. Inside a parallel region it runs as one part.
void anneal_parallel(void (*body)(void *context, int part, int parts), void *context);

#ifdef __cplusplus
}
#endif
#endif
