// The loops of plainconv.c for one variant (see variants.h).
#include "bias_kernels.h"

// The sums of a tile: output blocks times positions, with their weights and a value in registers.
#if defined(VARIANT_MANY_REGISTERS)
#define PLAINCONV_SUMS 24
#define PLAINCONV_COLUMNS 8
#elif BLOCK == 8
#define PLAINCONV_SUMS 12
#define PLAINCONV_COLUMNS 4
#else
#define PLAINCONV_SUMS 6
#define PLAINCONV_COLUMNS 2
#endif

/// P adjacent positions of `outs` output blocks, starting at x.
INLINE void VARIANT(plainconv_tile)(const int P, const int outs, const plainconv_view *view, const float *x, const float *w,
                                    const float *bias, const anneal_post *post, float *y, int64_t y_block) {
    const int64_t w_block = view->room * BLOCK;
    vb acc[3][12];
    // A sum stays in a register only if its index is a constant, so loops over the sums are unrolled.
    for (int o = 0; o < outs; o++) {
        vb start = bias ? LOAD(bias + o * BLOCK) : SPLAT(0);
#pragma clang loop unroll(full)
        for (int p = 0; p < P; p++) acc[o][p] = start;
    }
    for (int64_t k = 0; k < view->columns; k++, w += BLOCK) {
        const float *from = x + view->offset[k];
        vb w0 = LOAD(w), w1 = w0, w2 = w0;
        if (outs > 1) w1 = LOAD(w + w_block);
        if (outs > 2) w2 = LOAD(w + 2 * w_block);
#pragma clang loop unroll(full)
        for (int p = 0; p < P; p++) {
            for (int o = 0; o < outs; o++) ORDER(from, acc[o][p > 0 ? p - 1 : P - 1]);
            float v = from[p];
            acc[0][p] = w0 * v + acc[0][p];
            if (outs > 1) acc[outs > 1 ? 1 : 0][p] = w1 * v + acc[outs > 1 ? 1 : 0][p];
            if (outs > 2) acc[outs > 2 ? 2 : 0][p] = w2 * v + acc[outs > 2 ? 2 : 0][p];
        }
    }
    for (int o = 0; o < outs; o++, y += y_block) {
#pragma clang loop unroll(full)
        for (int p = 0; p < P; p++) {
            vb all = acc[o][p];
            if (post && post->sum) all += LOAD(y + p * BLOCK);
            if (post && post->clip) all = CLIP(all, post->low, post->high);
            STORE(y + p * BLOCK, all);
        }
    }
}

#define PLAINCONV_CASE(P, outs)                                                                                        \
    case P:                                                                                                            \
        for (; tiles > 0; tiles--, x += P, y += P * BLOCK)                                                             \
            VARIANT(plainconv_tile)(P, outs, view, x, w, bias, post, y, y_block);                                      \
        break;
#define PLAINCONV_TILES(outs, ...)                                                                                  \
    static __attribute__((noinline)) void VARIANT(plainconv_tiles##outs)(                                           \
        int P, int64_t tiles, const plainconv_view *view, const float *x, const float *w, const float *bias,        \
        const anneal_post *post, float *y, int64_t y_block) {                                                       \
        switch (P) { __VA_ARGS__ }                                                                                  \
    }
PLAINCONV_TILES(1, PLAINCONV_CASE(1, 1) PLAINCONV_CASE(2, 1) PLAINCONV_CASE(3, 1) PLAINCONV_CASE(4, 1)
                PLAINCONV_CASE(5, 1) PLAINCONV_CASE(6, 1) PLAINCONV_CASE(7, 1) PLAINCONV_CASE(8, 1)
                PLAINCONV_CASE(9, 1) PLAINCONV_CASE(10, 1) PLAINCONV_CASE(11, 1) PLAINCONV_CASE(12, 1))
PLAINCONV_TILES(2, PLAINCONV_CASE(1, 2) PLAINCONV_CASE(2, 2) PLAINCONV_CASE(3, 2) PLAINCONV_CASE(4, 2)
                PLAINCONV_CASE(5, 2) PLAINCONV_CASE(6, 2) PLAINCONV_CASE(7, 2) PLAINCONV_CASE(8, 2)
                PLAINCONV_CASE(9, 2) PLAINCONV_CASE(10, 2) PLAINCONV_CASE(11, 2) PLAINCONV_CASE(12, 2))
PLAINCONV_TILES(3, PLAINCONV_CASE(1, 3) PLAINCONV_CASE(2, 3) PLAINCONV_CASE(3, 3) PLAINCONV_CASE(4, 3)
                PLAINCONV_CASE(5, 3) PLAINCONV_CASE(6, 3) PLAINCONV_CASE(7, 3) PLAINCONV_CASE(8, 3))

/// The number of output blocks that are processed together: pairs at the end rather than a single one.
INLINE int VARIANT(plainconv_together)(int64_t left) { return left == 1 ? 1 : left == 2 || left == 4 ? 2 : 3; }

