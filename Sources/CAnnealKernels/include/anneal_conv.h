// A convolution's shape, for oneDNN's primitives (COneDNN) and for our own kernels (anneal_denseconv.h,
// anneal_groupconv.h, anneal_winograd.h), and the order of weights in our own kernels.
#ifndef ANNEAL_CONV_H
#define ANNEAL_CONV_H
#include "anneal_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ANNEAL_FORWARD, ANNEAL_BACKWARD_DATA, ANNEAL_BACKWARD_WEIGHTS } anneal_pass;

/// Batch, channels, then input, output, kernel, stride, padding before and dilation (1 = none) of depth, height and width.
typedef struct {
    int64_t n, groups, ic, oc; ///< ic, oc: channels per group
    int64_t axes;              ///< spatial ones, 1 to 3: the last ones. The others have extents of 1 and no padding.
    int64_t id, ih, iw, od, oh, ow, kd, kh, kw, sd, sh, sw, pd, ph, pw, dd, dh, dw;
    // For our own kernels, which support two axes:
    int64_t b;       ///< block of both activations
    int64_t plain;   ///< denseconv: x has no blocks, for images with fewer channels than a block
    int64_t threads; ///< the number that scratch is for: anneal_max_threads() when the plan was made
} anneal_conv;

/// What a forward pass also does to its result: y = min(max(result + (sum ? y : 0), low), high), the limits only if
/// clip; NaN stays NaN. ReLU: low 0, high INFINITY.
typedef struct {
    int sum, clip;
    float low, high;
} anneal_post;

// Weights are stored as [group][output block][tap][input][output lane]; with one group, inputs and outputs are padded
// to whole blocks with zeros. For a plain x: [output block][input, tap][output lane], padded likewise. If a block
// contains several groups: [block][tap][input of each group][output lane].

/// The number of floats in the packed weights.
int64_t anneal_conv_weights(const anneal_conv *conv);
/// From and to MXNet's order (out, in / groups, kh, kw).
void anneal_conv_pack(const anneal_conv *conv, const float *plain, float *packed);
void anneal_conv_unpack(const anneal_conv *conv, const float *packed, float *plain);

#ifdef __cplusplus
}
#endif

#endif
