// The data that batch norm's loops work on: some channel blocks of some samples.
#ifndef ANNEAL_BATCHNORM_RANGE_H
#define ANNEAL_BATCHNORM_RANGE_H
#include <stdint.h>

/// The number of blocks that are processed together if each is only a few bytes long per sample.
enum { BATCHNORM_GROUP = 32, BATCHNORM_LANES = BATCHNORM_GROUP * 16 };

/// The number of a channel's values whose mean the others are measured from.
enum { BATCHNORM_BASE = 64 };

/// The size of a tensor, in bytes, from which results bypass the caches.
enum { BATCHNORM_STREAMED = 24 << 20 };

/// Non-temporal stores are unordered; this makes them visible before anything that follows.
static inline void anneal_stream_end(void) {
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#endif
}

typedef struct {
    int64_t blocks;  ///< in the tensor
    int64_t s;       ///< positions
    int64_t first;   ///< first block
    int64_t count;   ///< blocks, <= BATCHNORM_GROUP
    int64_t n0, n1;  ///< samples
} batchnorm_range;

/// The coefficients of `count` blocks, in memory order; all zero in the padding.
typedef struct {
    float mean[BATCHNORM_LANES] __attribute__((aligned(64)));
    float scale[BATCHNORM_LANES] __attribute__((aligned(64))); ///< gamma / sqrt(var + eps)
    float beta[BATCHNORM_LANES] __attribute__((aligned(64)));
    float a[BATCHNORM_LANES] __attribute__((aligned(64)));     ///< dx = scale * g + a * (x - mean) + b
    float b[BATCHNORM_LANES] __attribute__((aligned(64)));
} batchnorm_coefficients;

#endif
