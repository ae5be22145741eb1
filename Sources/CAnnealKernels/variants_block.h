// The block of the inclusion that follows (see variants.h).
#undef BLOCK
#undef vb
#undef ib
#undef vbu
#undef ibu
#ifdef VARIANT_BLOCK8
#define BLOCK 8
#define vb v8
#define ib i8
#define vbu v8u
#define ibu i8u
#else
#define BLOCK 16
#define vb v16
#define ib i16
#define vbu v16u
#define ibu i16u
#endif

// The compiler tends to load values long before their use. Products have no registers for that: it would keep a sum in
// memory, and waiting for that store and load at each step halves the speed. ORDER makes loads from `pointer` come
// after the preceding sum; the processor overlaps them anyway. "v" is any of AVX-512's 32 registers: with "x", the
// lower 16, sums would go to memory again.
#undef ORDER
#if defined(VARIANT_MANY_REGISTERS)
#define ORDER(pointer, sum) __asm__ volatile("" : "+r"(pointer), "+v"(sum))
#elif defined(VARIANT_AVX2) && BLOCK == 8
#define ORDER(pointer, sum) __asm__ volatile("" : "+r"(pointer), "+x"(sum))
#else
#define ORDER(pointer, sum) __asm__ volatile("" : "+r"(pointer))
#endif
