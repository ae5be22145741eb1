// The processor's features: the only place that queries them.
#ifndef ANNEAL_PROCESSOR_H
#define ANNEAL_PROCESSOR_H

#ifdef __cplusplus
extern "C" {
#endif

/// 0 on processors other than x86-64.
int anneal_has_ssse3(void);
/// AVX2 and FMA.
int anneal_has_avx2(void);
/// AVX-512 with its F, DQ, VL and BW parts.
int anneal_has_avx512(void);

#ifdef __cplusplus
}
#endif
#endif
