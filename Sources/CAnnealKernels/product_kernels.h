// Tiles of matrix products over blocked channels, for the kernels that include this (see variants.h).
//
// A matrix (rows, channels) is stored as [channel block][row][lane], weights as [output block][input][output lane].

#if defined(VARIANT_MANY_REGISTERS)
#define PRODUCT_ROWS1 12
#define PRODUCT_ROWS2 8
#define PRODUCT_INPUTS 8
#define PRODUCT_OUTPUTS 3
#elif BLOCK == 8
#define PRODUCT_ROWS1 12
#define PRODUCT_ROWS2 6
#define PRODUCT_INPUTS 4
#define PRODUCT_OUTPUTS 3
#else
#define PRODUCT_ROWS1 6
#define PRODUCT_ROWS2 3
#define PRODUCT_INPUTS 4
#define PRODUCT_OUTPUTS 1
#endif

/// c (+)= a w for P rows and `outs` output blocks, over `blocks` input blocks.
INLINE void VARIANT(product_tile)(const int P, const int outs, const float *a, int64_t a_block, const float *w,
                                  int64_t w_block, float *c, int64_t c_block, int64_t blocks, int add) {
    vb acc[2][12];
    for (int o = 0; o < outs; o++)
        for (int p = 0; p < P; p++) acc[o][p] = add ? LOAD(c + o * c_block + p * BLOCK) : SPLAT(0);
    for (int64_t k = 0; k < blocks; k++, a += a_block, w += BLOCK * BLOCK) {
        const float *from = a, *wi = w;
#pragma clang loop unroll(full)
        for (int i = 0; i < BLOCK; i++) {
            ORDER(wi, acc[0][P - 1]);
            vb w0 = LOAD(wi + i * BLOCK), w1 = w0;
            if (outs == 2) w1 = LOAD(wi + w_block + i * BLOCK);
#pragma clang loop unroll(full)
            for (int p = 0; p < P; p++) {
                if (outs == 2) ORDER(from, acc[1][p > 0 ? p - 1 : P - 1]);
                ORDER(from, acc[0][p > 0 ? p - 1 : P - 1]);
                float v = from[p * BLOCK + i];
                acc[0][p] = w0 * v + acc[0][p];
                if (outs == 2) acc[1][p] = w1 * v + acc[1][p];
            }
        }
    }
    for (int o = 0; o < outs; o++)
        for (int p = 0; p < P; p++) STORE(c + o * c_block + p * BLOCK, acc[o][p]);
}

/// `tiles` tiles of P rows each.
#define PRODUCT_CASE(P, outs)                                                                                          \
    case P:                                                                                                            \
        for (; tiles > 0; tiles--, a += P * BLOCK, c += P * BLOCK)                                                     \
            VARIANT(product_tile)(P, outs, a, a_block, w, w_block, c, c_block, blocks, add);                           \
        break;

static __attribute__((noinline)) void VARIANT(product_tiles1)(int P, int64_t tiles, const float *a, int64_t a_block,
                                                              const float *w, int64_t w_block, float *c, int64_t c_block,
                                                              int64_t blocks, int add) {
    switch (P) {
        PRODUCT_CASE(1, 1) PRODUCT_CASE(2, 1) PRODUCT_CASE(3, 1) PRODUCT_CASE(4, 1) PRODUCT_CASE(5, 1) PRODUCT_CASE(6, 1)
#if PRODUCT_ROWS1 == 12
        PRODUCT_CASE(7, 1) PRODUCT_CASE(8, 1) PRODUCT_CASE(9, 1) PRODUCT_CASE(10, 1) PRODUCT_CASE(11, 1) PRODUCT_CASE(12, 1)
#endif
    }
}

static __attribute__((noinline)) void VARIANT(product_tiles2)(int P, int64_t tiles, const float *a, int64_t a_block,
                                                              const float *w, int64_t w_block, float *c, int64_t c_block,
                                                              int64_t blocks, int add) {
    switch (P) {
        PRODUCT_CASE(1, 2) PRODUCT_CASE(2, 2) PRODUCT_CASE(3, 2)
#if PRODUCT_ROWS2 >= 6
        PRODUCT_CASE(4, 2) PRODUCT_CASE(5, 2) PRODUCT_CASE(6, 2)
#endif
#if PRODUCT_ROWS2 >= 8
        PRODUCT_CASE(7, 2) PRODUCT_CASE(8, 2)
#endif
    }
}

/// c (+)= a w for all rows and output blocks, in tiles of nearly equal size. The weights of a pair of output blocks and
/// the rows of a should fit the first- and second-level caches.
static void VARIANT(product_blocks)(int64_t rows, const float *a, int64_t a_block, int64_t blocks, const float *w,
                                    int64_t w_block, float *c, int64_t c_block, int64_t outputs, int add) {
    if (rows == 0) return;
    for (int64_t o = 0; o < outputs; o += 2) {
        int pair = o + 1 < outputs;
        int most = pair ? PRODUCT_ROWS2 : PRODUCT_ROWS1;
        // `longer` tiles of P + 1 rows, then those of P.
        int tiles = ((int)rows + most - 1) / most, P = (int)rows / tiles, longer = (int)rows % tiles;
        const float *weights = w + o * w_block;
        float *to = c + o * c_block;
        if (pair) {
            if (longer)
                VARIANT(product_tiles2)(P + 1, longer, a, a_block, weights, w_block, to, c_block, blocks, add);
            VARIANT(product_tiles2)(P, tiles - longer, a + longer * (P + 1) * BLOCK, a_block, weights, w_block,
                                    to + longer * (P + 1) * BLOCK, c_block, blocks, add);
        } else {
            if (longer)
                VARIANT(product_tiles1)(P + 1, longer, a, a_block, weights, w_block, to, c_block, blocks, add);
            VARIANT(product_tiles1)(P, tiles - longer, a + longer * (P + 1) * BLOCK, a_block, weights, w_block,
                                    to + longer * (P + 1) * BLOCK, c_block, blocks, add);
        }
    }
}

