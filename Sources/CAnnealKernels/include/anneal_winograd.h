// Convolution of stride 1 by Winograd's minimal filtering (Lavin and Gray 2016, "Fast algorithms for convolutional neural
// networks"), F(4 x 4, 3 x 3) and F(2 x 2, 5 x 5): 4 and 2.8 times fewer products than the direct method, its gradients by
// the transposed transforms.
//
// Activations have block 8 or 16 (anneal_layout.h). Weights are as in anneal_conv.h.
#ifndef ANNEAL_WINOGRAD_H
#define ANNEAL_WINOGRAD_H
#include "anneal_conv.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Whether the kernels support this shape.
int anneal_winograd_supported(const anneal_conv *conv);
/// Floats of scratch for a pass.
int64_t anneal_winograd_scratch(const anneal_conv *conv, anneal_pass pass);

/// y = conv(x, w) [+ bias], then what `post` says; bias, post NULL: none.
void anneal_winograd_forward(const anneal_conv *conv, const float *x, const float *w, const float *bias,
                             const anneal_post *post, float *y, float *scratch);
void anneal_winograd_backward_data(const anneal_conv *conv, const float *dy, const float *w, float *dx, float *scratch);
/// dbias NULL: none. The order of the sums depends only on the shape.
void anneal_winograd_backward_weights(const anneal_conv *conv, const float *x, const float *dy, float *dw, float *dbias,
                                      float *scratch);

#ifdef __cplusplus
}
#endif
#endif
