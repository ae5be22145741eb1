// The loops of pooling.c over blocked layouts for one variant (see variants.h). A plane is one block of one sample.

INLINE vb VARIANT(pool_power)(int lp, vb x) { return lp == 1 ? x : lp == 2 ? x * x : x * x * x; }

INLINE vb VARIANT(pool_root)(int lp, vb x) {
    if (lp == 1) return x;
    for (int k = 0; k < BLOCK; k++) x[k] = lp == 2 ? sqrtf(x[k]) : cbrtf(x[k]);
    return x;
}

/// The maximum of a window's cells and `floor`; NaN if one of them is NaN.
INLINE vb VARIANT(pool_max_first_version)(const anneal_pooling *p, const float *x, float floor, int64_t d0, int64_t d1,
                                          int64_t h0, int64_t h1, int64_t w0, int64_t w1) {
    vb best = SPLAT(floor);
    for (int64_t d = d0; d < d1; d++)
        for (int64_t h = h0; h < h1; h++)
            for (int64_t w = w0; w < w1; w++) {
                vb v = LOAD(x + ((d * p->in[1] + h) * p->in[2] + w) * BLOCK);
                best = SELECT((best >= v) | (best != best), best, v);
            }
    return best;
}

/// One row of outputs (all of the last axis) from windows [d0, d1) x [h0, h1) x their own columns.
INLINE void VARIANT(pool_row)(const anneal_pooling *p, int lp, const float *x, float *y, int32_t *argmax, int64_t d0,
                              int64_t d1, int64_t h0, int64_t h1, int64_t od, int64_t oh) {
    int64_t cells_dh = pool_cells(p, 0, od) * pool_cells(p, 1, oh);
    int64_t height = p->in[1], width = p->in[2];
    for (int64_t ow = 0; ow < p->out[2]; ow++) {
        int64_t start = ow * p->stride[2] - p->pad[2], w0 = start > 0 ? start : 0;
        int64_t w1 = start + p->kernel[2] < width ? start + p->kernel[2] : width;
        if (p->kind == ANNEAL_POOLING_MAX && p->first_version) {
            float floor = pool_floor(p, od, oh, ow);
            STORE(y + ow * BLOCK, VARIANT(pool_max_first_version)(p, x, floor, d0, d1, h0, h1, w0, w1));
            continue;
        }
        if (p->kind == ANNEAL_POOLING_MAX) {
            // The first cell wins whatever its value; a window without cells gives 0 and -1.
            vb best = SPLAT(0);
            ib at = (ib){0} - 1;
            if (d0 < d1 && h0 < h1 && w0 < w1) {
                int64_t index = (d0 * height + h0) * width + w0;
                best = LOAD(x + index * BLOCK);
                at = (ib){0} + (int32_t)index;
            }
            for (int64_t d = d0; d < d1; d++)
                for (int64_t h = h0; h < h1; h++) {
                    int32_t index = (int32_t)((d * height + h) * width + w0);
                    for (int64_t w = w0; w < w1; w++, index++) {
                        vb v = LOAD(x + (int64_t)index * BLOCK);
                        ib wins = v > best;
                        best = SELECT(wins, v, best);
                        at = SELECTI(wins, (ib){0} + index, at);
                    }
                }
            STORE(y + ow * BLOCK, best);
            if (argmax) STOREI(argmax + ow * BLOCK, at);
            continue;
        }
        vb sum = SPLAT(0);
        for (int64_t d = d0; d < d1; d++)
            for (int64_t h = h0; h < h1; h++)
                for (int64_t w = w0; w < w1; w++) {
                    vb v = LOAD(x + ((d * height + h) * width + w) * BLOCK);
                    sum += p->kind == ANNEAL_POOLING_LP ? VARIANT(pool_power)(lp, v) : v;
                }
        if (p->kind == ANNEAL_POOLING_AVG) {
            int64_t cells = cells_dh * pool_cells(p, 2, ow);
            sum = cells > 0 ? sum / (float)cells : SPLAT(0);
        } else if (p->kind == ANNEAL_POOLING_LP) {
            sum = VARIANT(pool_root)(lp, sum);
        }
        STORE(y + ow * BLOCK, sum);
    }
}

/// The whole plane is one window.
INLINE void VARIANT(pool_whole)(const float *x, float *y, int64_t s, float divisor) {
    vb s0 = SPLAT(0), s1 = s0, s2 = s0, s3 = s0;
    int64_t k = 0;
    for (; k + 4 <= s; k += 4) {
        s0 += LOAD(x + k * BLOCK), s1 += LOAD(x + (k + 1) * BLOCK);
        s2 += LOAD(x + (k + 2) * BLOCK), s3 += LOAD(x + (k + 3) * BLOCK);
    }
    for (; k < s; k++) s0 += LOAD(x + k * BLOCK);
    STORE(y, ((s0 + s1) + (s2 + s3)) / divisor);
}

