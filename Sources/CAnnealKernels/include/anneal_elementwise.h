// Elementwise functions, in parallel over flat memory.
#ifndef ANNEAL_ELEMENTWISE_H
#define ANNEAL_ELEMENTWISE_H
#include "anneal_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/// MXNet's Activation: softrelu is log(1 + e^x), softsign x / (1 + |x|).
typedef enum { ANNEAL_RELU, ANNEAL_SIGMOID, ANNEAL_TANH, ANNEAL_SOFTRELU, ANNEAL_SOFTSIGN } anneal_activation;

/// y = f(x); y may be x. The padding of blocked layouts stays zero even if f(0) is not.
void anneal_activation_forward(anneal_activation kind, const float *x, float *y, anneal_dims dims);

/// dx = dy * f'(x) [+ accumulate], with f' computed from the output y alone (MXNet does so too; ReLU's is 0 at 0); for
/// softsign y gives f' as (1 - |y|)^2. dx may be dy or accumulate.
void anneal_activation_backward(anneal_activation kind, const float *y, const float *dy, const float *accumulate, float *dx,
                                anneal_dims dims);

/// y = x Φ(x) with the normal distribution's Φ; y may be x. The padding stays zero.
void anneal_gelu(const float *x, float *y, int64_t count);

/// dx = dy (Φ(x) + x φ(x)); dx may be dy or x.
void anneal_gelu_backward(const float *x, const float *dy, float *dx, int64_t count);

/// y = a + b [then ReLU]; y may be a or b.
void anneal_add(const float *a, const float *b, float *y, int relu, int64_t count);

void anneal_fill(float *y, float value, int64_t count);
void anneal_copy(const float *x, float *y, int64_t count);

/// y = alpha * x + beta * y.
void anneal_axpby(float alpha, const float *x, float beta, float *y, int64_t count);

/// Softmax over the middle axis of (outer, axis, inner), plain layout, stable (the maximum is subtracted). y may be x.
void anneal_softmax(const float *x, float *y, int64_t outer, int64_t axis, int64_t inner);

#ifdef __cplusplus
}
#endif
#endif
