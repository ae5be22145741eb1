// Layouts of activations.
//
// An activation is (n, c, s): batch, channels, and all spatial positions in row-major order. With block b = 1 it is
// plain (MXNet's NCHW); with b = 8 or 16 channels are blocked: element (i, j, k) is at ((i * cb + j / b) * s + k) * b +
// j % b, with cb = ceil(c / b). The channels that pad the last block are zero, and every kernel keeps them zero.
#ifndef ANNEAL_LAYOUT_H
#define ANNEAL_LAYOUT_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t n; ///< batch
    int64_t c; ///< channels, without the padding
    int64_t s; ///< spatial positions
    int64_t b; ///< channels in a block: 1, 8 or 16
} anneal_dims;

/// Elements in memory, padding included.
static inline int64_t anneal_elements(anneal_dims d) { return d.n * ((d.c + d.b - 1) / d.b) * d.b * d.s; }

/// Copies between two layouts of one activation (any b to any b), in parallel; pads the last block with zeros.
void anneal_relayout(const float *source, int64_t source_block, float *target, int64_t target_block, int64_t n, int64_t c,
                     int64_t s);

#ifdef __cplusplus
}
#endif
#endif