/// dw += x^T dy over `rows` rows for `inputs` channels of an input block and `outs` output blocks.
INLINE void VARIANT(product_outer_tile)(const int inputs, const int outs, const float *x, const float *dy, int64_t dy_block,
                                        float *dw, int64_t w_block, int64_t rows) {
    vb acc[PRODUCT_OUTPUTS][PRODUCT_INPUTS];
    for (int o = 0; o < outs; o++)
        for (int i = 0; i < inputs; i++) acc[o][i] = LOAD(dw + o * w_block + i * BLOCK);
    const float *d1 = dy + (outs > 1 ? dy_block : 0), *d2 = dy + (outs > 2 ? 2 * dy_block : 0);
    for (int64_t r = 0; r < rows; r++, x += BLOCK, dy += BLOCK, d1 += BLOCK, d2 += BLOCK) {
        vb g0 = LOAD(dy), g1 = g0, g2 = g0;
        if (outs > 1) g1 = LOAD(d1);
        if (outs > 2) g2 = LOAD(d2);
#pragma clang loop unroll(full)
        for (int i = 0; i < inputs; i++) {
            ORDER(x, acc[outs - 1][i > 0 ? i - 1 : inputs - 1]);
            float v = x[i];
            acc[0][i] = g0 * v + acc[0][i];
            if (outs > 1) acc[outs > 1 ? 1 : 0][i] = g1 * v + acc[outs > 1 ? 1 : 0][i];
            if (outs > 2) acc[outs > 2 ? 2 : 0][i] = g2 * v + acc[outs > 2 ? 2 : 0][i];
        }
    }
    for (int o = 0; o < outs; o++)
        for (int i = 0; i < inputs; i++) STORE(dw + o * w_block + i * BLOCK, acc[o][i]);
}

static __attribute__((noinline)) void VARIANT(product_outer3)(const float *x, const float *dy, int64_t dy_block, float *dw,
                                                              int64_t w_block, int64_t rows) {
    VARIANT(product_outer_tile)(PRODUCT_INPUTS, PRODUCT_OUTPUTS, x, dy, dy_block, dw, w_block, rows);
}
#if PRODUCT_OUTPUTS == 3
static __attribute__((noinline)) void VARIANT(product_outer2)(const float *x, const float *dy, int64_t dy_block, float *dw,
                                                              int64_t w_block, int64_t rows) {
    VARIANT(product_outer_tile)(PRODUCT_INPUTS, 2, x, dy, dy_block, dw, w_block, rows);
}
static __attribute__((noinline)) void VARIANT(product_outer1)(const float *x, const float *dy, int64_t dy_block, float *dw,
                                                              int64_t w_block, int64_t rows) {
    VARIANT(product_outer_tile)(PRODUCT_INPUTS, 1, x, dy, dy_block, dw, w_block, rows);
}
#endif

/// dw += x^T dy, for `inputs` blocks of x and `outputs` blocks of dy; dw in the weights' order.
static void VARIANT(product_outer)(int64_t rows, const float *x, int64_t x_block, int64_t inputs, const float *dy,
                                   int64_t dy_block, int64_t outputs, float *dw, int64_t w_block) {
    for (int64_t o = 0; o < outputs;) {
        int64_t left = outputs - o;
#if PRODUCT_OUTPUTS == 3
        // Pairs at the end rather than a single block, which has too few sums to add at full speed.
        int outs = left == 1 ? 1 : left == 2 || left == 4 ? 2 : 3;
#else
        int outs = 1;
        (void)left;
#endif
        for (int64_t k = 0; k < inputs; k++)
            for (int i = 0; i < BLOCK; i += PRODUCT_INPUTS) {
                const float *from = x + k * x_block + i, *head = dy + o * dy_block;
                float *to = dw + o * w_block + (k * BLOCK + i) * BLOCK;
#if PRODUCT_OUTPUTS == 3
                if (outs == 1)
                    VARIANT(product_outer1)(from, head, dy_block, to, w_block, rows);
                else if (outs == 2)
                    VARIANT(product_outer2)(from, head, dy_block, to, w_block, rows);
                else
#endif
                    VARIANT(product_outer3)(from, head, dy_block, to, w_block, rows);
            }
        o += outs;
    }
}

#undef PRODUCT_ROWS1
#undef PRODUCT_ROWS2
#undef PRODUCT_INPUTS
#undef PRODUCT_OUTPUTS
#undef PRODUCT_CASE
