// A plain face of oneDNN for the engine: what differs between its versions, its macros and its memory objects stay here.
// Every function that can fail returns 0 or oneDNN's status; adnn_status_text says what it means.
#ifndef ADNN_H
#define ADNN_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adnn_engine adnn_engine;   ///< a CPU engine and its stream
typedef struct adnn_layout adnn_layout;   ///< a memory layout that only oneDNN reads (weights)
typedef struct adnn_conv adnn_conv;       ///< a convolution primitive and its memory

const char *adnn_status_text(int status);
const char *adnn_version(void);

int adnn_engine_create(adnn_engine **engine);
void adnn_engine_destroy(adnn_engine *engine);

typedef enum { ADNN_FORWARD_TRAINING, ADNN_FORWARD_INFERENCE, ADNN_BACKWARD_DATA, ADNN_BACKWARD_WEIGHTS } adnn_pass;

/// What a forward pass does to its result beside: dst = min(max(result + (sum ? dst : 0), low), high), the limits if clip.
typedef struct {
    int sum, clip;
    float low, high; ///< high INFINITY with low 0: ReLU
} adnn_post_ops;

typedef struct {
    int axes;                 ///< spatial axes, 1 to 3
    int64_t n, groups, ic, oc; ///< ic, oc: all channels
    int64_t in[3], out[3], kernel[3], stride[3], pad[3], dilate[3]; ///< dilate 1 = none
    int bias;
    adnn_post_ops post; ///< of forward passes
} adnn_conv_shape;

/// Creates a convolution's pass. Blocks: 0 lets oneDNN choose, 1 is plain, 8 and 16 blocked channels.
/// weights NULL lets oneDNN choose the weights' layout; otherwise they (or their gradient) are in that layout, and are
/// reordered inside the step where the primitive insists on another (adnn_conv_reorders counts it).
int adnn_conv_create(adnn_engine *engine, const adnn_conv_shape *shape, adnn_pass pass, int src_block, int dst_block,
                     const adnn_layout *weights, adnn_conv **conv);
void adnn_conv_destroy(adnn_conv *conv);

/// The block that the primitive takes: 1, 8, 16, or 0 if it is none of these.
int adnn_conv_src_block(const adnn_conv *conv);
int adnn_conv_dst_block(const adnn_conv *conv);
/// The layout of the weights that the primitive itself takes; the caller destroys it.
int adnn_conv_weights_layout(const adnn_conv *conv, adnn_layout **layout);
size_t adnn_conv_scratch_bytes(const adnn_conv *conv);
int adnn_conv_reorders(const adnn_conv *conv);
const char *adnn_conv_implementation(const adnn_conv *conv);

/// Binds memory, in place of what was bound before. Forward reads src, weights, bias and writes dst; backward data reads dst and weights and writes src;
/// backward weights reads src and dst and writes weights and bias. scratch: adnn_conv_scratch_bytes bytes, 64-aligned.
int adnn_conv_bind(adnn_conv *conv, float *src, float *weights, float *bias, float *dst, void *scratch);
int adnn_conv_execute(adnn_conv *conv);

size_t adnn_layout_elements(const adnn_layout *layout); ///< floats, the filling included
int adnn_layout_equal(const adnn_layout *a, const adnn_layout *b);
void adnn_layout_destroy(adnn_layout *layout);
/// Copies between MXNet's weight order (out, in / groups, kernel…) and the layout.
int adnn_layout_pack(adnn_engine *engine, const adnn_layout *layout, const float *plain, float *packed);
int adnn_layout_unpack(adnn_engine *engine, const adnn_layout *layout, const float *packed, float *plain);

/// Row-major C (m, n) = alpha op(A) op(B) + beta C; transpose_x: x is stored transposed.
int adnn_sgemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
               const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

#ifdef __cplusplus
}
#endif
#endif
