// Vector types of 8 and 16 floats. Clang maps them to the target's registers: one AVX register, two SSE or NEON ones.
#ifndef ANNEAL_VECTORS_H
#define ANNEAL_VECTORS_H
#include <stdint.h>

// Static functions with vector arguments are only called within their own variant, so their ABI does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float v8 __attribute__((vector_size(32)));
typedef float v16 __attribute__((vector_size(64)));
typedef int32_t i8 __attribute__((vector_size(32)));
typedef int32_t i16 __attribute__((vector_size(64)));
// The same in memory, with unknown alignment.
typedef float v8u __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v16u __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t i8u __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t i16u __attribute__((vector_size(64), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

// In a file that variants.h includes: vb and ib are the block's vectors.
#define LOAD(p) ((vb)(*(const vbu *)(p)))
#define STORE(p, v) (*(vbu *)(p) = (vbu)(v))
#define STREAM(p, v) __builtin_nontemporal_store((vb)(v), (vb *)(p)) // p aligned to the vector
#define LOADI(p) ((ib)(*(const ibu *)(p)))
#define STOREI(p, v) (*(ibu *)(p) = (ibu)(v))
#define SPLAT(f) ((float)(f) - (vb){0}) // x - 0 is x for every x, so the subtraction goes away
#define SELECT(mask, a, b) ((vb)(((ib)(a) & (mask)) | ((ib)(b) & ~(mask))))
#define SELECTI(mask, a, b) (((a) & (mask)) | ((b) & ~(mask)))
// ReLU that propagates NaN, so that a diverged run shows.
#define RELU(v) ((vb)((ib)(v) & ~((v) < SPLAT(0))))
// v clamped to two limits; NaN stays NaN.
#define CLIP(v, low, high) AT_MOST(AT_LEAST(v, SPLAT(low)), SPLAT(high))
#define AT_LEAST(v, least) SELECT((v) < (least), least, v)
#define AT_MOST(v, most) SELECT((v) > (most), most, v)

#endif
