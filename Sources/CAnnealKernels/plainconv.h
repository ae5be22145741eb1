// What denseconv.c does for images of few channels, which have no blocks: sums straight from the lines of an image. A
// gathered panel would be written and read once for very few output channels.
#ifndef ANK_PLAINCONV_H
#define ANK_PLAINCONV_H
#include "ank_conv.h"

enum { PC_MAX_COLUMNS = 512 }; ///< taps times channels

/// Whether an image's strips are small: wide dilation or padding makes them many times the image.
int pc_supported(const ank_conv *conv);
/// Floats of scratch for the forward pass or the weights' gradient.
int64_t pc_scratch(const ank_conv *conv, ank_pass pass);
void pc_forward(const ank_conv *conv, const float *x, const float *w, const float *bias, const ank_post *post, float *y,
                float *scratch);
void pc_backward_weights(const ank_conv *conv, const float *x, const float *dy, float *dw, float *dbias, float *scratch);

#endif
