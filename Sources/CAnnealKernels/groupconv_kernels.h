// The loops of groupconv.c for one variant (see variants.h).
//
// A tile is some output positions whose sources are equally spaced: neighbours in a row, or one position of several
// samples. It stays in registers over all taps and input channels, and taps in the padding are not in its list.
#include "bias_kernels.h"

#if defined(VARIANT_MANY_REGISTERS)
#define GROUPCONV_TILE1 12
#define GROUPCONV_TILE2 8
#define GROUPCONV_ROWS BLOCK
#elif BLOCK == 8
#define GROUPCONV_TILE1 12
#define GROUPCONV_TILE2 6
#define GROUPCONV_ROWS 8
#else
#define GROUPCONV_TILE1 6
#define GROUPCONV_TILE2 3
#define GROUPCONV_ROWS 4
#endif

// MARK: whole blocks in a group

/// P positions x `outs` output blocks. The P rows of x are addressed from four pointers instead of twelve.
INLINE void VARIANT(groupconv_block)(const int P, const int outs, const groupconv_pass *pass, const float *x, int64_t xs,
                                     float *y, int64_t ys, const float *w, const float *bias, int taps,
                                     const int32_t *x_offset, const int32_t *w_offset) {
    vb acc[2][12];
    for (int o = 0; o < outs; o++) {
        vb start = bias ? LOAD(bias + o * BLOCK) : SPLAT(0);
        for (int p = 0; p < P; p++) acc[o][p] = start;
    }
    const int64_t blocks = pass->in_blocks, x_block = pass->x_block, w_block = pass->w_block, xs3 = xs * 3;
    for (int t = 0; t < taps; t++) {
        const float *from = x + x_offset[t], *weights = w + w_offset[t];
        for (int64_t c = 0; c < blocks; c++, from += x_block, weights += BLOCK * BLOCK) {
            const float *q[4] = {from, from + xs3, from + 2 * xs3, from + 3 * xs3}, *wi = weights;
#pragma clang loop unroll(full)
            for (int i = 0; i < BLOCK; i++) {
                ORDER(wi, acc[0][P - 1]);
                vb w0 = LOAD(wi + i * BLOCK), w1 = w0;
                if (outs == 2) w1 = LOAD(wi + w_block + i * BLOCK);
#pragma clang loop unroll(full)
                for (int p = 0; p < P; p++) {
                    if (outs == 2) ORDER(q[p / 3], acc[1][p > 0 ? p - 1 : P - 1]);
                    ORDER(q[p / 3], acc[0][p > 0 ? p - 1 : P - 1]);
                    float v = q[p / 3][(p % 3) * xs + i];
                    acc[0][p] = w0 * v + acc[0][p];
                    if (outs == 2) acc[1][p] = w1 * v + acc[1][p];
                }
            }
        }
    }
    for (int o = 0; o < outs; o++)
        for (int p = 0; p < P; p++) STORE(y + o * pass->y_block + p * ys, acc[o][p]);
}

#define GROUPCONV_ARGUMENTS pass, x, xs, y, ys, w, bias, taps, x_offset, w_offset
#define GROUPCONV_PARAMETERS                                                                                        \
    const groupconv_pass *pass, const float *x, int64_t xs, float *y, int64_t ys, const float *w, const float *bias,\
        int taps, const int32_t *x_offset, const int32_t *w_offset
#define CASE(f, P, extra) case P: VARIANT(f)(P, extra, GROUPCONV_ARGUMENTS); break;

static __attribute__((noinline)) void VARIANT(groupconv_tile1)(int P, GROUPCONV_PARAMETERS) {
    switch (P) {
        CASE(groupconv_block, 1, 1) CASE(groupconv_block, 2, 1) CASE(groupconv_block, 3, 1)
        CASE(groupconv_block, 4, 1) CASE(groupconv_block, 5, 1) CASE(groupconv_block, 6, 1)
#if GROUPCONV_TILE1 == 12
        CASE(groupconv_block, 7, 1) CASE(groupconv_block, 8, 1) CASE(groupconv_block, 9, 1)
        CASE(groupconv_block, 10, 1) CASE(groupconv_block, 11, 1) CASE(groupconv_block, 12, 1)
#endif
    }
}

