// The instruction set that the kernels use: the best one that this machine supports, determined at the first call.
#ifndef ANNEAL_DISPATCH_H
#define ANNEAL_DISPATCH_H

#ifdef __cplusplus
extern "C" {
#endif

/// Floats in the widest vector that the kernels use on this machine: 16 with AVX-512, else 8. Blocks have this size.
int anneal_vector_floats(void);

/// The number of variants that this machine supports, from the portable one (0) to the best.
int anneal_variants(void);
/// "portable", "avx2" or "avx512" for 0 ..< anneal_variants().
const char *anneal_variant_name(int variant);
/// The variant in use.
int anneal_variant(void);
/// Uses `variant` from now on; -1: the best. For tests and benchmarks, between calls of kernels, not during them.
void anneal_force_variant(int variant);

#ifdef __cplusplus
}
#endif
#endif
