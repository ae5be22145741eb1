// Arithmetic that Swift has no vectorisable form of.
#ifndef ANK_MATH_H
#define ANK_MATH_H

/// The square root as the machine's instruction. Swift's own squareRoot() is C's sqrtf, which looks after errno on
/// Linux, so that no loop with it is vectorised.
static inline __attribute__((always_inline)) float ank_sqrt(float x) { return __builtin_elementwise_sqrt(x); }

#endif