static __attribute__((noinline)) void VARIANT(groupconv_tile2)(int P, GROUPCONV_PARAMETERS) {
    switch (P) {
        CASE(groupconv_block, 1, 2) CASE(groupconv_block, 2, 2) CASE(groupconv_block, 3, 2)
#if GROUPCONV_TILE2 >= 6
        CASE(groupconv_block, 4, 2) CASE(groupconv_block, 5, 2) CASE(groupconv_block, 6, 2)
#endif
#if GROUPCONV_TILE2 >= 8
        CASE(groupconv_block, 7, 2) CASE(groupconv_block, 8, 2)
#endif
    }
}

// MARK: several groups in a block

/// Each lane gets the j-th channel of its own group of G.
INLINE vb VARIANT(groupconv_spread)(vb v, const int G, const int j) {
#if BLOCK == 8
#define SPREAD(G, j)                                                                                                  \
    __builtin_shufflevector(v, v, 0 / G * G + j, 1 / G * G + j, 2 / G * G + j, 3 / G * G + j, 4 / G * G + j,          \
                            5 / G * G + j, 6 / G * G + j, 7 / G * G + j)
#else
#define SPREAD(G, j)                                                                                                  \
    __builtin_shufflevector(v, v, 0 / G * G + j, 1 / G * G + j, 2 / G * G + j, 3 / G * G + j, 4 / G * G + j,          \
                            5 / G * G + j, 6 / G * G + j, 7 / G * G + j, 8 / G * G + j, 9 / G * G + j,                \
                            10 / G * G + j, 11 / G * G + j, 12 / G * G + j, 13 / G * G + j, 14 / G * G + j,           \
                            15 / G * G + j)
#endif
    if (G == 1) return v;
    if (G == 2) return j == 0 ? SPREAD(2, 0) : SPREAD(2, 1);
    if (G == 4) return j == 0 ? SPREAD(4, 0) : j == 1 ? SPREAD(4, 1) : j == 2 ? SPREAD(4, 2) : SPREAD(4, 3);
    switch (j) {
    case 0: return SPREAD(8, 0);
    case 1: return SPREAD(8, 1);
    case 2: return SPREAD(8, 2);
    case 3: return SPREAD(8, 3);
    case 4: return SPREAD(8, 4);
    case 5: return SPREAD(8, 5);
    case 6: return SPREAD(8, 6);
    default: return SPREAD(8, 7);
    }
#undef SPREAD
}

INLINE void VARIANT(groupconv_lanes)(const int P, const int G, const groupconv_pass *pass, const float *x, int64_t xs,
                                     float *y, int64_t ys, const float *w, const float *bias, int taps,
                                     const int32_t *x_offset, const int32_t *w_offset) {
    (void)pass;
    vb acc[GROUPCONV_MAX_TILE], start = bias ? LOAD(bias) : SPLAT(0);
    for (int p = 0; p < P; p++) acc[p] = start;
    const int64_t xs3 = xs * 3;
    for (int t = 0; t < taps; t++) {
        const float *from = x + x_offset[t], *weights = w + w_offset[t];
        const float *q[5] = {from, from + xs3, from + 2 * xs3, from + 3 * xs3, from + 4 * xs3};
        vb wj[8];
#pragma clang loop unroll(full)
        for (int j = 0; j < G; j++) wj[j] = LOAD(weights + j * BLOCK);
#pragma clang loop unroll(full)
        for (int p = 0; p < P; p++) {
            vb v = LOAD(q[p / 3] + (p % 3) * xs);
#pragma clang loop unroll(full)
            for (int j = 0; j < G; j++) acc[p] = wj[j] * VARIANT(groupconv_spread)(v, G, j) + acc[p];
        }
    }
    for (int p = 0; p < P; p++) STORE(y + p * ys, acc[p]);
}

#define GROUPCONV_LONG(G)                                                                                           \
    CASE(groupconv_lanes, 9, G) CASE(groupconv_lanes, 10, G) CASE(groupconv_lanes, 11, G)                           \
    CASE(groupconv_lanes, 12, G) CASE(groupconv_lanes, 13, G)
#define GROUPCONV_SHORT(G)
#define GROUPCONV_LANES(G, MORE)                                                                                    \
    static __attribute__((noinline)) void VARIANT(groupconv_lanes##G)(int P, GROUPCONV_PARAMETERS) {                \
        switch (P) {                                                                                                \
            CASE(groupconv_lanes, 1, G) CASE(groupconv_lanes, 2, G) CASE(groupconv_lanes, 3, G)                     \
            CASE(groupconv_lanes, 4, G) CASE(groupconv_lanes, 5, G) CASE(groupconv_lanes, 6, G)                     \
            CASE(groupconv_lanes, 7, G) CASE(groupconv_lanes, 8, G) MORE(G)                                         \
        }                                                                                                           \
    }
