// Convolution for images with few channels, which are not blocked, as part of denseconv.c: sums straight from the lines
// of an image. A gathered panel would be written and read once for very few output channels.
#ifndef ANNEAL_PLAINCONV_H
#define ANNEAL_PLAINCONV_H
#include "anneal_conv.h"

enum { PLAINCONV_MAX_COLUMNS = 512 }; ///< taps times channels

/// Whether an image's strips are small: wide dilation or padding can make them many times larger than the image.
int plainconv_supported(const anneal_conv *conv);
/// Floats of scratch for the forward pass or the weights' gradient.
int64_t plainconv_scratch(const anneal_conv *conv, anneal_pass pass);
void plainconv_forward(const anneal_conv *conv, const float *x, const float *w, const float *bias,
                       const anneal_post *post, float *y, float *scratch);
void plainconv_backward_weights(const anneal_conv *conv, const float *x, const float *dy, float *dw, float *dbias,
                                float *scratch);

#endif
