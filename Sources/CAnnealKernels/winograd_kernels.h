// The loops of winograd.c for one variant (see variants.h).
//
// A chunk is some tiles of outputs; tile t of its transform at point p and channel block k is at p * stride + (k *
// tiles + t) * BLOCK: for each point a matrix (tiles, channels) in the form of product_kernels.h.
//
// The points are 0, 1, -1, 2, -2 and infinity. `outputs` along a tile's side and `taps` of a kernel's are 4 and 3, or 2
// and 5.
#include "bias_kernels.h"
#include "product_kernels.h"

/// Six inputs to six points.
INLINE void VARIANT(winograd_input_line)(const vb *d, vb *v) {
    vb a = d[4] - 4 * d[2], b = d[3] - 4 * d[1], c = d[4] - d[2], e = d[3] - d[1];
    v[0] = 4 * d[0] - 5 * d[2] + d[4];
    v[1] = a + b, v[2] = a - b;
    v[3] = c + 2 * e, v[4] = c - 2 * e;
    v[5] = 4 * d[1] - 5 * d[3] + d[5];
}

/// Transforms some tiles of x (`blocks` channel blocks, h x w) to points. Adjacent tiles share columns, so the columns
/// of a row of tiles are transformed first.
static void VARIANT(winograd_input)(const winograd_grid *grid, const float *x, float *v) {
    const int64_t row = grid->w * BLOCK, plane = grid->h * row, stride = grid->stride, step = grid->step;
    const int64_t most = (WINOGRAD_STRIP - WINOGRAD_SIDE + step) / step;
    float strip[6][WINOGRAD_STRIP * BLOCK] __attribute__((aligned(64)));
    static const float zeros[WINOGRAD_STRIP * BLOCK];
    for (int64_t t = 0, tiles; t < grid->count; t += tiles) {
        winograd_place place = winograd_tile(grid, t);
        tiles = grid->columns - place.column < grid->count - t ? grid->columns - place.column : grid->count - t;
        if (tiles > most) tiles = most;
        int64_t y0 = place.row * step - grid->ph, x0 = place.column * step - grid->pw;
        int64_t columns = tiles * step + WINOGRAD_SIDE - step;
        // The columns inside the image.
        int64_t left = x0 < 0 ? -x0 : 0, right = grid->w - x0 < columns ? grid->w - x0 : columns;
        for (int64_t k = grid->low; k < grid->high; k++) {
            const float *from = x + (place.image * grid->blocks + k) * plane + x0 * BLOCK, *rows[6];
            for (int64_t r = 0; r < 6; r++) rows[r] = y0 + r >= 0 && y0 + r < grid->h ? from + (y0 + r) * row : zeros;
            for (int64_t c = 0; c < columns; c++) {
                int64_t at = c * BLOCK;
                if (c < left || c >= right) {
                    for (int r = 0; r < 6; r++) STORE(strip[r] + at, SPLAT(0));
                    continue;
                }
                vb column[6], points[6];
                for (int r = 0; r < 6; r++) column[r] = LOAD(rows[r] + at);
                VARIANT(winograd_input_line)(column, points);
                for (int r = 0; r < 6; r++) STORE(strip[r] + at, points[r]);
            }
            float *to = v + ((k - grid->low) * grid->tiles + t) * BLOCK;
            for (int r = 0; r < 6; r++) {
                const float *e = strip[r];
                float *out = to + r * 6 * stride;
                for (int64_t i = 0; i < tiles; i++, e += step * BLOCK, out += BLOCK) {
                    vb line[6], points[6];
                    for (int c = 0; c < 6; c++) line[c] = LOAD(e + c * BLOCK);
                    VARIANT(winograd_input_line)(line, points);
                    for (int c = 0; c < 6; c++) STORE(out + c * stride, points[c]);
                }
            }
        }
    }
}

/// Six points to the outputs.
INLINE void VARIANT(winograd_output_line)(const int outputs, const vb *m, vb *y) {
    vb p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    y[0] = m[0] + p + r;
    y[1] = q + 2 * s;
    if (outputs == 4) y[2] = p + 4 * r, y[3] = q + 8 * s;
    y[outputs - 1] += m[5];
}

