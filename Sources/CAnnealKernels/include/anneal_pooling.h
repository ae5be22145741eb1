// MXNet's Pooling over 1 to 3 spatial axes (missing leading ones have extent 1, kernel 1, stride 1, pad 0).
#ifndef ANNEAL_POOLING_H
#define ANNEAL_POOLING_H
#include "anneal_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ANNEAL_POOLING_MAX, ANNEAL_POOLING_AVG, ANNEAL_POOLING_SUM, ANNEAL_POOLING_LP } anneal_pooling_kind;

typedef struct {
    anneal_pooling_kind kind;
    int64_t n, c, b;                      ///< batch, channels, block (1, 8 or 16)
    int64_t in[3], out[3];                ///< depth, height, width
    int64_t kernel[3], stride[3], pad[3]; ///< pad: before; the padding after it follows from `out`
    int count_include_pad;                ///< average: divide by the window within [-pad, in + pad), else by the cells inside
    int lp;                               ///< the p of ANNEAL_POOLING_LP (1, 2 or 3)
    int first_version;                    ///< max, average and sum as Pooling_v1 computes them, see below
} anneal_pooling;

/// Max: padding never wins, ties go to the first cell in row-major order; argmax (if not NULL, one int32 for each
/// output element in memory) receives the winner's spatial index. A window without any cell (`full` with large strides)
/// gives 0 and argmax -1.
/// In the first version the padding's zeros count in a maximum, no window lies outside the padded data, and an average
/// is divided by the size of the whole kernel, no matter how much of it lies outside.
/// lp as MXNet computes it: the p-th root of sum x^p, with the signs kept for p = 1 (a sum) and 3 (a signed cube root).
void anneal_pooling_forward(const anneal_pooling *pool, const float *x, float *y, int32_t *argmax);

/// dx = the gradient [+ accumulate]; dx may be accumulate. Max uses argmax; lp uses x and y; the others need neither.
/// The first version's max uses x and y: every cell that equals the maximum gets the whole gradient.
void anneal_pooling_backward(const anneal_pooling *pool, const float *x, const float *y, const int32_t *argmax,
                             const float *dy, const float *accumulate, float *dx);

#ifdef __cplusplus
}
#endif
#endif
