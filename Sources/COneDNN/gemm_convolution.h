// Backward passes of a 2-D convolution as matrix products over unfolded images (im2col), for the shapes where oneDNN has
// reference loops only: few input channels with large kernels or odd filter counts.
#ifndef GEMM_CONVOLUTION_H
#define GEMM_CONVOLUTION_H
#include "adnn.h"

/// Whether the shape is one for these loops.
int gemm_conv_supported(const adnn_conv_shape *shape, adnn_pass pass);
/// Floats of scratch, for as many threads as there are now.
size_t gemm_conv_scratch(const adnn_conv_shape *shape, adnn_pass pass);
/// weights: in MXNet's order. The sums are taken in an order that depends on the shape and the number of threads only.
int gemm_conv_execute(const adnn_conv_shape *shape, adnn_pass pass, float *src, int src_block, float *weights, float *bias,
                      float *dst, int dst_block, float *scratch, int threads);
int gemm_conv_threads(void);
#endif