INLINE void VARIANT(winograd_output_tiles)(const int outputs, const winograd_grid *grid, const float *m, const float *bias,
                                           const anneal_post *post, float *y) {
    const int64_t row = grid->w * BLOCK, plane = grid->h * row, stride = grid->stride;
    for (int64_t t = 0; t < grid->count; t++) {
        winograd_place place = winograd_tile(grid, t);
        int64_t image = place.image, y0 = place.row * outputs, x0 = place.column * outputs;
        int64_t high = grid->h - y0 < outputs ? grid->h - y0 : outputs;
        int64_t wide = grid->w - x0 < outputs ? grid->w - x0 : outputs;
        for (int64_t k = grid->low; k < grid->high; k++) {
            const float *from = m + ((k - grid->low) * grid->tiles + t) * BLOCK;
            float *to = y + (image * grid->blocks + k) * plane + y0 * row + x0 * BLOCK;
            vb start = bias ? LOAD(bias + k * BLOCK) : SPLAT(0);
            vb down[4][6];
            for (int c = 0; c < 6; c++) {
                vb points[6], column[4];
                for (int r = 0; r < 6; r++) points[r] = LOAD(from + (r * 6 + c) * stride);
                VARIANT(winograd_output_line)(outputs, points, column);
                for (int r = 0; r < outputs; r++) down[r][c] = column[r];
            }
#pragma clang loop unroll(full)
            for (int r = 0; r < outputs; r++, to += row) {
                if (r >= high) break;
                vb all[4];
                VARIANT(winograd_output_line)(outputs, down[r], all);
#pragma clang loop unroll(full)
                for (int c = 0; c < outputs; c++) {
                    if (c >= wide) break;
                    all[c] += start;
                    if (post && post->sum) all[c] += LOAD(to + c * BLOCK);
                    if (post && post->clip) all[c] = CLIP(all[c], post->low, post->high);
                    STORE(to + c * BLOCK, all[c]);
                }
            }
        }
    }
}

/// Transforms the points of some tiles back to y (`blocks` channel blocks, h x w).
static void VARIANT(winograd_output)(const winograd_grid *grid, const float *m, const float *bias,
                                     const anneal_post *post, float *y) {
    if (grid->step == 4)
        VARIANT(winograd_output_tiles)(4, grid, m, bias, post, y);
    else
        VARIANT(winograd_output_tiles)(2, grid, m, bias, post, y);
}

/// The gradients of six points to those of six inputs.
INLINE void VARIANT(winograd_spread_line)(const vb *v, vb *d) {
    vb even = v[1] + v[2], odd = v[1] - v[2], even2 = v[3] + v[4], odd2 = v[3] - v[4];
    d[0] = 4 * v[0];
    d[1] = 4 * (v[5] - odd) - 2 * odd2;
    d[2] = -5 * v[0] - 4 * even - even2;
    d[3] = odd + 2 * odd2 - 5 * v[5];
    d[4] = v[0] + even + even2;
    d[5] = v[5];
}

/// Adds the gradients of some tiles' points to dx (`blocks` channel blocks, h x w).
static void VARIANT(winograd_spread)(const winograd_grid *grid, const float *m, float *dx) {
    const int64_t row = grid->w * BLOCK, plane = grid->h * row, stride = grid->stride;
    for (int64_t t = 0; t < grid->count; t++) {
        winograd_place place = winograd_tile(grid, t);
        int64_t y0 = place.row * grid->step - grid->ph, x0 = place.column * grid->step - grid->pw;
        for (int64_t k = grid->low; k < grid->high; k++) {
            const float *from = m + ((k - grid->low) * grid->tiles + t) * BLOCK;
            float *to = dx + (place.image * grid->blocks + k) * plane + y0 * row + x0 * BLOCK;
            vb down[6][6];
            for (int c = 0; c < 6; c++) {
                vb points[6], column[6];
                for (int r = 0; r < 6; r++) points[r] = LOAD(from + (r * 6 + c) * stride);
                VARIANT(winograd_spread_line)(points, column);
                for (int r = 0; r < 6; r++) down[r][c] = column[r];
            }
            for (int r = 0; r < 6; r++, to += row) {
                if (y0 + r < 0 || y0 + r >= grid->h) continue;
                vb line[6];
                VARIANT(winograd_spread_line)(down[r], line);
#pragma clang loop unroll(full)
                for (int c = 0; c < 6; c++)
                    if (x0 + c >= 0 && x0 + c < grid->w) STORE(to + c * BLOCK, LOAD(to + c * BLOCK) + line[c]);
            }
        }
    }
}

