// The loops of winograd.c for one variant (see variants.h).
//
// A chunk is some tiles of 4 x 4 outputs; tile t of its transform at point p and channel block k lies at
// p * stride + (k * tiles + t) * ANK_B: for each point a matrix (tiles, channels) as product_kernels.h takes it.
#include "product_kernels.h"

/// The 1-D transform of six inputs.
#define WG_INPUT(d0, d1, d2, d3, d4, d5, o)                                                                            \
    {                                                                                                                 \
        vb a_ = d4 - 4 * d2, b_ = d3 - 4 * d1, c_ = d4 - d2, e_ = d3 - d1;                                             \
        o(0, 4 * d0 - 5 * d2 + d4) o(1, a_ + b_) o(2, a_ - b_) o(3, c_ + 2 * e_) o(4, c_ - 2 * e_)                       \
            o(5, 4 * d1 - 5 * d3 + d5)                                                                                \
    }

/// Some tiles of x (`blocks` channel blocks, h x w) to the transformed points. Tiles beside each other share columns, so
/// the columns of a row of tiles are transformed first.
static void ANK(wg_input)(const wg_grid *grid, const float *x, float *v) {
    const int64_t row = grid->w * ANK_B, plane = grid->h * row, stride = grid->stride;
    float strip[6][WG_STRIP * ANK_B] __attribute__((aligned(64)));
    static const float zeros[WG_STRIP * ANK_B];
    for (int64_t t = 0, tiles; t < grid->count; t += tiles) {
        wg_place place = wg_tile(grid, t);
        tiles = grid->columns - place.column < grid->count - t ? grid->columns - place.column : grid->count - t;
        if (tiles > WG_STRIP / 4 - 1) tiles = WG_STRIP / 4 - 1;
        int64_t y0 = place.row * 4 - grid->ph, x0 = place.column * 4 - grid->pw, columns = tiles * 4 + 2;
        // The columns that lie in the image.
        int64_t left = x0 < 0 ? -x0 : 0, right = grid->w - x0 < columns ? grid->w - x0 : columns;
        for (int64_t k = grid->low; k < grid->high; k++) {
            const float *from = x + (place.image * grid->blocks + k) * plane + x0 * ANK_B, *rows[6];
            for (int64_t r = 0; r < 6; r++) rows[r] = y0 + r >= 0 && y0 + r < grid->h ? from + (y0 + r) * row : zeros;
            for (int64_t c = 0; c < columns; c++) {
                int64_t at = c * ANK_B;
                if (c < left || c >= right) {
                    for (int r = 0; r < 6; r++) STORE(strip[r] + at, SPLAT(0));
                    continue;
                }
                vb d0 = LOAD(rows[0] + at), d1 = LOAD(rows[1] + at), d2 = LOAD(rows[2] + at);
                vb d3 = LOAD(rows[3] + at), d4 = LOAD(rows[4] + at), d5 = LOAD(rows[5] + at);
#define O(r, value) STORE(strip[r] + at, value);
                WG_INPUT(d0, d1, d2, d3, d4, d5, O)
#undef O
            }
            float *to = v + ((k - grid->low) * grid->tiles + t) * ANK_B;
            for (int r = 0; r < 6; r++) {
                const float *e = strip[r];
                float *out = to + r * 6 * stride;
                for (int64_t i = 0; i < tiles; i++, e += 4 * ANK_B, out += ANK_B) {
                    vb d0 = LOAD(e), d1 = LOAD(e + ANK_B), d2 = LOAD(e + 2 * ANK_B);
                    vb d3 = LOAD(e + 3 * ANK_B), d4 = LOAD(e + 4 * ANK_B), d5 = LOAD(e + 5 * ANK_B);
#define O(c, value) STORE(out + c * stride, value);
                    WG_INPUT(d0, d1, d2, d3, d4, d5, O)
#undef O
                }
            }
        }
    }
}

/// Six points to four outputs.
#define WG_OUTPUT(m0, m1, m2, m3, m4, m5, o)                                                                           \
    {                                                                                                                 \
        vb p_ = m1 + m2, q_ = m1 - m2, r_ = m3 + m4, s_ = m3 - m4;                                                     \
        o(0, m0 + p_ + r_) o(1, q_ + 2 * s_) o(2, p_ + 4 * r_) o(3, q_ + 8 * s_ + m5)                                   \
    }

