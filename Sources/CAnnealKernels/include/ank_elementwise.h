// Element by element, in parallel over flat memory.
#ifndef ANK_ELEMENTWISE_H
#define ANK_ELEMENTWISE_H
#include "ank_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/// MXNet's Activation: softrelu is log(1 + e^x), softsign x / (1 + |x|).
typedef enum { ANK_RELU, ANK_SIGMOID, ANK_TANH, ANK_SOFTRELU, ANK_SOFTSIGN } ank_activation;

/// y = f(x); y may be x. The filling of blocked layouts stays zero also where f(0) is not.
void ank_activation_forward(ank_activation kind, const float *x, float *y, ank_dims dims);

/// dx = dy * f'(x) [+ accumulate], with f' computed from the output y alone (MXNet does so too; ReLU's is 0 at 0); for
/// softsign y gives f' as (1 - |y|)^2. dx may be dy or accumulate.
void ank_activation_backward(ank_activation kind, const float *y, const float *dy, const float *accumulate, float *dx,
                             ank_dims dims);

/// y = x Φ(x) with the normal distribution's Φ; y may be x. The filling stays zero.
void ank_gelu(const float *x, float *y, int64_t count);

/// dx = dy (Φ(x) + x φ(x)); dx may be dy or x.
void ank_gelu_backward(const float *x, const float *dy, float *dx, int64_t count);

/// y = a + b [then ReLU]; y may be a or b.
void ank_add(const float *a, const float *b, float *y, int relu, int64_t count);

void ank_fill(float *y, float value, int64_t count);
void ank_copy(const float *x, float *y, int64_t count);

/// y = alpha * x + beta * y.
void ank_axpby(float alpha, const float *x, float beta, float *y, int64_t count);

/// Softmax over the middle axis of (outer, axis, inner), plain layout, stable (the maximum is subtracted). y may be x.
void ank_softmax(const float *x, float *y, int64_t outer, int64_t axis, int64_t inner);

#ifdef __cplusplus
}
#endif
#endif
