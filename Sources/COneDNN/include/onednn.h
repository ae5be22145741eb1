// A plain C interface to oneDNN for the engine: the differences between its versions 2 and 3, its macros and its memory
// objects are hidden in this target.
// Every function that can fail returns 0 or oneDNN's status, described by onednn_status_text.
#ifndef ONEDNN_H
#define ONEDNN_H
#include <stddef.h>
#include <stdint.h>

#include "anneal_conv.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct onednn_engine onednn_engine; ///< a CPU engine and its stream
typedef struct onednn_layout onednn_layout; ///< a memory layout that only oneDNN reads (weights)
typedef struct onednn_conv onednn_conv;     ///< a convolution primitive and its memory

const char *onednn_status_text(int status);

typedef struct {
    int major, minor, patch;
} onednn_version_numbers;

/// The version of the loaded library.
onednn_version_numbers onednn_version(void);

int onednn_engine_create(onednn_engine **engine);
void onednn_engine_destroy(onednn_engine *engine);

/// What a pass does besides the convolution.
typedef struct {
    int bias;         ///< adds the bias, or computes its gradient
    int inference;    ///< a forward pass without a backward one, for which oneDNN may choose other kernels
    anneal_post post; ///< for forward passes
} onednn_conv_options;

/// Creates a convolution's pass; fields of `shape` that are only for our own kernels are not read. Blocks: 0 lets
/// oneDNN choose, 1 is plain, 8 and 16 are blocked channels. weights NULL lets oneDNN choose the weights' layout;
/// otherwise they (or their gradient) have that layout, and are reordered within the step if the primitive needs
/// another (onednn_conv_reorders counts this).
int onednn_conv_create(onednn_engine *engine, const anneal_conv *shape, anneal_pass pass, const onednn_conv_options *options,
                       int src_block, int dst_block, const onednn_layout *weights, onednn_conv **conv);
void onednn_conv_destroy(onednn_conv *conv);

/// The primitive's block: 1, 8, 16, or 0 for any other layout.
int onednn_conv_src_block(const onednn_conv *conv);
int onednn_conv_dst_block(const onednn_conv *conv);
/// The weights' layout in the primitive itself; the caller destroys it.
int onednn_conv_weights_layout(const onednn_conv *conv, onednn_layout **layout);
size_t onednn_conv_scratch_bytes(const onednn_conv *conv);
int onednn_conv_reorders(const onednn_conv *conv);
const char *onednn_conv_implementation(const onednn_conv *conv);

/// Binds memory, replacing what was bound before. Forward reads src, weights, bias and writes dst; backward data reads
/// dst and weights and writes src; backward weights reads src and dst and writes weights and bias.
/// scratch: onednn_conv_scratch_bytes bytes, 64-byte aligned.
int onednn_conv_bind(onednn_conv *conv, float *src, float *weights, float *bias, float *dst, void *scratch);
int onednn_conv_execute(onednn_conv *conv);

size_t onednn_layout_elements(const onednn_layout *layout); ///< in floats, padding included
int onednn_layout_equal(const onednn_layout *a, const onednn_layout *b);
void onednn_layout_destroy(onednn_layout *layout);
/// Copies between MXNet's weight order (out, in / groups, kernel…) and the layout.
int onednn_layout_pack(onednn_engine *engine, const onednn_layout *layout, const float *plain, float *packed);
int onednn_layout_unpack(onednn_engine *engine, const onednn_layout *layout, const float *packed, float *plain);

/// Row-major C (m, n) = alpha op(A) op(B) + beta C; transpose_x: x is stored transposed.
int onednn_sgemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                 int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

#ifdef __cplusplus
}
#endif
#endif