/// The gradients of outputs to those of six points.
INLINE void VARIANT(winograd_head_line)(const int outputs, const vb *y, vb *m) {
    vb even = y[0], odd = y[1], even2 = y[0], odd2 = 2 * y[1];
    if (outputs == 4) even += y[2], odd += y[3], even2 += 4 * y[2], odd2 += 8 * y[3];
    m[0] = y[0];
    m[1] = even + odd, m[2] = even - odd;
    m[3] = even2 + odd2, m[4] = even2 - odd2;
    m[5] = y[outputs - 1];
}

INLINE void VARIANT(winograd_head_tiles)(const int outputs, const winograd_grid *grid, const float *dy, float *m,
                                         float *sums) {
    const int64_t row = grid->w * BLOCK, plane = grid->h * row, stride = grid->stride;
    for (int64_t t = 0; t < grid->count; t++) {
        winograd_place place = winograd_tile(grid, t);
        int64_t image = place.image, y0 = place.row * outputs, x0 = place.column * outputs;
        int64_t high = grid->h - y0 < outputs ? grid->h - y0 : outputs;
        int64_t wide = grid->w - x0 < outputs ? grid->w - x0 : outputs;
        for (int64_t k = grid->low; k < grid->high; k++) {
            const float *from = dy + (image * grid->blocks + k) * plane + y0 * row + x0 * BLOCK;
            vb down[6][4], total = SPLAT(0);
            for (int c = 0; c < outputs; c++) {
                vb column[4], points[6];
                for (int r = 0; r < outputs; r++) {
                    column[r] = r < high && c < wide ? LOAD(from + r * row + c * BLOCK) : SPLAT(0);
                    total += column[r];
                }
                VARIANT(winograd_head_line)(outputs, column, points);
                for (int r = 0; r < 6; r++) down[r][c] = points[r];
            }
            if (sums) STORE(sums + k * BLOCK, LOAD(sums + k * BLOCK) + total);
            float *to = m + ((k - grid->low) * grid->tiles + t) * BLOCK;
            for (int r = 0; r < 6; r++) {
                vb points[6];
                VARIANT(winograd_head_line)(outputs, down[r], points);
                for (int c = 0; c < 6; c++) STORE(to + (r * 6 + c) * stride, points[c]);
            }
        }
    }
}

/// Transforms some tiles of dy to the gradients of their points; `sums` receives the sums of each channel, if not NULL.
static void VARIANT(winograd_head)(const winograd_grid *grid, const float *dy, float *m, float *sums) {
    if (grid->step == 4)
        VARIANT(winograd_head_tiles)(4, grid, dy, m, sums);
    else
        VARIANT(winograd_head_tiles)(2, grid, dy, m, sums);
}

/// The taps to six points.
INLINE void VARIANT(winograd_weights_line)(const int taps, const vb *g, vb *u) {
    vb even = (g[0] + g[2]) * (-1.0f / 6), odd = g[1] * (1.0f / 6);
    vb even2 = g[0] * (1.0f / 24) + g[2] * (1.0f / 6), odd2 = g[1] * (1.0f / 12);
    if (taps == 5) {
        even += g[4] * (-1.0f / 6), odd += g[3] * (1.0f / 6);
        even2 += g[4] * (2.0f / 3), odd2 += g[3] * (1.0f / 3);
    }
    u[0] = g[0] * 0.25f;
    u[1] = even - odd, u[2] = even + odd;
    u[3] = even2 + odd2, u[4] = even2 - odd2;
    u[5] = g[taps - 1];
}

INLINE void VARIANT(winograd_weights_of)(const int taps, const float *g, int64_t tap_stride, int flip, int64_t inputs,
                                         float *u, int64_t stride) {
    const int64_t next = flip ? -tap_stride : tap_stride;
    if (flip) g += (taps * taps - 1) * tap_stride;
    for (int64_t i = 0; i < inputs; i++, g += BLOCK, u += BLOCK) {
        vb down[6][5];
        for (int c = 0; c < taps; c++) {
            vb column[5], points[6];
            for (int r = 0; r < taps; r++) column[r] = LOAD(g + (r * taps + c) * next);
            VARIANT(winograd_weights_line)(taps, column, points);
            for (int r = 0; r < 6; r++) down[r][c] = points[r];
        }
        for (int r = 0; r < 6; r++) {
            vb points[6];
            VARIANT(winograd_weights_line)(taps, down[r], points);
            for (int c = 0; c < 6; c++) STORE(u + (r * 6 + c) * stride, points[c]);
        }
    }
}

