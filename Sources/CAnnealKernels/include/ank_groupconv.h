// Grouped 2-D convolution with few channels per group, where libraries fall back to reference loops.
//
// Activations have block 8 or 16 (ank_layout.h) and c == groups * channels_per_group for both sides, a multiple of the
// block; channels per group: 1, 2, 4 (8 with block 16), in and out alike, or on each side a multiple of the block. Weights are kept in the
// kernels' own order: ank_groupconv_pack / _unpack convert from and to MXNet's (out, in / groups, kh, kw).
#ifndef ANK_GROUPCONV_H
#define ANK_GROUPCONV_H
#include "ank_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t n, groups, ic, oc;  ///< ic, oc: channels per group
    int64_t b;                  ///< block of both activations
    int64_t ih, iw, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw; ///< d: dilation, 1 = none
} ank_groupconv;

/// Whether the kernels take this shape.
int ank_groupconv_supported(const ank_groupconv *conv);
/// Floats of the packed weights.
int64_t ank_groupconv_weights(const ank_groupconv *conv);
/// Floats of scratch that backward_weights needs (partial sums of the threads).
int64_t ank_groupconv_scratch(const ank_groupconv *conv);
void ank_groupconv_pack(const ank_groupconv *conv, const float *plain, float *packed);
void ank_groupconv_unpack(const ank_groupconv *conv, const float *packed, float *plain);

/// y = conv(x, w) [+ bias], limited to low … high; bias NULL: none. Infinite limits: none.
void ank_groupconv_forward(const ank_groupconv *conv, const float *x, const float *w, const float *bias, float low,
                           float high, float *y);
void ank_groupconv_backward_data(const ank_groupconv *conv, const float *dy, const float *w, float *dx);
/// dbias NULL: none. The sums are taken in an order that depends on the shape and the number of threads only.
void ank_groupconv_backward_weights(const ank_groupconv *conv, const float *x, const float *dy, float *dw, float *dbias,
                                    float *scratch);

#ifdef __cplusplus
}
#endif
#endif