/// 2 x 2, stride 2, without padding: the window's first column determines its row's position.
INLINE void VARIANT(pool_max22)(const anneal_pooling *p, const float *x, float *y, int32_t *argmax) {
    int64_t width = p->in[2];
    for (int64_t oh = 0; oh < p->out[1]; oh++)
        for (int64_t ow = 0; ow < p->out[2]; ow++) {
            int64_t first = 2 * oh * width + 2 * ow, to = (oh * p->out[2] + ow) * BLOCK;
            const float *from = x + first * BLOCK;
            vb best = LOAD(from);
            ib at = (ib){0} + (int32_t)first;
#define TRY(offset)                                                                  \
    {                                                                                \
        vb v = LOAD(from + (offset) * BLOCK);                                        \
        ib wins = v > best;                                                          \
        best = SELECT(wins, v, best);                                                \
        at = SELECTI(wins, (ib){0} + (int32_t)(first + (offset)), at);               \
    }
            TRY(1)
            TRY(width)
            TRY(width + 1)
#undef TRY
            STORE(y + to, best);
            if (argmax) STOREI(argmax + to, at);
        }
}

INLINE void VARIANT(pool_planes_kind)(const anneal_pooling *p, anneal_pooling_kind kind, int lp, const float *x, float *y,
                                      int32_t *argmax, int64_t low, int64_t high) {
    anneal_pooling fixed = *p;
    fixed.kind = kind;
    p = &fixed;
    int64_t in = p->in[0] * p->in[1] * p->in[2] * BLOCK, out = p->out[0] * p->out[1] * p->out[2] * BLOCK;
    for (int64_t plane = low; plane < high; plane++) {
        const float *from = x + plane * in;
        if ((kind == ANNEAL_POOLING_AVG || kind == ANNEAL_POOLING_SUM) && pool_is_whole(p)) {
            VARIANT(pool_whole)(from, y + plane * out, in / BLOCK, kind == ANNEAL_POOLING_AVG ? (float)(in / BLOCK) : 1.0f);
            continue;
        }
        if (kind == ANNEAL_POOLING_MAX && pool_is_22(p)) {
            VARIANT(pool_max22)(p, from, y + plane * out, argmax ? argmax + plane * out : 0);
            continue;
        }
        for (int64_t od = 0; od < p->out[0]; od++)
            for (int64_t oh = 0; oh < p->out[1]; oh++) {
                int64_t d0, d1, h0, h1, row = plane * out + (od * p->out[1] + oh) * p->out[2] * BLOCK;
                pool_window(p, 0, od, &d0, &d1);
                pool_window(p, 1, oh, &h0, &h1);
                VARIANT(pool_row)(p, lp, from, y + row, argmax ? argmax + row : 0, d0, d1, h0, h1, od, oh);
            }
    }
}

static void VARIANT(pool_planes)(const anneal_pooling *p, const float *x, float *y, int32_t *argmax, int64_t low,
                                 int64_t high) {
    switch (p->kind) {
    case ANNEAL_POOLING_MAX: VARIANT(pool_planes_kind)(p, ANNEAL_POOLING_MAX, 0, x, y, argmax, low, high); break;
    case ANNEAL_POOLING_AVG: VARIANT(pool_planes_kind)(p, ANNEAL_POOLING_AVG, 0, x, y, argmax, low, high); break;
    case ANNEAL_POOLING_SUM: VARIANT(pool_planes_kind)(p, ANNEAL_POOLING_SUM, 0, x, y, argmax, low, high); break;
    case ANNEAL_POOLING_LP: VARIANT(pool_planes_kind)(p, ANNEAL_POOLING_LP, p->lp, x, y, argmax, low, high); break;
    }
}

/// The gradient of one row of inputs, gathered from the windows that contain each cell: every cell is written once.
INLINE void VARIANT(pool_row_back)(const anneal_pooling *p, int lp, const float *x, const float *y, const int32_t *argmax,
                                   const float *dy, const float *add, float *dx, const float *inverse, int64_t row,
                                   int64_t d0, int64_t d1, int64_t h0, int64_t h1) {
    for (int64_t w = 0; w < p->in[2]; w++) {
        int64_t w0, w1, cell = row + w;
        pool_holders(p, 2, w, &w0, &w1);
        vb sum = add ? LOAD(add + cell * BLOCK) : SPLAT(0);
        for (int64_t od = d0; od < d1; od++)
            for (int64_t oh = h0; oh < h1; oh++) {
                float scale = p->kind == ANNEAL_POOLING_AVG ? 1.0f / (float)(pool_cells(p, 0, od) * pool_cells(p, 1,
                    oh)) : 1;
                for (int64_t ow = w0; ow < w1; ow++) {
                    int64_t at = ((od * p->out[1] + oh) * p->out[2] + ow) * BLOCK;
                    vb g = LOAD(dy + at);
                    if (p->kind == ANNEAL_POOLING_MAX && p->first_version) {
                        sum += (vb)((ib)g & (LOAD(x + cell * BLOCK) == LOAD(y + at)));
                    } else if (p->kind == ANNEAL_POOLING_MAX) {
                        sum += (vb)((ib)g & (LOADI(argmax + at) == (int32_t)cell));
                    } else if (p->kind == ANNEAL_POOLING_AVG) {
                        sum += g * (ow < POOL_TABLE ? scale * inverse[ow] : scale / (float)pool_cells(p, 2, ow));
                    } else if (p->kind == ANNEAL_POOLING_LP && lp > 1) {
                        vb out = LOAD(y + at), ratio = LOAD(x + cell * BLOCK) / out;
                        vb term = g * (lp == 2 ? ratio : ratio * ratio);
                        sum += (vb)((ib)term & ~(out == SPLAT(0)));
                    } else {
                        sum += g;
                    }
                }
            }
        STORE(dx + cell * BLOCK, sum);
    }
}

