// Simple elementwise arithmetic, in parallel over flat memory. An output may alias an input.
#ifndef ANNEAL_ARITHMETIC_H
#define ANNEAL_ARITHMETIC_H
#include "anneal_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/// y = scale * x + shift. The padding of blocked layouts stays zero.
void anneal_affine(const float *x, float scale, float shift, float *y, anneal_dims dims);

/// y = x clamped to low..high; NaN stays NaN. The padding of blocked layouts stays zero.
void anneal_clip(const float *x, float low, float high, float *y, anneal_dims dims);
/// dx = dy where low <= x <= high, else 0.
void anneal_clip_backward(const float *x, const float *dy, float low, float high, float *dx, int64_t count);

/// y = x where x > 0, else slope * x.
void anneal_leaky(const float *x, float slope, float *y, int64_t count);
/// dx = dy where x > 0, else slope * dy.
void anneal_leaky_backward(const float *x, const float *dy, float slope, float *dx, int64_t count);

/// y = a * b.
void anneal_multiply(const float *a, const float *b, float *y, int64_t count);

/// Turns uniform random numbers into a dropout mask: mask = keep > u ? 1 / keep : 0, y = x * mask. mask may be u.
void anneal_dropout(const float *x, const float *u, float keep, float *mask, float *y, int64_t count);

/// Zeros the channels that pad the last block.
void anneal_clear_padding(float *y, anneal_dims dims);

/// Neither works in place. y has `outer` rows; each consists of the rows of all parts, of chunks[i] floats, one after
/// another; parts that are NULL are zeros.
void anneal_concat(const float *const *parts, const int64_t *chunks, int64_t count, int64_t outer, float *y);
/// The inverse; parts that are NULL are skipped.
void anneal_split(const float *y, float *const *parts, const int64_t *chunks, int64_t count, int64_t outer);

#ifdef __cplusplus
}
#endif
#endif
