// The loops of batchnorm.c over blocked layouts for one variant (see variants.h).

#define BATCHNORM_OFFSET(r, i, g) ((((i) * (r)->blocks + (r)->first + (g)) * s) * BLOCK)

/// Adds sum (x - shift) and sum (x - shift)^2 of a run of `count` positions.
INLINE void VARIANT(batchnorm_moments)(const float *x, int64_t count, vb shift, vb *sum, vb *square) {
    if (count < 4) {
        vb s0 = *sum, q0 = *square;
        for (int64_t k = 0; k < count; k++) {
            vb d = LOAD(x + k * BLOCK) - shift;
            s0 += d;
            q0 = d * d + q0;
        }
        *sum = s0;
        *square = q0;
        return;
    }
    vb s0 = SPLAT(0), s1 = s0, s2 = s0, s3 = s0, q0 = s0, q1 = s0, q2 = s0, q3 = s0;
    int64_t k = 0;
    for (; k + 4 <= count; k += 4) {
        vb d0 = LOAD(x + k * BLOCK) - shift, d1 = LOAD(x + (k + 1) * BLOCK) - shift;
        vb d2 = LOAD(x + (k + 2) * BLOCK) - shift, d3 = LOAD(x + (k + 3) * BLOCK) - shift;
        s0 += d0, s1 += d1, s2 += d2, s3 += d3;
        q0 = d0 * d0 + q0, q1 = d1 * d1 + q1, q2 = d2 * d2 + q2, q3 = d3 * d3 + q3;
    }
    for (; k < count; k++) {
        vb d = LOAD(x + k * BLOCK) - shift;
        s0 += d;
        q0 = d * d + q0;
    }
    *sum += (s0 + s1) + (s2 + s3);
    *square += (q0 + q1) + (q2 + q3);
}

/// Mean and sum of squared deviations. Chunks of some hundred positions are summed about the mean of all before them
/// (Chan, Golub and LeVeque's merge), so neither a large mean nor a long sum costs accuracy. The first chunk is summed
/// about the mean of its first values, which stays the `base` that means are stored relative to: a mean of 1e4 in a
/// float is only accurate to 1e-3.
INLINE void VARIANT(batchnorm_statistics_s)(const float *x, const batchnorm_range *r, int64_t s, float *mean, float *m2) {
    vb base[BATCHNORM_GROUP], shift[BATCHNORM_GROUP], sum[BATCHNORM_GROUP], square[BATCHNORM_GROUP];
    int64_t images = s >= 256 ? 1 : (255 + s) / s, length = s > 1024 ? 1024 : s;
    float before = 0;
    for (int64_t g = 0; g < r->count; g++) {
        shift[g] = r->n0 < r->n1 ? LOAD(x + BATCHNORM_OFFSET(r, r->n0, g)) : SPLAT(0);
        STORE(mean + g * BLOCK, SPLAT(0));
        STORE(m2 + g * BLOCK, SPLAT(0));
    }
    for (int64_t i0 = r->n0; i0 < r->n1; i0 += images) {
        int64_t i1 = i0 + images < r->n1 ? i0 + images : r->n1;
        for (int64_t k0 = 0; k0 < s; k0 += length) {
            int64_t part = s - k0 < length ? s - k0 : length;
            float count = (float)((i1 - i0) * part);
            for (int pass = before == 0 ? 0 : 1; pass < 2; pass++) {
                // The base is the mean of a few numbers.
                int64_t run = pass == 0 && part > BATCHNORM_BASE ? BATCHNORM_BASE : part,
                    end = i0 + (BATCHNORM_BASE - 1) / run + 1;
                if (pass == 1 || end > i1) end = i1;
                for (int64_t g = 0; g < r->count; g++) sum[g] = square[g] = SPLAT(0);
                for (int64_t i = i0; i < end; i++) {
                    const float *from = x + BATCHNORM_OFFSET(r, i, 0) + k0 * BLOCK;
                    for (int64_t g = 0; g < r->count; g++)
                        VARIANT(batchnorm_moments)(from + g * s * BLOCK, run, shift[g], &sum[g], &square[g]);
                }
                float seen = (float)((end - i0) * run);
                if (pass == 0)
                    for (int64_t g = 0; g < r->count; g++) base[g] = shift[g] = shift[g] + sum[g] / seen;
            }
            float total = before + count, weight = count / total, both = before * weight;
            for (int64_t g = 0; g < r->count; g++) {
                vb step = sum[g] / count, old = LOAD(mean + g * BLOCK);
                vb here = (shift[g] - base[g]) + step, delta = before == 0 ? SPLAT(0) : here - old;
                vb merged = before == 0 ? here : old + delta * weight;
                STORE(m2 + g * BLOCK, LOAD(m2 + g * BLOCK) + (square[g] - sum[g] * step) + delta * delta * both);
                STORE(mean + g * BLOCK, merged);
                shift[g] = base[g] + merged;
            }
            before = total;
        }
    }
    if (before > 0)
        for (int64_t g = 0; g < r->count; g++) STORE(mean + g * BLOCK, base[g] + LOAD(mean + g * BLOCK));
}