/// Windows of 2 x 2 with stride 2 do not overlap: the gradient of each is spread over its cells.
INLINE void VARIANT(pool_max22_back)(const anneal_pooling *p, const int32_t *argmax, const float *dy, const float *add,
                                     float *dx) {
    int64_t width = p->in[2];
    for (int64_t oh = 0; oh < p->out[1]; oh++)
        for (int64_t ow = 0; ow < p->out[2]; ow++) {
            int64_t first = 2 * oh * width + 2 * ow, from = (oh * p->out[2] + ow) * BLOCK;
            vb g = LOAD(dy + from);
            ib at = LOADI(argmax + from);
#define GIVE(offset)                                                                 \
    {                                                                                \
        int64_t cell = first + (offset);                                             \
        vb v = (vb)((ib)g & (at == (int32_t)cell));                                  \
        if (add) v += LOAD(add + cell * BLOCK);                                      \
        STORE(dx + cell * BLOCK, v);                                                 \
    }
            GIVE(0)
            GIVE(1)
            GIVE(width)
            GIVE(width + 1)
#undef GIVE
        }
}

INLINE void VARIANT(pool_planes_back_kind)(const anneal_pooling *p, anneal_pooling_kind kind, int lp, const float *x,
                                           const float *y, const int32_t *argmax, const float *dy, const float *add,
                                           float *dx, int64_t low, int64_t high) {
    anneal_pooling fixed = *p;
    fixed.kind = kind;
    p = &fixed;
    int64_t in = p->in[0] * p->in[1] * p->in[2] * BLOCK, out = p->out[0] * p->out[1] * p->out[2] * BLOCK;
    float inverse[POOL_TABLE]; // what the last axis contributes to an average's scale
    for (int64_t ow = 0; kind == ANNEAL_POOLING_AVG && ow < p->out[2] && ow < POOL_TABLE; ow++)
        inverse[ow] = 1.0f / (float)pool_cells(p, 2, ow);
    for (int64_t plane = low; plane < high; plane++) {
        const float *head = dy + plane * out, *more = add ? add + plane * in : 0;
        float *to = dx + plane * in;
        if ((kind == ANNEAL_POOLING_AVG || kind == ANNEAL_POOLING_SUM) && pool_is_whole(p)) {
            vb g = LOAD(head) / (kind == ANNEAL_POOLING_AVG ? (float)(in / BLOCK) : 1.0f);
            for (int64_t k = 0; k < in; k += BLOCK) STORE(to + k, more ? g + LOAD(more + k) : g);
            continue;
        }
        if (kind == ANNEAL_POOLING_MAX && pool_is_22(p) && p->out[1] * 2 == p->in[1] && p->out[2] * 2 == p->in[2]) {
            VARIANT(pool_max22_back)(p, argmax + plane * out, head, more, to);
            continue;
        }
        for (int64_t d = 0; d < p->in[0]; d++)
            for (int64_t h = 0; h < p->in[1]; h++) {
                int64_t d0, d1, h0, h1;
                pool_holders(p, 0, d, &d0, &d1);
                pool_holders(p, 1, h, &h0, &h1);
                VARIANT(pool_row_back)(p, lp, x ? x + plane * in : 0, y ? y + plane * out : 0,
                                       argmax ? argmax + plane * out : 0, head, more, to, inverse,
                                       (d * p->in[1] + h) * p->in[2], d0, d1, h0, h1);
            }
    }
}

static void VARIANT(pool_planes_back)(const anneal_pooling *p, const float *x, const float *y, const int32_t *argmax,
                                      const float *dy, const float *add, float *dx, int64_t low, int64_t high) {
    switch (p->kind) {
    case ANNEAL_POOLING_MAX:
        VARIANT(pool_planes_back_kind)(p, ANNEAL_POOLING_MAX, 0, x, y, argmax, dy, add, dx, low, high);
        break;
    case ANNEAL_POOLING_AVG:
        VARIANT(pool_planes_back_kind)(p, ANNEAL_POOLING_AVG, 0, x, y, argmax, dy, add, dx, low, high);
        break;
    case ANNEAL_POOLING_SUM:
        VARIANT(pool_planes_back_kind)(p, ANNEAL_POOLING_SUM, 0, x, y, argmax, dy, add, dx, low, high);
        break;
    case ANNEAL_POOLING_LP:
        VARIANT(pool_planes_back_kind)(p, ANNEAL_POOLING_LP, p->lp, x, y, argmax, dy, add, dx, low, high);
        break;
    }
}
