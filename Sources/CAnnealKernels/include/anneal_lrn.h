// MXNet's LRN, local response normalisation across channels (Krizhevsky, Sutskever and Hinton 2012).
#ifndef ANNEAL_LRN_H
#define ANNEAL_LRN_H
#include "anneal_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    float alpha, beta, knorm;
    int64_t nsize; ///< channels in the sum, odd
} anneal_lrn;

/// The maximum distance of a neighbour that the kernels sum.
enum { ANNEAL_LRN_REACH = 512 };

/// norm = knorm + alpha / nsize * sum of x^2 over nsize channels around each, y = x * norm^-beta.
/// norm may be NULL. Outputs must not alias inputs. The padding stays zero.
void anneal_lrn_forward(const anneal_lrn *lrn, const float *x, float *norm, float *y, anneal_dims dims);

/// dx = dy * norm^-beta - 2 alpha beta / nsize * x * sum of dy * y / norm over the same channels.
void anneal_lrn_backward(const anneal_lrn *lrn, const float *x, const float *y, const float *norm, const float *dy,
                         float *dx, anneal_dims dims);

#ifdef __cplusplus
}
#endif
#endif
