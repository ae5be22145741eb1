// Convolution of stride 1 by Winograd's minimal filtering (Lavin and Gray 2016, "Fast algorithms for convolutional neural
// networks"), F(4 x 4, 3 x 3) and F(2 x 2, 5 x 5): 4 and 2.8 times fewer products than the direct method, its gradients by
// the transposed transforms.
//
// Activations have block 8 or 16 (ank_layout.h). Weights are as in ank_conv.h.
#ifndef ANK_WINOGRAD_H
#define ANK_WINOGRAD_H
#include "ank_conv.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Whether the kernels take this shape.
int ank_winograd_supported(const ank_conv *conv);
/// Floats of scratch for a pass.
int64_t ank_winograd_scratch(const ank_conv *conv, ank_pass pass);

/// y = conv(x, w) [+ bias], then what `post` says; bias, post NULL: none.
void ank_winograd_forward(const ank_conv *conv, const float *x, const float *w, const float *bias,
                          const ank_post *post, float *y, float *scratch);
void ank_winograd_backward_data(const ank_conv *conv, const float *dy, const float *w, float *dx, float *scratch);
/// dbias NULL: none. The sums are taken in an order that depends on the shape only.
void ank_winograd_backward_weights(const ank_conv *conv, const float *x, const float *dy, float *dw, float *dbias,
                                   float *scratch);

#ifdef __cplusplus
}
#endif
#endif
