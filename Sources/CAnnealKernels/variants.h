// Compiles VARIANT_SOURCE for each instruction set and block size. In it VARIANT(name) is the variant's name, BLOCK the
// block (8 or 16) and vb, ib its vectors. Included once by a kernel's .c file, which then has name_8_portable,
// name_16_portable, name_8_avx2.. for its table. Headers must be included before it, so that they are not compiled for
// a target.
#include "vectors.h"

#define VARIANT_BLOCK8 1
#define VARIANT(name) name##_8_portable
#include "variants_block.h"
#include VARIANT_SOURCE
#undef VARIANT
#undef VARIANT_BLOCK8
#define VARIANT(name) name##_16_portable
#include "variants_block.h"
#include VARIANT_SOURCE
#undef VARIANT

#if defined(__x86_64__)
#define VARIANT_AVX2 1
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define VARIANT_BLOCK8 1
#define VARIANT(name) name##_8_avx2
#include "variants_block.h"
#include VARIANT_SOURCE
#undef VARIANT
#undef VARIANT_BLOCK8
#define VARIANT(name) name##_16_avx2
#include "variants_block.h"
#include VARIANT_SOURCE
#undef VARIANT
#pragma clang attribute pop
#undef VARIANT_AVX2

#define VARIANT_MANY_REGISTERS 1 // 32 registers of 16 floats
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"))), apply_to = function)
#define VARIANT_BLOCK8 1
#define VARIANT(name) name##_8_avx512
#include "variants_block.h"
#include VARIANT_SOURCE
#undef VARIANT
#undef VARIANT_BLOCK8
#define VARIANT(name) name##_16_avx512
#include "variants_block.h"
#include VARIANT_SOURCE
#undef VARIANT
#pragma clang attribute pop
#undef VARIANT_MANY_REGISTERS
#endif

// The rows of any kernel's table [variant][block is 16].
#if defined(__x86_64__)
#define VARIANT_TABLE(name) \
    {{name##_8_portable, name##_16_portable}, {name##_8_avx2, name##_16_avx2}, {name##_8_avx512, name##_16_avx512}}
#else
#define VARIANT_TABLE(name) {{name##_8_portable, name##_16_portable}}
#endif