static void VARIANT(batchnorm_statistics)(const float *x, const batchnorm_range *r, float *mean, float *m2) {
    if (r->s == 1)
        VARIANT(batchnorm_statistics_s)(x, r, 1, mean, m2);
    else
        VARIANT(batchnorm_statistics_s)(x, r, r->s, mean, m2);
}

INLINE void VARIANT(batchnorm_apply_kind)(const float *x, const float *addend, float *y, const batchnorm_coefficients *c,
                                          int relu, int stream, const batchnorm_range *r, int64_t s) {
    // Backwards: what the statistics' pass read last is still in the cache.
    for (int64_t i = r->n1 - 1; i >= r->n0; i--)
        for (int64_t g = r->count - 1; g >= 0; g--) {
            int64_t offset = BATCHNORM_OFFSET(r, i, g);
            vb mean = LOAD(c->mean + g * BLOCK), scale = LOAD(c->scale + g * BLOCK), beta = LOAD(c->beta + g * BLOCK);
#pragma clang loop unroll_count(4)
            for (int64_t k = 0; k < s; k++) {
                int64_t at = offset + k * BLOCK;
                vb v = (LOAD(x + at) - mean) * scale + beta;
                if (addend) v += LOAD(addend + at);
                v = relu ? RELU(v) : v;
                if (stream)
                    STREAM(y + at, v);
                else
                    STORE(y + at, v);
            }
        }
}

INLINE void VARIANT(batchnorm_apply_s)(const float *x, const float *addend, float *y, const batchnorm_coefficients *c,
                                       int relu, int stream, const batchnorm_range *r, int64_t s) {
    if (addend) {
        if (relu)
            VARIANT(batchnorm_apply_kind)(x, addend, y, c, 1, stream, r, s);
        else
            VARIANT(batchnorm_apply_kind)(x, addend, y, c, 0, stream, r, s);
    } else if (relu) {
        VARIANT(batchnorm_apply_kind)(x, 0, y, c, 1, stream, r, s);
    } else {
        VARIANT(batchnorm_apply_kind)(x, 0, y, c, 0, stream, r, s);
    }
}

static void VARIANT(batchnorm_apply)(const float *x, const float *addend, float *y, const batchnorm_coefficients *c,
                                     int relu, int stream, const batchnorm_range *r) {
    if (r->s == 1)
        VARIANT(batchnorm_apply_s)(x, addend, y, c, relu, stream, r, 1);
    else
        VARIANT(batchnorm_apply_s)(x, addend, y, c, relu, stream, r, r->s);
}

/// g of one vector: the output gradient under ReLU's mask. `d` is x - mean.
#define BATCHNORM_MASKED(at, d)                                                        \
    (relu == 0   ? LOAD(dy + (at))                                                     \
     : relu == 1 ? (vb)((ib)LOAD(dy + (at)) & ((d) * scale + beta > SPLAT(0)))         \
                 : (vb)((ib)LOAD(dy + (at)) & (LOAD(y + (at)) > SPLAT(0))))

/// The same for the second output gradient.
#define BATCHNORM_MASKED2(at, d)                                                       \
    (relu == 0   ? LOAD(dy2 + (at))                                                    \
     : relu == 1 ? (vb)((ib)LOAD(dy2 + (at)) & ((d) * scale + beta > SPLAT(0)))        \
                 : (vb)((ib)LOAD(dy2 + (at)) & (LOAD(y + (at)) > SPLAT(0))))

