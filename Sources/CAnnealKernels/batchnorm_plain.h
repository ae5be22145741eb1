// The loops of batchnorm.c over the plain layout: a block is one channel, vectors run over positions. Sums may be taken in
// any order that the compiler fixes. Included by batchnorm.c between variants' attributes, with PLAIN(name).

static void PLAIN(batchnorm_statistics)(const float *x, const batchnorm_range *r, float *mean, float *m2) {
#pragma clang fp reassociate(on)
    int64_t s = r->s, images = s >= 2048 ? 1 : (2047 + s) / s, length = s > 8192 ? 8192 : s;
    for (int64_t g = 0; g < r->count; g++) {
        const float *channel = x + (r->first + g) * s;
        float shift = r->n0 < r->n1 ? channel[r->n0 * r->blocks * s] : 0, base = 0, before = 0;
        mean[g] = m2[g] = 0;
        for (int64_t i0 = r->n0; i0 < r->n1; i0 += images) {
            int64_t i1 = i0 + images < r->n1 ? i0 + images : r->n1;
            for (int64_t k0 = 0; k0 < s; k0 += length) {
                int64_t part = s - k0 < length ? s - k0 : length;
                float count = (float)((i1 - i0) * part), sum = 0, square = 0;
                for (int pass = before == 0 ? 0 : 1; pass < 2; pass++) {
                    int64_t run = pass == 0 && part > BATCHNORM_BASE ? BATCHNORM_BASE : part,
                        end = i0 + (BATCHNORM_BASE - 1) / run + 1;
                    if (pass == 1 || end > i1) end = i1;
                    sum = square = 0;
                    for (int64_t i = i0; i < end; i++) {
                        const float *from = channel + i * r->blocks * s + k0;
                        float a = 0, b = 0;
                        for (int64_t k = 0; k < run; k++) {
                            float d = from[k] - shift;
                            a += d;
                            b += d * d;
                        }
                        sum += a;
                        square += b;
                    }
                    if (pass == 0) base = shift = shift + sum / (float)((end - i0) * run);
                }
                float step = sum / count, here = (shift - base) + step, total = before + count;
                float delta = before == 0 ? 0 : here - mean[g];
                mean[g] = before == 0 ? here : mean[g] + delta * (count / total);
                m2[g] += (square - sum * step) + delta * delta * (before * (count / total));
                shift = base + mean[g];
                before = total;
            }
        }
        mean[g] += base;
    }
}

static void PLAIN(batchnorm_apply)(const float *x, const float *addend, float *y, const batchnorm_coefficients *c, int relu,
                                   int stream, const batchnorm_range *r) {
    (void)stream;
    for (int64_t i = r->n1 - 1; i >= r->n0; i--)
        for (int64_t g = 0; g < r->count; g++) {
            int64_t offset = (i * r->blocks + r->first + g) * r->s, k = 0;
            float mean = c->mean[g], scale = c->scale[g], beta = c->beta[g];
            // The compiler does not vectorise this if y may be x.
            for (; k + 8 <= r->s; k += 8) {
                v8 v = ((v8)(*(const v8u *)(x + offset + k)) - mean) * scale + beta;
                if (addend) v += (v8)(*(const v8u *)(addend + offset + k));
                if (relu) v = (v8)((i8)v & ~(v < 0));
                *(v8u *)(y + offset + k) = (v8u)v;
            }
            for (; k < r->s; k++) {
                float v = (x[offset + k] - mean) * scale + beta;
                if (addend) v += addend[offset + k];
                y[offset + k] = relu && v < 0 ? 0 : v;
            }
        }
}

static inline __attribute__((always_inline)) float PLAIN(batchnorm_masked)(const float *y, const float *dy, float d,
                                                                           float scale, float beta, int relu,
                                                                           int64_t at) {
    int keep = relu == 0 ? 1 : relu == 1 ? d * scale + beta > 0 : y[at] > 0;
    return keep ? dy[at] : 0;
}

static inline __attribute__((always_inline)) void PLAIN(batchnorm_sums_kind)(
    const float *x, const float *y, const float *dy, const float *dy2, float *dmasked, const batchnorm_coefficients *c,
        int relu, const batchnorm_range *r, float *sum_g, float *sum_gd) {
#pragma clang fp reassociate(on)
    for (int64_t g = 0; g < r->count; g++) {
        float mean = c->mean[g], scale = c->scale[g], beta = c->beta[g];
        sum_g[g] = sum_gd[g] = 0;
        for (int64_t i = r->n0; i < r->n1; i++) {
            int64_t offset = (i * r->blocks + r->first + g) * r->s;
            float a = 0, b = 0;
            for (int64_t k = 0; k < r->s; k++) {
                float d = x[offset + k] - mean;
                float v = PLAIN(batchnorm_masked)(y, dy, d, scale, beta, relu, offset + k);
                if (dy2) v += PLAIN(batchnorm_masked)(y, dy2, d, scale, beta, relu, offset + k);
                if (dmasked) dmasked[offset + k] = v;
                a += v;
                b += v * d;
            }
            sum_g[g] += a;
            sum_gd[g] += b;
        }
    }
}

static void PLAIN(batchnorm_sums)(const float *x, const float *y, const float *dy, const float *dy2, float *dmasked,
                                  const batchnorm_coefficients *c, int relu, const batchnorm_range *r, float *sum_g,
                                  float *sum_gd) {
    if (relu == 0)
        PLAIN(batchnorm_sums_kind)(x, y, dy, dy2, dmasked, c, 0, r, sum_g, sum_gd);
    else if (relu == 1)
        PLAIN(batchnorm_sums_kind)(x, y, dy, dy2, dmasked, c, 1, r, sum_g, sum_gd);
    else
        PLAIN(batchnorm_sums_kind)(x, y, dy, dy2, dmasked, c, 2, r, sum_g, sum_gd);
}

static inline __attribute__((always_inline)) void PLAIN(batchnorm_gradient_kind)(
    const float *x, const float *y, const float *dy, const float *add, float *dx, const batchnorm_coefficients *c, int relu,
    const batchnorm_range *r) {
    for (int64_t i = r->n1 - 1; i >= r->n0; i--)
        for (int64_t g = 0; g < r->count; g++) {
            int64_t offset = (i * r->blocks + r->first + g) * r->s;
            float mean = c->mean[g], scale = c->scale[g], beta = c->beta[g], a = c->a[g], b = c->b[g];
            for (int64_t k = 0; k < r->s; k++) {
                float d = x[offset + k] - mean;
                float v = PLAIN(batchnorm_masked)(y, dy, d, scale, beta, relu, offset + k);
                float out = v * scale + (d * a + b);
                dx[offset + k] = add ? out + add[offset + k] : out;
            }
        }
}

static void PLAIN(batchnorm_gradient)(const float *x, const float *y, const float *dy, const float *add, float *dx,
                                      const batchnorm_coefficients *c, int relu, int stream, const batchnorm_range *r) {
    (void)stream;
    if (relu == 0)
        PLAIN(batchnorm_gradient_kind)(x, y, dy, add, dx, c, 0, r);
    else if (relu == 1)
        PLAIN(batchnorm_gradient_kind)(x, y, dy, add, dx, c, 1, r);
    else
        PLAIN(batchnorm_gradient_kind)(x, y, dy, add, dx, c, 2, r);
}
