// Which instruction set the kernels use: the best one that this machine can run, found out at the first call. Nothing else
// looks at the processor's features.
#ifndef ANK_DISPATCH_H
#define ANK_DISPATCH_H

#ifdef __cplusplus
extern "C" {
#endif

/// Floats in the widest vector that the kernels use on this machine: 16 with AVX-512, else 8. Blocks have this size.
int ank_vector_floats(void);

/// Variants that this machine can run, from the portable one (0) to the best.
int ank_variants(void);
/// "portable", "avx2" or "avx512" for 0 ..< ank_variants().
const char *ank_variant_name(int variant);
/// The variant in use.
int ank_variant(void);
/// Uses `variant` from now on, -1: the best again. For tests and benchmarks, between calls of kernels, not during them.
void ank_force_variant(int variant);

#ifdef __cplusplus
}
#endif
#endif