/// sum g and sum g (x - mean); stores the masked gradient in `dmasked`.
INLINE void VARIANT(batchnorm_sums_kind)(const float *x, const float *y, const float *dy, const float *dy2,
                                         float *dmasked, const batchnorm_coefficients *c, int relu,
                                         const batchnorm_range *r, int64_t s, float *sum_g, float *sum_gd) {
    int64_t images = s >= 256 ? 1 : (255 + s) / s;
    vb sum[BATCHNORM_GROUP], dot[BATCHNORM_GROUP];
    for (int64_t g = 0; g < r->count; g++) {
        STORE(sum_g + g * BLOCK, SPLAT(0));
        STORE(sum_gd + g * BLOCK, SPLAT(0));
    }
    for (int64_t i0 = r->n0; i0 < r->n1; i0 += images) {
        int64_t i1 = i0 + images < r->n1 ? i0 + images : r->n1;
        for (int64_t g = 0; g < r->count; g++) sum[g] = dot[g] = SPLAT(0);
        for (int64_t i = i0; i < i1; i++)
            for (int64_t g = 0; g < r->count; g++) {
                int64_t at = BATCHNORM_OFFSET(r, i, g);
                vb mean = LOAD(c->mean + g * BLOCK), scale = LOAD(c->scale + g * BLOCK);
                vb beta = LOAD(c->beta + g * BLOCK);
                vb s0 = sum[g], q0 = dot[g], s1 = SPLAT(0), s2 = s1, s3 = s1, q1 = s1, q2 = s1, q3 = s1;
                int64_t k = 0;
#define STEP(j, s_, q_)                                                                \
    {                                                                                  \
        vb d = LOAD(x + at + (j) * BLOCK) - mean;                                      \
        vb v = BATCHNORM_MASKED(at + (j) * BLOCK, d);                                  \
        if (dy2) v += BATCHNORM_MASKED2(at + (j) * BLOCK, d);                          \
        if (dmasked) STORE(dmasked + at + (j) * BLOCK, v);                             \
        s_ += v;                                                                       \
        q_ = v * d + q_;                                                               \
    }
                for (; k + 4 <= s; k += 4, at += 4 * BLOCK) {
                    STEP(0, s0, q0)
                    STEP(1, s1, q1)
                    STEP(2, s2, q2)
                    STEP(3, s3, q3)
                }
                for (; k < s; k++, at += BLOCK) STEP(0, s0, q0)
#undef STEP
                sum[g] = (s0 + s1) + (s2 + s3);
                dot[g] = (q0 + q1) + (q2 + q3);
            }
        for (int64_t g = 0; g < r->count; g++) {
            STORE(sum_g + g * BLOCK, LOAD(sum_g + g * BLOCK) + sum[g]);
            STORE(sum_gd + g * BLOCK, LOAD(sum_gd + g * BLOCK) + dot[g]);
        }
    }
}

INLINE void VARIANT(batchnorm_sums_s)(const float *x, const float *y, const float *dy, const float *dy2, float *dmasked,
                                      const batchnorm_coefficients *c, int relu, const batchnorm_range *r, int64_t s,
                                      float *sum_g, float *sum_gd) {
    if (dy2) {
        if (relu == 0)
            VARIANT(batchnorm_sums_kind)(x, y, dy, dy2, dmasked, c, 0, r, s, sum_g, sum_gd);
        else if (relu == 1)
            VARIANT(batchnorm_sums_kind)(x, y, dy, dy2, dmasked, c, 1, r, s, sum_g, sum_gd);
        else
            VARIANT(batchnorm_sums_kind)(x, y, dy, dy2, dmasked, c, 2, r, s, sum_g, sum_gd);
    } else if (dmasked) {
        if (relu == 0)
            VARIANT(batchnorm_sums_kind)(x, y, dy, 0, dmasked, c, 0, r, s, sum_g, sum_gd);
        else if (relu == 1)
            VARIANT(batchnorm_sums_kind)(x, y, dy, 0, dmasked, c, 1, r, s, sum_g, sum_gd);
        else
            VARIANT(batchnorm_sums_kind)(x, y, dy, 0, dmasked, c, 2, r, s, sum_g, sum_gd);
    } else if (relu == 0) {
        VARIANT(batchnorm_sums_kind)(x, y, dy, 0, 0, c, 0, r, s, sum_g, sum_gd);
    } else if (relu == 1) {
        VARIANT(batchnorm_sums_kind)(x, y, dy, 0, 0, c, 1, r, s, sum_g, sum_gd);
    } else {
        VARIANT(batchnorm_sums_kind)(x, y, dy, 0, 0, c, 2, r, s, sum_g, sum_gd);
    }
}

