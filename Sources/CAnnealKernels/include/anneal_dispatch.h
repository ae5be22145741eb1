// Which instruction set the kernels use: the best one that this machine can run, found out at the first call. Nothing else
// looks at the processor's features.
#ifndef ANNEAL_DISPATCH_H
#define ANNEAL_DISPATCH_H

#ifdef __cplusplus
extern "C" {
#endif

/// Floats in the widest vector that the kernels use on this machine: 16 with AVX-512, else 8. Blocks have this size.
int anneal_vector_floats(void);

/// Variants that this machine can run, from the portable one (0) to the best.
int anneal_variants(void);
/// "portable", "avx2" or "avx512" for 0 ..< anneal_variants().
const char *anneal_variant_name(int variant);
/// The variant in use.
int anneal_variant(void);
/// Uses `variant` from now on, -1: the best again. For tests and benchmarks, between calls of kernels, not during them.
void anneal_force_variant(int variant);

#ifdef __cplusplus
}
#endif
#endif
