// The process's thread pool: GCC's OpenMP runtime, called without -fopenmp so that no unsafe flag is needed.
#ifndef ANK_PARALLEL_H
#define ANK_PARALLEL_H

#ifdef __cplusplus
extern "C" {
#endif

/// Floats in the widest vector of this processor that kernels use: 16 with AVX-512, else 8. Blocks have this size.
int ank_vector_floats(void);

int ank_max_threads(void);
void ank_set_threads(int threads);

/// Runs body(context, part, parts) once on each thread of the pool. Inside a parallel region it runs as one part.
void ank_parallel(void (*body)(void *context, int part, int parts), void *context);

#ifdef __cplusplus
}
#endif
#endif