static void VARIANT(batchnorm_sums)(const float *x, const float *y, const float *dy, const float *dy2, float *dmasked,
                                    const batchnorm_coefficients *c, int relu, const batchnorm_range *r, float *sum_g,
                                    float *sum_gd) {
    if (r->s == 1)
        VARIANT(batchnorm_sums_s)(x, y, dy, dy2, dmasked, c, relu, r, 1, sum_g, sum_gd);
    else
        VARIANT(batchnorm_sums_s)(x, y, dy, dy2, dmasked, c, relu, r, r->s, sum_g, sum_gd);
}

INLINE void VARIANT(batchnorm_gradient_kind)(const float *x, const float *y, const float *dy, const float *add,
                                             float *dx, const batchnorm_coefficients *c, int relu, int stream,
                                             const batchnorm_range *r, int64_t s) {
    for (int64_t i = r->n1 - 1; i >= r->n0; i--)
        for (int64_t g = r->count - 1; g >= 0; g--) {
            int64_t offset = BATCHNORM_OFFSET(r, i, g);
            vb mean = LOAD(c->mean + g * BLOCK), scale = LOAD(c->scale + g * BLOCK), beta = LOAD(c->beta + g * BLOCK);
            vb a = LOAD(c->a + g * BLOCK), b = LOAD(c->b + g * BLOCK);
#pragma clang loop unroll_count(4)
            for (int64_t k = 0; k < s; k++) {
                int64_t at = offset + k * BLOCK;
                vb d = LOAD(x + at) - mean;
                vb v = BATCHNORM_MASKED(at, d);
                vb rest = d * a + b;
                vb out = v * scale + rest;
                if (add) out += LOAD(add + at);
                if (stream)
                    STREAM(dx + at, out);
                else
                    STORE(dx + at, out);
            }
        }
}

INLINE void VARIANT(batchnorm_gradient_s)(const float *x, const float *y, const float *dy, const float *add, float *dx,
                                          const batchnorm_coefficients *c, int relu, int stream,
                                          const batchnorm_range *r, int64_t s) {
    if (add) {
        if (relu == 0)
            VARIANT(batchnorm_gradient_kind)(x, y, dy, add, dx, c, 0, stream, r, s);
        else if (relu == 1)
            VARIANT(batchnorm_gradient_kind)(x, y, dy, add, dx, c, 1, stream, r, s);
        else
            VARIANT(batchnorm_gradient_kind)(x, y, dy, add, dx, c, 2, stream, r, s);
    } else if (relu == 0) {
        VARIANT(batchnorm_gradient_kind)(x, y, dy, 0, dx, c, 0, stream, r, s);
    } else if (relu == 1) {
        VARIANT(batchnorm_gradient_kind)(x, y, dy, 0, dx, c, 1, stream, r, s);
    } else {
        VARIANT(batchnorm_gradient_kind)(x, y, dy, 0, dx, c, 2, stream, r, s);
    }
}

static void VARIANT(batchnorm_gradient)(const float *x, const float *y, const float *dy, const float *add, float *dx,
                                        const batchnorm_coefficients *c, int relu, int stream, const batchnorm_range *r) {
    if (r->s == 1)
        VARIANT(batchnorm_gradient_s)(x, y, dy, add, dx, c, relu, stream, r, 1);
    else
        VARIANT(batchnorm_gradient_s)(x, y, dy, add, dx, c, relu, stream, r, r->s);
}

#undef BATCHNORM_MASKED
#undef BATCHNORM_MASKED2
#undef BATCHNORM_OFFSET
