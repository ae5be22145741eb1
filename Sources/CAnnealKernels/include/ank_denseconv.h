// Convolution with one group, any kernel, stride and dilation, as matrix products over positions of the whole batch, whose
// sources are gathered tap by tap into panels that stay in the caches: libraries work image by image, and lose most of their
// speed where an image has few positions. A plain x, of few channels, is read as it is (plainconv.h).
//
// Activations have block 8 or 16 (ank_layout.h). Weights are as in ank_conv.h.
#ifndef ANK_DENSECONV_H
#define ANK_DENSECONV_H
#include "ank_conv.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Whether the kernels take this shape.
int ank_denseconv_supported(const ank_conv *conv);
/// Floats of scratch for a pass.
int64_t ank_denseconv_scratch(const ank_conv *conv, ank_pass pass);

/// y = conv(x, w) [+ bias], then what `post` says; bias, post NULL: none.
void ank_denseconv_forward(const ank_conv *conv, const float *x, const float *w, const float *bias,
                           const ank_post *post, float *y, float *scratch);
void ank_denseconv_backward_data(const ank_conv *conv, const float *dy, const float *w, float *dx, float *scratch);
/// dbias NULL: none. The sums are taken in an order that depends on the shape only.
void ank_denseconv_backward_weights(const ank_conv *conv, const float *x, const float *dy, float *dw, float *dbias,
                                    float *scratch);

#ifdef __cplusplus
}
#endif
#endif