GROUPCONV_LANES(1, GROUPCONV_LONG)
GROUPCONV_LANES(2, GROUPCONV_SHORT)
GROUPCONV_LANES(4, GROUPCONV_SHORT)
#if BLOCK == 16
GROUPCONV_LANES(8, GROUPCONV_SHORT)
#endif
#undef GROUPCONV_LANES
#undef GROUPCONV_LONG
#undef GROUPCONV_SHORT

static int64_t VARIANT(groupconv_tile)(const groupconv_pass *pass) {
    if (pass->lanes) return pass->lanes == 1 && GROUPCONV_TILE1 == 12 ? GROUPCONV_MAX_TILE : 8;
    return pass->out_blocks > 1 ? GROUPCONV_TILE2 : GROUPCONV_TILE1;
}

// MARK: a pass

/// `count` positions in tiles of nearly equal size, for all output blocks of the unit.
static void VARIANT(groupconv_line)(int64_t count, GROUPCONV_PARAMETERS) {
    while (count > 0) {
        int64_t tiles = (count + pass->tile - 1) / pass->tile;
        int P = (int)((count + tiles - 1) / tiles);
        if (pass->lanes) {
            switch (pass->lanes) {
            case 1: VARIANT(groupconv_lanes1)(P, GROUPCONV_ARGUMENTS); break;
            case 2: VARIANT(groupconv_lanes2)(P, GROUPCONV_ARGUMENTS); break;
            case 4: VARIANT(groupconv_lanes4)(P, GROUPCONV_ARGUMENTS); break;
#if BLOCK == 16
            case 8: VARIANT(groupconv_lanes8)(P, GROUPCONV_ARGUMENTS); break;
#endif
            }
        } else {
            int64_t o = 0;
            for (; o + 2 <= pass->out_blocks; o += 2)
                VARIANT(groupconv_tile2)(P, pass, x, xs, y + o * pass->y_block, ys, w + o * pass->w_block,
                                         bias ? bias + o * BLOCK : 0, taps, x_offset, w_offset);
            if (o < pass->out_blocks)
                VARIANT(groupconv_tile1)(P, pass, x, xs, y + o * pass->y_block, ys, w + o * pass->w_block,
                                         bias ? bias + o * BLOCK : 0, taps, x_offset, w_offset);
        }
        x += P * xs;
        y += P * ys;
        count -= P;
    }
}

/// One unit of one sample: tiles along rows, but along columns at the edges, where rows have runs of one position.
static void VARIANT(groupconv_image)(const groupconv_pass *pass, const float *x, float *y, const float *w,
                                     const float *bias) {
    int64_t in_row = pass->in_w * BLOCK, out_row = pass->out_w * BLOCK;
    for (int a = 0; a < pass->runs_h; a++) {
        const groupconv_run *rows = pass->run_h + a;
        for (int b = 0; b < pass->runs_w; b++) {
            const groupconv_run *columns = pass->run_w + b;
            int32_t x_offset[GROUPCONV_MAX_TAPS], w_offset[GROUPCONV_MAX_TAPS];
            int taps = 0;
            for (int s = 0; s < rows->taps; s++)
                for (int t = 0; t < columns->taps; t++, taps++) {
                    x_offset[taps] = (int32_t)(rows->at[s] * in_row + columns->at[t] * BLOCK);
                    w_offset[taps] = (int32_t)((rows->k[s] * pass->kw + columns->k[t]) * pass->w_tap);
                }
            float *to = y + rows->start * out_row + columns->start * BLOCK;
            int64_t x_down = pass->shift_h * in_row, y_down = pass->step_h * out_row;
            int64_t x_right = pass->shift_w * BLOCK, y_right = pass->step_w * BLOCK;
            if (columns->count >= 4 || columns->count >= rows->count)
                for (int64_t r = 0; r < rows->count; r++)
                    VARIANT(groupconv_line)(columns->count, pass, x + r * x_down, x_right, to + r * y_down, y_right, w,
                                            bias, taps, x_offset, w_offset);
            else
                for (int64_t r = 0; r < columns->count; r++)
                    VARIANT(groupconv_line)(rows->count, pass, x + r * x_right, x_down, to + r * y_right, y_down, w,
                                            bias, taps, x_offset, w_offset);
        }
    }
}

