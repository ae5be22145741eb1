/// The square root as the machine's instruction. Swift's own squareRoot() is C's sqrtf, which sets errno on Linux, so that no
/// loop with it is vectorised.
static inline __attribute__((always_inline)) float anneal_sqrt(float x) { return __builtin_elementwise_sqrt(x); }
