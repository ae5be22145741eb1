// Grouped 2-D convolution with few channels per group, where libraries fall back to reference loops.
//
// Activations have block 8 or 16 (anneal_layout.h) and c == groups * channels_per_group on both sides, a multiple of
// the block; channels per group: 1, 2, 4 (8 with block 16), the same for inputs and outputs, or on each side a multiple
// of the block.
// Weights are as in anneal_conv.h.
#ifndef ANNEAL_GROUPCONV_H
#define ANNEAL_GROUPCONV_H
#include "anneal_conv.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Whether the kernels support this shape.
int anneal_groupconv_supported(const anneal_conv *conv);
/// Floats of scratch: backward_weights stores the sums of pieces of the batch, the others need none.
int64_t anneal_groupconv_scratch(const anneal_conv *conv, anneal_pass pass);

/// y = conv(x, w) [+ bias], then what `post` says, except its sum; bias, post NULL: none.
void anneal_groupconv_forward(const anneal_conv *conv, const float *x, const float *w, const float *bias,
                              const anneal_post *post, float *y);
void anneal_groupconv_backward_data(const anneal_conv *conv, const float *dy, const float *w, float *dx);
/// dbias NULL: none. The order of the sums depends only on the shape.
void anneal_groupconv_backward_weights(const anneal_conv *conv, const float *x, const float *dy, float *dw, float *dbias,
                                       float *scratch);

#ifdef __cplusplus
}
#endif
#endif
