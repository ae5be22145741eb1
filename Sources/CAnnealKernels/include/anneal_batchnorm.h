// Batch normalisation (Ioffe and Szegedy 2015), MXNet's BatchNorm over axis 1, fused with the operations around it.
#ifndef ANNEAL_BATCHNORM_H
#define ANNEAL_BATCHNORM_H
#include "anneal_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Statistics of a training batch: mean[c] and the biased variance var[c], in a numerically stable form (a channel with
/// mean 1e4 and variance 1 must be accurate), in a summation order that depends only on the shape.
/// scratch: anneal_batchnorm_scratch(dims) floats.
void anneal_batchnorm_statistics(const float *x, float *mean, float *var, float *scratch, anneal_dims dims);
int64_t anneal_batchnorm_scratch(anneal_dims dims);

/// y = gamma * (x - mean) / sqrt(var + eps) + beta [+ addend] [then ReLU].
/// gamma NULL: 1. addend NULL: none. y may be x or addend. One pass.
void anneal_batchnorm_apply(const float *x, const float *addend, float *y, const float *mean, const float *var,
                            const float *gamma, const float *beta, float eps, int relu, anneal_dims dims);

/// anneal_batchnorm_statistics and anneal_batchnorm_apply in one call, while the data of a block of channels is still
/// in the cache: for training steps. scratch: anneal_batchnorm_scratch(dims) floats. y may be x or addend.
void anneal_batchnorm_forward(const float *x, const float *addend, float *y, float *mean, float *var, const float *gamma,
                              const float *beta, float eps, int relu, float *scratch, anneal_dims dims);

/// Backward pass for a training batch. With g the output gradient dy, masked by ReLU if relu is set:
///   dbeta = sum g, dgamma = sum g * xhat, dx = gamma / sqrt(var + eps) * (g - dbeta / N - xhat * dgamma / N) [+ accumulate].
/// relu: 0 none; 1 the mask is that of gamma * xhat + beta > 0, recomputed from x (no addend); 2 the mask is y > 0,
/// with y the forward pass's output (used with an addend). dmasked: if not NULL, g itself is stored there (the gradient
/// of the addend); it may be dy or dy2. dy2: if not NULL, a second output gradient that is added to dy; only with
/// dmasked. dx may be dy or accumulate, or NULL (only the parameters' gradients are requested). dgamma, dbeta may be
/// NULL. gamma NULL: 1.
/// accumulate NULL: none. scratch: anneal_batchnorm_scratch(dims) floats.
void anneal_batchnorm_backward(const float *x, const float *y, const float *dy, const float *dy2, const float *mean,
                               const float *var, const float *gamma, const float *beta, float eps, int relu,
                               const float *accumulate, float *dx, float *dmasked, float *dgamma, float *dbeta,
                               float *scratch, anneal_dims dims);

/// Backward pass with fixed (global) statistics: dx = gamma / sqrt(var + eps) * g [+ accumulate]; the rest as above.
void anneal_batchnorm_backward_global(const float *x, const float *y, const float *dy, const float *dy2,
                                      const float *mean, const float *var, const float *gamma, const float *beta,
                                      float eps, int relu, const float *accumulate, float *dx, float *dmasked,
                                      float *dgamma, float *dbeta, float *scratch, anneal_dims dims);

#ifdef __cplusplus
}
#endif
#endif