/// Transforms the kernels of one output block and `inputs` inputs to points: g[tap * tap_stride + i * BLOCK], flipped
/// or not, to u[point * stride + i * BLOCK].
static void VARIANT(winograd_weights)(int64_t taps, const float *g, int64_t tap_stride, int flip, int64_t inputs, float *u,
                                      int64_t stride) {
    if (taps == 3)
        VARIANT(winograd_weights_of)(3, g, tap_stride, flip, inputs, u, stride);
    else
        VARIANT(winograd_weights_of)(5, g, tap_stride, flip, inputs, u, stride);
}

/// The gradients of six points to those of the taps.
INLINE void VARIANT(winograd_taps_line)(const int taps, const vb *u, vb *g) {
    vb even = (u[1] + u[2]) * (1.0f / 6), odd = (u[2] - u[1]) * (1.0f / 6), even2 = u[3] + u[4], odd2 = u[3] - u[4];
    g[0] = u[0] * 0.25f - even + even2 * (1.0f / 24);
    g[1] = odd + odd2 * (1.0f / 12);
    g[2] = even2 * (1.0f / 6) - even;
    if (taps == 5) g[3] = odd + odd2 * (1.0f / 3), g[4] = even2 * (2.0f / 3) - even;
    g[taps - 1] += u[5];
}

INLINE void VARIANT(winograd_taps_of)(const int taps, const float *u, int64_t stride, int64_t piece, int64_t pieces,
                                      int64_t inputs, float *dw, int64_t tap_stride, int add) {
    for (int64_t i = 0; i < inputs; i++, u += BLOCK, dw += BLOCK) {
        vb down[5][6];
        for (int c = 0; c < 6; c++) {
            vb points[6], column[5];
            for (int r = 0; r < 6; r++) {
                const float *p = u + (r * 6 + c) * stride;
                points[r] = LOAD(p);
                for (int64_t s = 1; s < pieces; s++) points[r] += LOAD(p + s * piece);
            }
            VARIANT(winograd_taps_line)(taps, points, column);
            for (int r = 0; r < taps; r++) down[r][c] = column[r];
        }
        for (int r = 0; r < taps; r++) {
            vb line[5];
            VARIANT(winograd_taps_line)(taps, down[r], line);
            for (int c = 0; c < taps; c++) {
                float *tap = dw + (r * taps + c) * tap_stride;
                STORE(tap, add ? LOAD(tap) + line[c] : line[c]);
            }
        }
    }
}

/// Transforms the points' gradients of one output block and `inputs` inputs to dw, summed over the `pieces` in order.
static void VARIANT(winograd_taps)(int64_t taps, const float *u, int64_t stride, int64_t piece, int64_t pieces,
                                   int64_t inputs, float *dw, int64_t tap_stride, int add) {
    if (taps == 3)
        VARIANT(winograd_taps_of)(3, u, stride, piece, pieces, inputs, dw, tap_stride, add);
    else
        VARIANT(winograd_taps_of)(5, u, stride, piece, pieces, inputs, dw, tap_stride, add);
}

/// For each point the product of a chunk's inputs and the weights.
static void VARIANT(winograd_product)(const winograd_grid *in, const float *v, const float *u, int64_t u_point,
                                      const winograd_grid *out, float *m) {
    for (int64_t p = 0; p < WINOGRAD_POINTS; p++)
        VARIANT(product_blocks)(in->count, v + p * in->stride, in->tiles * BLOCK, (in->high - in->low), u + p * u_point,
                                (in->high - in->low) * BLOCK * BLOCK, m + p * out->stride, out->tiles * BLOCK,
                                (out->high - out->low), 0);
}

/// For each point the weights' gradient of a chunk, added to du.
static void VARIANT(winograd_outer)(const winograd_grid *in, const float *v, const winograd_grid *out, const float *m,
                                    float *du, int64_t u_point) {
    for (int64_t p = 0; p < WINOGRAD_POINTS; p++)
        VARIANT(product_outer)(in->count, v + p * in->stride, in->tiles * BLOCK, (in->high - in->low),
                               m + p * out->stride, out->tiles * BLOCK, (out->high - out->low), du + p * u_point,
                               (in->high - in->low) * BLOCK * BLOCK);
}
