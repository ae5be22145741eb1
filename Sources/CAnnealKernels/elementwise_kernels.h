// The loops of elementwise.c for one variant (see variants.h). Ranges are flat: [low, high).

/// 2^n * e^r by Cody and Waite's reduction; relative error about 1e-7; 0 and infinity at the ends, NaN stays.
ANK_INLINE vb ANK(exp)(vb x) {
    vb clamped = SELECT(x > SPLAT(89), SPLAT(89), x);
    clamped = SELECT(clamped < SPLAT(-104), SPLAT(-104), clamped);
    const vb magic = SPLAT(12582912); // 1.5 * 2^23: adding it rounds to an integer, found in the low bits
    vb shifted = clamped * 1.44269504f + magic;
    ib n = (ib)shifted - (ib)magic;
    vb whole = shifted - magic;
    vb r = clamped - whole * 0.693359375f;
    r = r - whole * -2.12194440e-4f;
    vb p = SPLAT(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    vb e = p * (r * r) + r + 1.0f;
    ib half = n >> 1; // in two steps, since 2^128 and 2^-127 are not floats
    return e * (vb)((half + 127) << 23) * (vb)((n - half + 127) << 23);
}

ANK_INLINE vb ANK(magnitude)(vb x) { return (vb)((ib)x & 0x7fffffff); }
ANK_INLINE vb ANK(with_sign)(vb x, vb sign) { return (vb)((ib)x | ((ib)sign & (int32_t)0x80000000)); }

ANK_INLINE vb ANK(activate)(ank_activation kind, vb x) {
    switch (kind) {
    case ANK_RELU: return RELU(x);
    case ANK_SIGMOID: {
        vb e = ANK(exp)(-ANK(magnitude)(x));
        return SELECT(x < SPLAT(0), e, SPLAT(1)) / (e + 1.0f);
    }
    case ANK_TANH: {
        vb m = ANK(magnitude)(x), z = x * x;
        vb p = SPLAT(-5.70498872745e-3f);
        p = p * z + 2.06390887954e-2f;
        p = p * z + -5.37397155531e-2f;
        p = p * z + 1.33314422036e-1f;
        p = p * z + -3.33332819422e-1f;
        vb near = p * z * x + x;
        vb far = ANK(with_sign)(1.0f - 2.0f / (ANK(exp)(m + m) + 1.0f), x);
        return SELECT(m < SPLAT(0.625f), near, far);
    }
    case ANK_SOFTRELU: {
        // max(x, 0) + log1p(e^-|x|), and log1p(e) = 2 atanh(e / (2 + e)) by its series: exact to the last bits for small e.
        vb e = ANK(exp)(-ANK(magnitude)(x));
        vb t = e / (e + 2.0f), z = t * t;
        vb p = SPLAT(1.0f / 15);
        p = p * z + 1.0f / 13;
        p = p * z + 1.0f / 11;
        p = p * z + 1.0f / 9;
        p = p * z + 1.0f / 7;
        p = p * z + 1.0f / 5;
        p = p * z + 1.0f / 3;
        vb log1p = (p * z * t + t) * 2.0f;
        return RELU(x) + log1p;
    }
    default: return x / (ANK(magnitude)(x) + 1.0f);
    }
}

/// f' from the output.
ANK_INLINE vb ANK(slope)(ank_activation kind, vb y) {
    switch (kind) {
    case ANK_SIGMOID: return y * (1.0f - y);
    case ANK_TANH: return 1.0f - y * y;
    case ANK_SOFTRELU: {
        // 1 - e^-y, by its series where the subtraction would cancel.
        vb p = SPLAT(-1.0f / 5040);
        p = p * -y + -1.0f / 720;
        p = p * y + 1.0f / 120;
        p = p * y + -1.0f / 24;
        p = p * y + 1.0f / 6;
        p = p * y + -0.5f;
        p = p * y + 1.0f;
        return SELECT(y < SPLAT(0.5f), p * y, 1.0f - ANK(exp)(-y));
    }
    default: {
        vb t = 1.0f - ANK(magnitude)(y);
        return t * t;
    }
    }
}

/// Partial vectors at the end of a range.
ANK_INLINE vb ANK(load_some)(const float *p, int64_t count) {
    float lanes[ANK_B] = {0};
    for (int64_t k = 0; k < count; k++) lanes[k] = p[k];
    return LOAD(lanes);
}
ANK_INLINE void ANK(store_some)(float *p, vb v, int64_t count) {
    float lanes[ANK_B];
    STORE(lanes, v);
    for (int64_t k = 0; k < count; k++) p[k] = lanes[k];
}

/// Runs `statement` with (load, store) for each whole vector from k = low, then for the rest.
#define ANK_FLAT(low, high, body)                        \
    do {                                                 \
        int64_t k = (low);                               \
        for (; k + ANK_B <= (high); k += ANK_B) {        \
            body(LOAD, STORE)                            \
        }                                                \
        if (k < (high)) {                                \
            int64_t rest = (high) - k;                   \
            body(ANK_LOAD_REST, ANK_STORE_REST)          \
        }                                                \
    } while (0)
#define ANK_LOAD_REST(p) ANK(load_some)(p, rest)
#define ANK_STORE_REST(p, v) ANK(store_some)(p, v, rest)

ANK_INLINE void ANK(forward_kind)(ank_activation kind, const float *x, float *y, int64_t low, int64_t high) {
#define BODY(load, store) store(y + k, ANK(activate)(kind, load(x + k)));
    ANK_FLAT(low, high, BODY);
#undef BODY
}

static void ANK(activation_forward)(ank_activation kind, const float *x, float *y, int64_t low, int64_t high) {
    switch (kind) {
    case ANK_RELU: ANK(forward_kind)(ANK_RELU, x, y, low, high); break;
    case ANK_SIGMOID: ANK(forward_kind)(ANK_SIGMOID, x, y, low, high); break;
    case ANK_TANH: ANK(forward_kind)(ANK_TANH, x, y, low, high); break;
    case ANK_SOFTRELU: ANK(forward_kind)(ANK_SOFTRELU, x, y, low, high); break;
    case ANK_SOFTSIGN: ANK(forward_kind)(ANK_SOFTSIGN, x, y, low, high); break;
    }
}

/// Φ(x) and e^(-x²/2), which is also its derivative's. Abramowitz and Stegun 7.1.26 of the upper tail: absolute error
/// below 1e-7.
ANK_INLINE vb ANK(normal)(vb x, vb *bell) {
    vb m = ANK(magnitude)(x);
    vb t = 1.0f / (m * 0.23164189f + 1.0f);
    *bell = ANK(exp)(x * x * -0.5f);
    vb p = SPLAT(0.5307027145f);
    p = p * t + -0.7265760135f;
    p = p * t + 0.7107068705f;
    p = p * t + -0.1422483680f;
    p = p * t + 0.1274147960f;
    vb tail = p * t * *bell;
    return SELECT(x < SPLAT(0), tail, 1.0f - tail);
}

static void ANK(gelu)(const float *x, float *y, int64_t low, int64_t high) {
#define BODY(load, store)                   \
    vb v = load(x + k), bell;               \
    store(y + k, v * ANK(normal)(v, &bell));
    ANK_FLAT(low, high, BODY);
#undef BODY
}

static void ANK(gelu_backward)(const float *x, const float *dy, float *dx, int64_t low, int64_t high) {
#define BODY(load, store)                   \
    vb v = load(x + k), bell;               \
    vb phi = ANK(normal)(v, &bell);         \
    store(dx + k, load(dy + k) * (v * bell * 0.39894228f + phi));
    ANK_FLAT(low, high, BODY);
#undef BODY
}

ANK_INLINE vb ANK(head)(ank_activation kind, vb y, vb dy) {
    if (kind == ANK_RELU) return (vb)((ib)dy & (y > SPLAT(0)));
    return dy * ANK(slope)(kind, y);
}

ANK_INLINE void ANK(backward_kind)(ank_activation kind, const float *y, const float *dy, const float *add, float *dx,
                                   int64_t low, int64_t high) {
    if (add) {
#define BODY(load, store) store(dx + k, ANK(head)(kind, load(y + k), load(dy + k)) + load(add + k));
        ANK_FLAT(low, high, BODY);
#undef BODY
    } else {
#define BODY(load, store) store(dx + k, ANK(head)(kind, load(y + k), load(dy + k)));
        ANK_FLAT(low, high, BODY);
#undef BODY
    }
}

static void ANK(activation_backward)(ank_activation kind, const float *y, const float *dy, const float *add, float *dx,
                                     int64_t low, int64_t high) {
    switch (kind) {
    case ANK_RELU: ANK(backward_kind)(ANK_RELU, y, dy, add, dx, low, high); break;
    case ANK_SIGMOID: ANK(backward_kind)(ANK_SIGMOID, y, dy, add, dx, low, high); break;
    case ANK_TANH: ANK(backward_kind)(ANK_TANH, y, dy, add, dx, low, high); break;
    case ANK_SOFTRELU: ANK(backward_kind)(ANK_SOFTRELU, y, dy, add, dx, low, high); break;
    case ANK_SOFTSIGN: ANK(backward_kind)(ANK_SOFTSIGN, y, dy, add, dx, low, high); break;
    }
}

static void ANK(add)(const float *a, const float *b, float *y, int relu, int64_t low, int64_t high) {
    if (relu) {
#define BODY(load, store) store(y + k, RELU(load(a + k) + load(b + k)));
        ANK_FLAT(low, high, BODY);
#undef BODY
    } else {
#define BODY(load, store) store(y + k, load(a + k) + load(b + k));
        ANK_FLAT(low, high, BODY);
#undef BODY
    }
}

static void ANK(axpby)(float alpha, const float *x, float beta, float *y, int64_t low, int64_t high) {
    if (beta == 0) { // y may be anything then
#define BODY(load, store) store(y + k, load(x + k) * alpha);
        ANK_FLAT(low, high, BODY);
#undef BODY
    } else {
#define BODY(load, store) store(y + k, load(x + k) * alpha + load(y + k) * beta);
        ANK_FLAT(low, high, BODY);
#undef BODY
    }
}

ANK_INLINE float ANK(lanes_max)(vb v) {
    float m = v[0];
    for (int k = 1; k < ANK_B; k++) m = v[k] > m ? v[k] : m;
    return m;
}
ANK_INLINE float ANK(lanes_sum)(vb v) {
    float m[ANK_B];
    STORE(m, v);
    for (int width = ANK_B / 2; width >= 1; width /= 2)
        for (int k = 0; k < width; k++) m[k] += m[k + width];
    return m[0];
}

/// Rows [low, high) of a softmax along contiguous rows.
static void ANK(softmax_rows)(const float *x, float *y, int64_t axis, int64_t low, int64_t high) {
    for (int64_t row = low; row < high; row++) {
        const float *from = x + row * axis;
        float *to = y + row * axis;
        float top = from[0];
        for (int64_t k = 1; k < axis; k++) top = from[k] > top ? from[k] : top;
        vb sums = SPLAT(0);
        int64_t k = 0;
        for (; k + ANK_B <= axis; k += ANK_B) {
            vb e = ANK(exp)(LOAD(from + k) - top);
            STORE(to + k, e);
            sums += e;
        }
        float sum = ANK(lanes_sum)(sums);
        if (k < axis) {
            float lanes[ANK_B];
            STORE(lanes, ANK(exp)(ANK(load_some)(from + k, axis - k) - top));
            for (int64_t j = 0; j < axis - k; j++) {
                to[k + j] = lanes[j];
                sum += lanes[j];
            }
        }
        float scale = 1.0f / sum;
        for (int64_t j = 0; j < axis; j++) to[j] *= scale;
    }
}

/// Softmax along an axis that is not the last: vectors of `width` <= ANK_B neighbouring columns.
static void ANK(softmax_columns)(const float *x, float *y, int64_t axis, int64_t inner, int64_t low, int64_t high) {
    int64_t columns = (inner + ANK_B - 1) / ANK_B;
    for (int64_t item = low; item < high; item++) {
        int64_t first = item % columns * ANK_B, width = inner - first < ANK_B ? inner - first : ANK_B;
        const float *from = x + item / columns * axis * inner + first;
        float *to = y + item / columns * axis * inner + first;
        vb top = ANK(load_some)(from, width), sum = SPLAT(0);
        for (int64_t k = 1; k < axis; k++) {
            vb v = ANK(load_some)(from + k * inner, width);
            top = SELECT(v > top, v, top);
        }
        for (int64_t k = 0; k < axis; k++) {
            vb e = ANK(exp)(ANK(load_some)(from + k * inner, width) - top);
            sum += e;
            ANK(store_some)(to + k * inner, e, width);
        }
        vb scale = 1.0f / sum;
        for (int64_t k = 0; k < axis; k++)
            ANK(store_some)(to + k * inner, ANK(load_some)(to + k * inner, width) * scale, width);
    }
}

#undef ANK_FLAT
#undef ANK_LOAD_REST
#undef ANK_STORE_REST