/// `rows` rows of y, all output blocks.
static void VARIANT(plainconv_forward)(const plainconv_view *view, int64_t rows, const float *x, const float *w,
                                       int64_t blocks, const float *bias, const anneal_post *post, float *y,
                                       int64_t y_block) {
    for (int64_t o = 0, outs; o < blocks; o += outs) {
        outs = VARIANT(plainconv_together)(blocks - o);
        int most = smaller(PLAINCONV_SUMS / outs, 12);
        // `longer` tiles of P + 1 positions, then those of P.
        int tiles = ((int)view->width + most - 1) / most, P = (int)view->width / tiles, longer = (int)view->width % tiles;
        const float *weights = w + o * view->room * BLOCK, *start = bias ? bias + o * BLOCK : NULL;
        for (int64_t r = 0; r < rows; r++) {
            const float *from = x + r * view->step;
            float *to = y + o * y_block + r * view->width * BLOCK;
            for (int part = 0; part < 2; part++) {
                int p = part ? P : P + 1, count = part ? tiles - longer : longer;
                if (count == 0) continue;
                if (outs == 1)
                    VARIANT(plainconv_tiles1)(p, count, view, from, weights, start, post, to, y_block);
                else if (outs == 2)
                    VARIANT(plainconv_tiles2)(p, count, view, from, weights, start, post, to, y_block);
                else
                    VARIANT(plainconv_tiles3)(p, count, view, from, weights, start, post, to, y_block);
                from += p * count, to += p * count * BLOCK;
            }
        }
    }
}

/// dw += for `columns` columns from `k` on and `outs` output blocks.
INLINE void VARIANT(plainconv_outer_tile)(const int columns, const int outs, const plainconv_view *view, int64_t rows,
                                          int64_t k, const float *x, const float *dy, int64_t dy_block, float *dw) {
    const int64_t w_block = view->room * BLOCK;
    vb acc[3][PLAINCONV_COLUMNS];
    for (int o = 0; o < outs; o++)
        for (int i = 0; i < columns; i++) acc[o][i] = LOAD(dw + o * w_block + i * BLOCK);
    for (int64_t r = 0; r < rows; r++, x += view->step) {
        const float *from[PLAINCONV_COLUMNS];
        for (int i = 0; i < columns; i++) from[i] = x + view->offset[k + i];
        for (int64_t p = 0; p < view->width; p++, dy += BLOCK) {
            vb g0 = LOAD(dy), g1 = g0, g2 = g0;
            if (outs > 1) g1 = LOAD(dy + dy_block);
            if (outs > 2) g2 = LOAD(dy + 2 * dy_block);
#pragma clang loop unroll(full)
            for (int i = 0; i < columns; i++) {
                for (int o = 0; o < outs; o++) ORDER(from[i], acc[o][i > 0 ? i - 1 : columns - 1]);
                float v = from[i][p];
                acc[0][i] = g0 * v + acc[0][i];
                if (outs > 1) acc[outs > 1 ? 1 : 0][i] = g1 * v + acc[outs > 1 ? 1 : 0][i];
                if (outs > 2) acc[outs > 2 ? 2 : 0][i] = g2 * v + acc[outs > 2 ? 2 : 0][i];
            }
        }
    }
    for (int o = 0; o < outs; o++)
        for (int i = 0; i < columns; i++) STORE(dw + o * w_block + i * BLOCK, acc[o][i]);
}

#define PLAINCONV_OUTER(outs)                                                                                       \
    static __attribute__((noinline)) void VARIANT(plainconv_outer##outs)(                                           \
        const plainconv_view *view, int64_t rows, const float *x, const float *dy, int64_t dy_block, float *dw) {   \
        int64_t k = 0;                                                                                              \
        for (; k + PLAINCONV_COLUMNS <= view->columns; k += PLAINCONV_COLUMNS)                                      \
            VARIANT(plainconv_outer_tile)(PLAINCONV_COLUMNS, outs, view, rows, k, x, dy, dy_block, dw + k * BLOCK); \
        for (; k < view->columns; k++)                                                                              \
            VARIANT(plainconv_outer_tile)(1, outs, view, rows, k, x, dy, dy_block, dw + k * BLOCK);                 \
    }
PLAINCONV_OUTER(1)
PLAINCONV_OUTER(2)
PLAINCONV_OUTER(3)

/// Adds the gradients of `rows` rows of dy to dw and, if not NULL, dbias.
static void VARIANT(plainconv_outer)(const plainconv_view *view, int64_t rows, const float *x, const float *dy,
                                     int64_t dy_block, int64_t blocks, float *dw, float *dbias) {
    for (int64_t o = 0, outs; o < blocks; o += outs) {
        outs = VARIANT(plainconv_together)(blocks - o);
        const float *head = dy + o * dy_block;
        float *to = dw + o * view->room * BLOCK;
        if (outs == 1)
            VARIANT(plainconv_outer1)(view, rows, x, head, dy_block, to);
        else if (outs == 2)
            VARIANT(plainconv_outer2)(view, rows, x, head, dy_block, to);
        else
            VARIANT(plainconv_outer3)(view, rows, x, head, dy_block, to);
        for (int64_t k = 0; dbias && k < outs; k++) {
            float *sum = dbias + (o + k) * BLOCK;
            STORE(sum, LOAD(sum) + VARIANT(sum_rows)(head + k * dy_block, rows * view->width));
        }
    }
}

#undef PLAINCONV_SUMS
#undef PLAINCONV_COLUMNS
#undef PLAINCONV_CASE
#undef PLAINCONV_TILES
#undef PLAINCONV_OUTER
