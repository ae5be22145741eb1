/// The square root as a machine instruction. Swift's own squareRoot() calls C's sqrtf, which sets errno on Linux, so
/// that loops with it are not vectorised.
static inline __attribute__((always_inline)) float anneal_sqrt(float x) { return __builtin_elementwise_sqrt(x); }
