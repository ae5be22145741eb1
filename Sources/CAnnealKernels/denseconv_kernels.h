// The loops of denseconv.c for one variant (see variants.h).
#include "product_kernels.h"

/// What rows [first, first + count) see of the blocks [low, high), one tap after the other: panel[(tap, block)][row].
static void ANK(dc_gather)(const dc_side *side, const float *x, int64_t first, int64_t count, int64_t low, int64_t high,
                           float *panel, int64_t room) {
    static const float zeros[ANK_B];
    int64_t offset[DC_MAX_ROWS];
    for (int64_t tap = 0; tap < side->kh * side->kw; tap++) {
        dc_offsets(side, first, count, tap, offset);
        for (int64_t k = low; k < high; k++, panel += room * ANK_B) {
            const float *from = x + k * side->h * side->w * ANK_B;
            for (int64_t r = 0; r < count; r++) STORE(panel + r * ANK_B, LOAD(offset[r] < 0 ? zeros : from + offset[r]));
        }
    }
}

/// The way back; add: to what is there, as several rows and taps see one position.
static void ANK(dc_scatter)(const dc_side *side, float *y, int64_t first, int64_t count, int64_t low, int64_t high,
                            const float *panel, int64_t room, int add) {
    int64_t offset[DC_MAX_ROWS];
    for (int64_t tap = 0; tap < side->kh * side->kw; tap++) {
        dc_offsets(side, first, count, tap, offset);
        for (int64_t k = low; k < high; k++, panel += room * ANK_B) {
            float *to = y + k * side->h * side->w * ANK_B;
            for (int64_t r = 0; r < count; r++) {
                if (offset[r] < 0) continue;
                vb v = LOAD(panel + r * ANK_B);
                STORE(to + offset[r], add ? LOAD(to + offset[r]) + v : v);
            }
        }
    }
}

/// c = a w [+ bias], some inputs at a time, so that the weights of a pair of output blocks stay in the first cache.
static void ANK(dc_product)(int64_t rows, const float *a, int64_t a_block, int64_t inputs, const float *w, float *c,
                            int64_t c_block, int64_t outputs, const float *bias) {
    const int64_t most = 256 / ANK_B;
    for (int64_t o = 0; bias && o < outputs; o++) {
        vb start = LOAD(bias + o * ANK_B);
        for (int64_t r = 0; r < rows; r++) STORE(c + o * c_block + r * ANK_B, start);
    }
    for (int64_t k = 0; k < inputs; k += most)
        ANK(pt_product)(rows, a + k * a_block, a_block, inputs - k < most ? inputs - k : most, w + k * ANK_B * ANK_B,
                        inputs * ANK_B * ANK_B, c, c_block, outputs, bias || k > 0);
}

static void ANK(dc_outer)(int64_t rows, const float *x, int64_t x_block, int64_t inputs, const float *dy, int64_t dy_block,
                          int64_t outputs, float *dw, float *dbias) {
    ANK(pt_outer)(rows, x, x_block, inputs, dy, dy_block, outputs, dw, inputs * ANK_B * ANK_B);
    for (int64_t o = 0; dbias && o < outputs; o++) {
        vb sum = SPLAT(0);
        for (int64_t r = 0; r < rows; r++) sum += LOAD(dy + o * dy_block + r * ANK_B);
        STORE(dbias + o * ANK_B, LOAD(dbias + o * ANK_B) + sum);
    }
}
