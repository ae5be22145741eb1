// Random numbers that depend only on their position: Philox 4x32 with 10 rounds (Salmon et al. 2011).
#ifndef ANNEAL_RANDOM_H
#define ANNEAL_RANDOM_H
#include "anneal_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/// What a number depends on besides its position in the array.
typedef struct {
    uint64_t seed;
    uint32_t stream;  ///< the layer's number
    uint32_t step;
    uint32_t purpose;
    uint32_t sample;  ///< the number of the array's first sample, i = 0, in its batch
} anneal_random_key;

/// y = uniform numbers in [0, 1), multiples of 2^-24. The number of element (i, j, k) is word j % 4 of the counter
/// ((sample + i) * ceil(c / 4) + j / 4) * s + k: neither the layout nor the number of threads matters. The padding is zero.
void anneal_random_uniform(anneal_random_key key, float *y, anneal_dims dims);

#ifdef __cplusplus
}
#endif
#endif
