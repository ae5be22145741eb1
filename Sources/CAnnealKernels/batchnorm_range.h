// What the loops of batch norm work on: some channel blocks of some samples.
#ifndef ANK_BATCHNORM_RANGE_H
#define ANK_BATCHNORM_RANGE_H
#include <stdint.h>

/// Blocks that are taken together where one is only a few bytes long in each sample.
enum { BN_GROUP = 32, BN_LANES = BN_GROUP * 16 };

/// Numbers of a channel whose mean others are measured from.
enum { BN_BASE = 64 };

/// Bytes of a tensor from which on results bypass the caches.
enum { BN_STREAMED = 24 << 20 };

/// Bypassing stores are ordered with nothing; this makes them visible before anything that follows.
static inline void ank_stream_end(void) {
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#endif
}

typedef struct {
    int64_t blocks;  ///< of the tensor
    int64_t s;       ///< positions
    int64_t first;   ///< first block
    int64_t count;   ///< blocks, <= BN_GROUP
    int64_t n0, n1;  ///< samples
} bn_range;

/// The coefficients of `count` blocks, in memory order; all zero in the filling.
typedef struct {
    float mean[BN_LANES] __attribute__((aligned(64)));
    float scale[BN_LANES] __attribute__((aligned(64))); ///< gamma / sqrt(var + eps)
    float beta[BN_LANES] __attribute__((aligned(64)));
    float a[BN_LANES] __attribute__((aligned(64)));     ///< dx = scale * g + a * (x - mean) + b
    float b[BN_LANES] __attribute__((aligned(64)));
} bn_coefficients;

#endif
