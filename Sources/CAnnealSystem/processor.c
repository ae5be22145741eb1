#include "anneal_processor.h"

#if defined(__x86_64__)
int anneal_has_ssse3(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("ssse3") != 0;
}

int anneal_has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

int anneal_has_avx512(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512bw");
}
#else
int anneal_has_ssse3(void) { return 0; }
int anneal_has_avx2(void) { return 0; }
int anneal_has_avx512(void) { return 0; }
#endif