/// The points of some tiles back to y (`blocks` channel blocks, h x w).
static void ANK(wg_output)(const wg_grid *grid, const float *m, const float *bias, const ank_post *post, float *y) {
    const int64_t row = grid->w * ANK_B, plane = grid->h * row, stride = grid->stride;
    for (int64_t t = 0; t < grid->count; t++) {
        wg_place place = wg_tile(grid, t);
        int64_t image = place.image, y0 = place.row * 4, x0 = place.column * 4;
        int64_t high = grid->h - y0 < 4 ? grid->h - y0 : 4, wide = grid->w - x0 < 4 ? grid->w - x0 : 4;
        for (int64_t k = grid->low; k < grid->high; k++) {
            const float *from = m + ((k - grid->low) * grid->tiles + t) * ANK_B;
            float *to = y + (image * grid->blocks + k) * plane + y0 * row + x0 * ANK_B;
            vb start = bias ? LOAD(bias + k * ANK_B) : SPLAT(0);
            vb down[4][6];
            for (int c = 0; c < 6; c++) {
                const float *p = from + c * stride;
                vb m0 = LOAD(p), m1 = LOAD(p + 6 * stride), m2 = LOAD(p + 12 * stride), m3 = LOAD(p + 18 * stride);
                vb m4 = LOAD(p + 24 * stride), m5 = LOAD(p + 30 * stride);
#define O(r, value) down[r][c] = value;
                WG_OUTPUT(m0, m1, m2, m3, m4, m5, O)
#undef O
            }
            for (int r = 0; r < high; r++, to += row) {
                vb *e = down[r], all[4];
#define O(c, value) all[c] = value + start;
                WG_OUTPUT(e[0], e[1], e[2], e[3], e[4], e[5], O)
#undef O
                for (int c = 0; post && c < wide; c++) {
                    if (post->sum) all[c] += LOAD(to + c * ANK_B);
                    if (post->clip) all[c] = ANK(pt_clip)(all[c], post->low, post->high);
                }
                for (int c = 0; c < wide; c++) STORE(to + c * ANK_B, all[c]);
            }
        }
    }
}

/// Four gradients of outputs to the gradients of six points.
#define WG_HEAD(y0, y1, y2, y3, o)                                                                                     \
    {                                                                                                                 \
        vb e_ = y0 + y2, f_ = y1 + y3, g_ = y0 + 4 * y2, h_ = 2 * y1 + 8 * y3;                                          \
        o(0, y0) o(1, e_ + f_) o(2, e_ - f_) o(3, g_ + h_) o(4, g_ - h_) o(5, y3)                                        \
    }

/// Some tiles of dy to the gradients of their points; `sums` gets the sums of each channel, if not NULL.
static void ANK(wg_head)(const wg_grid *grid, const float *dy, float *m, float *sums) {
    const int64_t row = grid->w * ANK_B, plane = grid->h * row, stride = grid->stride;
    for (int64_t t = 0; t < grid->count; t++) {
        wg_place place = wg_tile(grid, t);
        int64_t image = place.image, y0 = place.row * 4, x0 = place.column * 4;
        int64_t high = grid->h - y0 < 4 ? grid->h - y0 : 4, wide = grid->w - x0 < 4 ? grid->w - x0 : 4;
        for (int64_t k = grid->low; k < grid->high; k++) {
            const float *from = dy + (image * grid->blocks + k) * plane + y0 * row + x0 * ANK_B;
            vb d[4][4];
            for (int r = 0; r < 4; r++)
                for (int c = 0; c < 4; c++)
                    d[r][c] = r < high && c < wide ? LOAD(from + r * row + c * ANK_B) : SPLAT(0);
            if (sums) {
                vb total = LOAD(sums + k * ANK_B);
                for (int r = 0; r < 4; r++) total += d[r][0] + d[r][1] + d[r][2] + d[r][3];
                STORE(sums + k * ANK_B, total);
            }
            vb down[6][4];
            for (int c = 0; c < 4; c++) {
#define O(r, value) down[r][c] = value;
                WG_HEAD(d[0][c], d[1][c], d[2][c], d[3][c], O)
#undef O
            }
            float *to = m + ((k - grid->low) * grid->tiles + t) * ANK_B;
            for (int r = 0; r < 6; r++) {
                float *out = to + r * 6 * stride;
#define O(c, value) STORE(out + c * stride, value);
                WG_HEAD(down[r][0], down[r][1], down[r][2], down[r][3], O)
#undef O
            }
        }
    }
}

