// The loops of denseconv.c for one variant (see variants.h).
#include "bias_kernels.h"
#include "product_kernels.h"

/// The inputs of rows [first, first + count) in the blocks [low, high), one tap after another: panel[(tap,
/// block)][row].
static void VARIANT(denseconv_gather)(const denseconv_side *side, const float *x, int64_t first, int64_t count,
                                      int64_t low, int64_t high, float *panel, int64_t room) {
    static const float zeros[BLOCK];
    int64_t offset[DENSECONV_MAX_ROWS];
    for (int64_t tap = 0; tap < side->kh * side->kw; tap++) {
        denseconv_offsets(side, first, count, tap, offset);
        for (int64_t k = low; k < high; k++, panel += room * BLOCK) {
            const float *from = x + k * side->h * side->w * BLOCK;
            for (int64_t r = 0; r < count; r++) STORE(panel + r * BLOCK, LOAD(offset[r] < 0 ? zeros : from + offset[r]));
        }
    }
}

/// The inverse; add: to existing values, since several rows and taps read the same position.
static void VARIANT(denseconv_scatter)(const denseconv_side *side, float *y, int64_t first, int64_t count, int64_t low,
                                       int64_t high, const float *panel, int64_t room, int add) {
    int64_t offset[DENSECONV_MAX_ROWS];
    for (int64_t tap = 0; tap < side->kh * side->kw; tap++) {
        denseconv_offsets(side, first, count, tap, offset);
        for (int64_t k = low; k < high; k++, panel += room * BLOCK) {
            float *to = y + k * side->h * side->w * BLOCK;
            for (int64_t r = 0; r < count; r++) {
                if (offset[r] < 0) continue;
                vb v = LOAD(panel + r * BLOCK);
                STORE(to + offset[r], add ? LOAD(to + offset[r]) + v : v);
            }
        }
    }
}

/// denseconv_scatter to a plain activation, always added.
static void VARIANT(denseconv_scatter_plain)(const denseconv_side *side, float *y, int64_t first, int64_t count,
                                             const float *panel, int64_t room) {
    float seen[PLAINCONV_MAX_COLUMNS + 16] __attribute__((aligned(64)));
    const int64_t blocks = denseconv_columns(side), step = side->dw;
    denseconv_place place = denseconv_at(side, first);
    for (int64_t r = 0; r < count; r++, denseconv_next(side, &place)) {
        for (int64_t k = 0; k < blocks; k++) STORE(seen + k * BLOCK, LOAD(panel + (k * room + r) * BLOCK));
        const int64_t y0 = place.y * side->sh - side->ph, x0 = place.x * side->sw - side->pw;
        // The taps [low, high) of each row of the kernel are inside the image.
        int64_t low = x0 < 0 ? (-x0 + step - 1) / step : 0;
        int64_t high = x0 >= side->w ? 0 : smaller((side->w - 1 - x0) / step + 1, side->kw);
        const float *taps = seen;
        for (int64_t c = 0; c < side->plain; c++)
            for (int64_t k = 0; k < side->kh; k++, taps += side->kw) {
                int64_t line = y0 + k * side->dh;
                if (line < 0 || line >= side->h) continue;
                int64_t first_tap = ((place.n * side->plain + c) * side->h + line) * side->w + x0;
                for (int64_t t = low; t < high; t++) y[first_tap + t * step] += taps[t];
            }
    }
}

/// c = a w [+ bias] [and post], some inputs at a time, so that the weights of a pair of output blocks stay in the
/// first-level cache.
static void VARIANT(denseconv_product)(int64_t rows, const float *a, int64_t a_block, int64_t inputs, const float *w,
                                       float *c, int64_t c_block, int64_t outputs, const float *bias,
                                       const anneal_post *post) {
    const int64_t most = 256 / BLOCK;
    const int sum = post && post->sum;
    for (int64_t o = 0; bias && o < outputs; o++) {
        vb start = LOAD(bias + o * BLOCK);
        float *to = c + o * c_block;
        for (int64_t r = 0; r < rows; r++) STORE(to + r * BLOCK, sum ? LOAD(to + r * BLOCK) + start : start);
    }
    for (int64_t k = 0; k < inputs; k += most)
        VARIANT(product_blocks)(rows, a + k * a_block, a_block, inputs - k < most ? inputs - k : most, w + k * BLOCK * BLOCK,
                                inputs * BLOCK * BLOCK, c, c_block, outputs, bias || sum || k > 0);
    if (!post || !post->clip) return;
    for (int64_t o = 0; o < outputs; o++) {
        float *to = c + o * c_block;
        for (int64_t r = 0; r < rows; r++) STORE(to + r * BLOCK, CLIP(LOAD(to + r * BLOCK), post->low, post->high));
    }
}

static void VARIANT(denseconv_outer)(int64_t rows, const float *x, int64_t x_block, int64_t inputs, const float *dy,
                                     int64_t dy_block, int64_t outputs, float *dw, float *dbias) {
    VARIANT(product_outer)(rows, x, x_block, inputs, dy, dy_block, outputs, dw, inputs * BLOCK * BLOCK);
    for (int64_t o = 0; dbias && o < outputs; o++)
        STORE(dbias + o * BLOCK, LOAD(dbias + o * BLOCK) + VARIANT(sum_rows)(dy + o * dy_block, rows));
}
