// Which instruction set the kernels use. The best one that this machine can run is chosen at the first call.
#ifndef ANK_DISPATCH_H
#define ANK_DISPATCH_H

#ifdef __cplusplus
extern "C" {
#endif

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
