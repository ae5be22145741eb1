// Sums over positions for one variant (see variants.h): the gradients of biases.

/// The sum of `rows` consecutive blocks, in parts: a long chain of additions loses digits.
INLINE vb VARIANT(sum_rows)(const float *from, int64_t rows) {
    vb total = SPLAT(0);
    for (int64_t k = 0; k < rows;) {
        vb sum = SPLAT(0);
        for (int64_t end = smaller(k + 256, rows); k < end; k++) sum += LOAD(from + k * BLOCK);
        total += sum;
    }
    return total;
}

/// The sums of one block of dy, over n samples with stride `image` and s positions.
static inline void VARIANT(sum_samples)(const float *dy, int64_t image, int64_t n, int64_t s, float *dbias) {
    vb total = SPLAT(0);
    for (int64_t i = 0; i < n; i++) total += VARIANT(sum_rows)(dy + i * image, s);
    STORE(dbias, total);
}
