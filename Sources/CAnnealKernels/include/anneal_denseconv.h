// Convolution with one group, any kernel, stride and dilation, as matrix products over positions of the whole batch,
// whose sources are gathered tap by tap into panels that stay in the caches: libraries work image by image, and lose
// most of their speed if an image has few positions. A plain x with few channels is read directly (plainconv.h).
//
// Activations have block 8 or 16 (anneal_layout.h). Weights are as in anneal_conv.h.
#ifndef ANNEAL_DENSECONV_H
#define ANNEAL_DENSECONV_H
#include "anneal_conv.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Whether the kernels support this shape.
int anneal_denseconv_supported(const anneal_conv *conv);
/// Floats of scratch for a pass.
int64_t anneal_denseconv_scratch(const anneal_conv *conv, anneal_pass pass);

/// y = conv(x, w) [+ bias], then what `post` says; bias, post NULL: none.
void anneal_denseconv_forward(const anneal_conv *conv, const float *x, const float *w, const float *bias,
                              const anneal_post *post, float *y, float *scratch);
void anneal_denseconv_backward_data(const anneal_conv *conv, const float *dy, const float *w, float *dx, float *scratch);
/// dbias NULL: none. The order of the sums depends only on the shape.
void anneal_denseconv_backward_weights(const anneal_conv *conv, const float *x, const float *dy, float *dw, float *dbias,
                                       float *scratch);

#ifdef __cplusplus
}
#endif
#endif
