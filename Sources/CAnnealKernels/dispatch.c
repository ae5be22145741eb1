#include "anneal_dispatch.h"

#include <anneal_processor.h>
#include <stdatomic.h>
#include <stddef.h>

// The variants are nested (a machine with AVX-512 has AVX2), so the supported ones are a prefix of this list.
enum { PORTABLE, AVX2, AVX512 };
static const char *const names[] = {[PORTABLE] = "portable", [AVX2] = "avx2", [AVX512] = "avx512"};

/// The best variant.
static int detect(void) {
    // On aarch64 the portable vectors compile to NEON.
    if (!anneal_has_avx2()) return PORTABLE;
    return anneal_has_avx512() ? AVX512 : AVX2;
}

// 0: not known yet. Two threads may both detect it; they get the same result.
static atomic_int available;
static atomic_int forced = -1;

int anneal_variants(void) {
    int count = atomic_load_explicit(&available, memory_order_relaxed);
    if (count == 0) {
        count = detect() + 1;
        atomic_store_explicit(&available, count, memory_order_relaxed);
    }
    return count;
}

int anneal_vector_floats(void) { return anneal_variants() > AVX512 ? 16 : 8; }

const char *anneal_variant_name(int variant) {
    return variant >= 0 && variant < anneal_variants() ? names[variant] : NULL;
}

int anneal_variant(void) {
    int variant = atomic_load_explicit(&forced, memory_order_relaxed);
    return variant >= 0 ? variant : anneal_variants() - 1;
}

void anneal_force_variant(int variant) {
    atomic_store_explicit(&forced, variant < anneal_variants() ? variant : -1, memory_order_relaxed);
}