/// One unit (group or block) of `count` samples; x, y, w and bias are the unit's own.
static void VARIANT(groupconv_samples)(const groupconv_pass *pass, const float *x, float *y, const float *w,
                                       const float *bias, int64_t count) {
    if (pass->batched) {
        float together[GROUPCONV_GATHER] __attribute__((aligned(64)));
        int64_t x_image = pass->x_image;
        if (pass->gather && count > 4) {
            int64_t sample = pass->in_blocks * pass->x_block;
            for (int64_t i = 0; i < count; i++)
                for (int64_t k = 0; k < sample; k += BLOCK)
                    STORE(together + i * (sample + 16) + k, LOAD(x + i * x_image + k));
            x = together;
            x_image = sample + 16;
        }
        for (int64_t pixel = 0; pixel < pass->out_h * pass->out_w; pixel++) {
            int first = pass->first[pixel], taps = pass->first[pixel + 1] - first;
            VARIANT(groupconv_line)(count, pass, x, x_image, y + pixel * BLOCK, pass->y_image, w, bias, taps,
                                    pass->x_offset + first, pass->w_offset + first);
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) VARIANT(groupconv_image)(pass, x + i * pass->x_image, y + i * pass->y_image, w,
                                                                 bias);
}

/// y clamped to low … high; NaN stays NaN.
static void VARIANT(groupconv_clip)(float *y, int64_t count, float low, float high) {
    for (int64_t k = 0; k < count; k++) {
        float v = y[k] < low ? low : y[k];
        y[k] = v > high ? high : v;
    }
}

// MARK: the weights' gradient

/// dw[r] += sum x[r] * dy over three nested loops, the longest innermost.
INLINE void VARIANT(groupconv_outer_block)(const float *x, const float *dy, float *dw, const groupconv_nest *nest) {
    vb acc[GROUPCONV_ROWS];
    for (int r = 0; r < GROUPCONV_ROWS; r++) acc[r] = LOAD(dw + r * BLOCK);
    const int64_t xs = nest->x[2], ys = nest->y[2], count = nest->count[2];
    for (int64_t a = 0; a < nest->count[0]; a++)
        for (int64_t b = 0; b < nest->count[1]; b++) {
            const float *px = x + a * nest->x[0] + b * nest->x[1], *py = dy + a * nest->y[0] + b * nest->y[1];
            for (int64_t k = 0; k < count; k++, px += xs, py += ys) {
                vb g = LOAD(py);
#pragma clang loop unroll(full)
                for (int r = 0; r < GROUPCONV_ROWS; r++) acc[r] = g * px[r] + acc[r];
            }
        }
    for (int r = 0; r < GROUPCONV_ROWS; r++) STORE(dw + r * BLOCK, acc[r]);
}

INLINE void VARIANT(groupconv_outer_lanes)(const int G, const float *x, const float *dy, float *dw,
                                           const groupconv_nest *nest) {
    enum { U = 4 }; // separate sums, so that additions do not depend on each other
    const int u = G >= 4 ? 2 : 4;
    vb acc[U][8];
    for (int j = 0; j < G; j++) {
        acc[0][j] = LOAD(dw + j * BLOCK);
        for (int m = 1; m < u; m++) acc[m][j] = SPLAT(0);
    }
    const int64_t xs = nest->x[2], ys = nest->y[2], count = nest->count[2];
    for (int64_t a = 0; a < nest->count[0]; a++)
        for (int64_t b = 0; b < nest->count[1]; b++) {
            const float *px = x + a * nest->x[0] + b * nest->x[1], *py = dy + a * nest->y[0] + b * nest->y[1];
            int64_t k = 0;
            for (; k + u <= count; k += u, px += u * xs, py += u * ys)
#pragma clang loop unroll(full)
                for (int m = 0; m < u; m++) {
                    vb g = LOAD(py + m * ys), v = LOAD(px + m * xs);
#pragma clang loop unroll(full)
                    for (int j = 0; j < G; j++) acc[m][j] = g * VARIANT(groupconv_spread)(v, G, j) + acc[m][j];
                }
#pragma clang loop unroll(full)
            for (int m = 0; m < u - 1; m++)
                if (k + m < count) {
                    vb g = LOAD(py + m * ys), v = LOAD(px + m * xs);
#pragma clang loop unroll(full)
                    for (int j = 0; j < G; j++) acc[m][j] = g * VARIANT(groupconv_spread)(v, G, j) + acc[m][j];
                }
        }
    for (int j = 0; j < G; j++) {
        vb sum = acc[0][j];
        for (int m = 1; m < u; m++) sum += acc[m][j];
        STORE(dw + j * BLOCK, sum);
    }
}

/// Three taps of a kernel's row at once: dy is loaded once for all of them, and there are enough sums to add at full
/// speed.
INLINE void VARIANT(groupconv_outer3_lanes)(const int G, const float *x, const float *dy, float *dw, int64_t w_tap,
                                            int64_t x_tap, const groupconv_nest *nest) {
    const int u = G == 1 ? 4 : G == 2 ? 2 : 1;
    vb acc[4][3][4];
    for (int t = 0; t < 3; t++)
        for (int j = 0; j < G; j++) {
            acc[0][t][j] = LOAD(dw + t * w_tap + j * BLOCK);
            for (int m = 1; m < u; m++) acc[m][t][j] = SPLAT(0);
        }
    const int64_t xs = nest->x[2], ys = nest->y[2], count = nest->count[2];
#define ONE(m)                                                                                                        \
    {                                                                                                                 \
        vb g = LOAD(py + (m) * ys);                                                                                   \
        _Pragma("clang loop unroll(full)") for (int t = 0; t < 3; t++) {                                              \
            vb v = LOAD(px + (m) * xs + t * x_tap);                                                                   \
            _Pragma("clang loop unroll(full)") for (int j = 0; j < G; j++) acc[m][t][j] =                             \
                g * VARIANT(groupconv_spread)(v, G, j) + acc[m][t][j];                                                \
        }                                                                                                             \
    }
    for (int64_t a = 0; a < nest->count[0]; a++)
        for (int64_t b = 0; b < nest->count[1]; b++) {
            const float *px = x + a * nest->x[0] + b * nest->x[1], *py = dy + a * nest->y[0] + b * nest->y[1];
            int64_t k = 0;
            for (; k + u <= count; k += u, px += u * xs, py += u * ys)
#pragma clang loop unroll(full)
                for (int m = 0; m < u; m++) ONE(m)
#pragma clang loop unroll(full)
            for (int m = 0; m < u - 1; m++)
                if (k + m < count) ONE(m)
        }
#undef ONE
    for (int t = 0; t < 3; t++)
        for (int j = 0; j < G; j++) {
            vb sum = acc[0][t][j];
            for (int m = 1; m < u; m++) sum += acc[m][t][j];
            STORE(dw + t * w_tap + j * BLOCK, sum);
        }
}

static void VARIANT(groupconv_outer3)(const groupconv_pass *pass, const float *x, const float *dy, float *dw, int64_t x_tap,
                                      const groupconv_nest *nest) {
    if (pass->lanes == 1)
        VARIANT(groupconv_outer3_lanes)(1, x, dy, dw, pass->w_tap, x_tap, nest);
    else if (pass->lanes == 2)
        VARIANT(groupconv_outer3_lanes)(2, x, dy, dw, pass->w_tap, x_tap, nest);
    else
        VARIANT(groupconv_outer3_lanes)(4, x, dy, dw, pass->w_tap, x_tap, nest);
}

/// One tap of one unit: x and dy point to the first sample's first position for this tap.
static void VARIANT(groupconv_outer)(const groupconv_pass *pass, const float *x, const float *dy, float *dw,
                                     const groupconv_nest *nest) {
    switch (pass->lanes) {
    case 1: VARIANT(groupconv_outer_lanes)(1, x, dy, dw, nest); return;
    case 2: VARIANT(groupconv_outer_lanes)(2, x, dy, dw, nest); return;
    case 4: VARIANT(groupconv_outer_lanes)(4, x, dy, dw, nest); return;
#if BLOCK == 16
    case 8: VARIANT(groupconv_outer_lanes)(8, x, dy, dw, nest); return;
#endif
    }
    for (int64_t o = 0; o < pass->out_blocks; o++)
        for (int64_t c = 0; c < pass->in_blocks; c++)
            for (int r = 0; r < BLOCK; r += GROUPCONV_ROWS)
                VARIANT(groupconv_outer_block)(x + c * pass->x_block + r, dy + o * pass->y_block,
                                               dw + o * pass->w_block + (c * BLOCK + r) * BLOCK, nest);
}

#undef CASE
#undef GROUPCONV_ARGUMENTS
#undef GROUPCONV_PARAMETERS
#undef GROUPCONV_TILE1
#undef GROUPCONV_TILE2
#undef GROUPCONV_ROWS