/// Three taps to six points.
#define WG_WEIGHT(g0, g1, g2, o)                                                                                       \
    {                                                                                                                 \
        vb s_ = (g0 + g2) * (-1.0f / 6), h_ = g1 * (1.0f / 6), q_ = g0 * (1.0f / 24) + g2 * (1.0f / 6);                  \
        vb k_ = g1 * (1.0f / 12);                                                                                      \
        o(0, g0 * 0.25f) o(1, s_ - h_) o(2, s_ + h_) o(3, q_ + k_) o(4, q_ - k_) o(5, g2)                                \
    }

/// The kernels of one output block and `inputs` inputs to their points: g[tap * tap_stride + i * ANK_B], flipped or not,
/// to u[point * stride + i * ANK_B].
static void ANK(wg_weights)(const float *g, int64_t tap_stride, int flip, int64_t inputs, float *u, int64_t stride) {
    for (int64_t i = 0; i < inputs; i++, g += ANK_B, u += ANK_B) {
        vb down[6][3];
        for (int c = 0; c < 3; c++) {
            const float *p = g + (flip ? 8 - c : c) * tap_stride;
            const int64_t next = flip ? -3 * tap_stride : 3 * tap_stride;
            vb g0 = LOAD(p), g1 = LOAD(p + next), g2 = LOAD(p + 2 * next);
#define O(r, value) down[r][c] = value;
            WG_WEIGHT(g0, g1, g2, O)
#undef O
        }
        for (int r = 0; r < 6; r++) {
            float *out = u + r * 6 * stride;
#define O(c, value) STORE(out + c * stride, value);
            WG_WEIGHT(down[r][0], down[r][1], down[r][2], O)
#undef O
        }
    }
}

/// The gradients of six points to those of three taps.
#define WG_TAPS(u0, u1, u2, u3, u4, u5, o)                                                                             \
    {                                                                                                                 \
        vb p_ = (u1 + u2) * (1.0f / 6), r_ = u3 + u4;                                                                  \
        o(0, u0 * 0.25f - p_ + r_ * (1.0f / 24)) o(1, (u2 - u1) * (1.0f / 6) + (u3 - u4) * (1.0f / 12))                 \
            o(2, r_ * (1.0f / 6) - p_ + u5)                                                                            \
    }

/// The points' gradients of one output block and `inputs` inputs to dw, summed over the `pieces` in their order.
static void ANK(wg_taps)(const float *u, int64_t stride, int64_t piece, int64_t pieces, int64_t inputs, float *dw,
                         int64_t tap_stride, int add) {
    for (int64_t i = 0; i < inputs; i++, u += ANK_B, dw += ANK_B) {
        vb down[3][6];
        for (int c = 0; c < 6; c++) {
            vb d[6];
            for (int r = 0; r < 6; r++) {
                const float *p = u + (r * 6 + c) * stride;
                d[r] = LOAD(p);
                for (int64_t s = 1; s < pieces; s++) d[r] += LOAD(p + s * piece);
            }
#define O(r, value) down[r][c] = value;
            WG_TAPS(d[0], d[1], d[2], d[3], d[4], d[5], O)
#undef O
        }
        for (int r = 0; r < 3; r++) {
#define O(c, value)                                                                                                    \
    {                                                                                                                 \
        float *tap = dw + (r * 3 + c) * tap_stride;                                                                    \
        STORE(tap, add ? LOAD(tap) + (value) : (value));                                                               \
    }
            WG_TAPS(down[r][0], down[r][1], down[r][2], down[r][3], down[r][4], down[r][5], O)
#undef O
        }
    }
}

/// For each point the product of a chunk's inputs and the weights.
static void ANK(wg_product)(const wg_grid *in, const float *v, const float *u, int64_t u_point, const wg_grid *out, float *m) {
    for (int64_t p = 0; p < WG_POINTS; p++)
        ANK(pt_product)(in->count, v + p * in->stride, in->tiles * ANK_B, (in->high - in->low), u + p * u_point,
                        (in->high - in->low) * ANK_B * ANK_B, m + p * out->stride, out->tiles * ANK_B, (out->high - out->low), 0);
}

/// For each point the weights' gradient of a chunk, added to du.
static void ANK(wg_outer)(const wg_grid *in, const float *v, const wg_grid *out, const float *m, float *du, int64_t u_point) {
    for (int64_t p = 0; p < WG_POINTS; p++)
        ANK(pt_outer)(in->count, v + p * in->stride, in->tiles * ANK_B, (in->high - in->low), m + p * out->stride,
                      out->tiles * ANK_B, (out->high - out->low), du + p * u_point, (in->high - in->low) * ANK_B * ANK_B);
}

#undef WG_INPUT
#undef WG_OUTPUT
#undef WG_HEAD
#undef WG_WEIGHT
#undef WG_TAPS
