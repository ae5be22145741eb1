// The loops of elementwise.c for one variant (see variants.h). Ranges are flat: [low, high).

/// 2^n * e^r by Cody and Waite's reduction; relative error about 1e-7; 0 and infinity at the ends, NaN stays NaN.
INLINE vb VARIANT(exp)(vb x) {
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

INLINE vb VARIANT(magnitude)(vb x) { return (vb)((ib)x & 0x7fffffff); }
INLINE vb VARIANT(with_sign)(vb x, vb sign) { return (vb)((ib)x | ((ib)sign & (int32_t)0x80000000)); }

INLINE vb VARIANT(activate)(anneal_activation kind, vb x) {
    switch (kind) {
    case ANNEAL_RELU: return RELU(x);
    case ANNEAL_SIGMOID: {
        vb e = VARIANT(exp)(-VARIANT(magnitude)(x));
        return SELECT(x < SPLAT(0), e, SPLAT(1)) / (e + 1.0f);
    }
    case ANNEAL_TANH: {
        vb m = VARIANT(magnitude)(x), z = x * x;
        vb p = SPLAT(-5.70498872745e-3f);
        p = p * z + 2.06390887954e-2f;
        p = p * z + -5.37397155531e-2f;
        p = p * z + 1.33314422036e-1f;
        p = p * z + -3.33332819422e-1f;
        vb near = p * z * x + x;
        vb far = VARIANT(with_sign)(1.0f - 2.0f / (VARIANT(exp)(m + m) + 1.0f), x);
        return SELECT(m < SPLAT(0.625f), near, far);
    }
    case ANNEAL_SOFTRELU: {
        // max(x, 0) + log1p(e^-|x|), and log1p(e) = 2 atanh(e / (2 + e)) by its series: accurate to the last bits for
        // small e.
        vb e = VARIANT(exp)(-VARIANT(magnitude)(x));
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
    default: return x / (VARIANT(magnitude)(x) + 1.0f);
    }
}

/// f' computed from the output.
INLINE vb VARIANT(slope)(anneal_activation kind, vb y) {
    switch (kind) {
    case ANNEAL_SIGMOID: return y * (1.0f - y);
    case ANNEAL_TANH: return 1.0f - y * y;
    case ANNEAL_SOFTRELU: {
        // 1 - e^-y, by its series where the subtraction would cancel.
        vb p = SPLAT(-1.0f / 5040);
        p = p * -y + -1.0f / 720;
        p = p * y + 1.0f / 120;
        p = p * y + -1.0f / 24;
        p = p * y + 1.0f / 6;
        p = p * y + -0.5f;
        p = p * y + 1.0f;
        return SELECT(y < SPLAT(0.5f), p * y, 1.0f - VARIANT(exp)(-y));
    }
    default: {
        vb t = 1.0f - VARIANT(magnitude)(y);
        return t * t;
    }
    }
}

/// Partial vectors at the end of a range.
INLINE vb VARIANT(load_some)(const float *p, int64_t count) {
    float lanes[BLOCK] = {0};
    for (int64_t k = 0; k < count; k++) lanes[k] = p[k];
    return LOAD(lanes);
}
INLINE void VARIANT(store_some)(float *p, vb v, int64_t count) {
    float lanes[BLOCK];
    STORE(lanes, v);
    for (int64_t k = 0; k < count; k++) p[k] = lanes[k];
}

/// Runs `statement` with (load, store) for each whole vector from k = low, then for the rest.
#define FLAT(low, high, body)                            \
    do {                                                 \
        int64_t k = (low);                               \
        for (; k + BLOCK <= (high); k += BLOCK) {        \
            body(LOAD, STORE)                            \
        }                                                \
        if (k < (high)) {                                \
            int64_t rest = (high) - k;                   \
            body(LOAD_REST, STORE_REST)                  \
        }                                                \
    } while (0)
#define LOAD_REST(p) VARIANT(load_some)(p, rest)
#define STORE_REST(p, v) VARIANT(store_some)(p, v, rest)

INLINE void VARIANT(forward_kind)(anneal_activation kind, const float *x, float *y, int64_t low, int64_t high) {
#define BODY(load, store) store(y + k, VARIANT(activate)(kind, load(x + k)));
    FLAT(low, high, BODY);
#undef BODY
}

static void VARIANT(activation_forward)(anneal_activation kind, const float *x, float *y, int64_t low, int64_t high) {
    switch (kind) {
    case ANNEAL_RELU: VARIANT(forward_kind)(ANNEAL_RELU, x, y, low, high); break;
    case ANNEAL_SIGMOID: VARIANT(forward_kind)(ANNEAL_SIGMOID, x, y, low, high); break;
    case ANNEAL_TANH: VARIANT(forward_kind)(ANNEAL_TANH, x, y, low, high); break;
    case ANNEAL_SOFTRELU: VARIANT(forward_kind)(ANNEAL_SOFTRELU, x, y, low, high); break;
    case ANNEAL_SOFTSIGN: VARIANT(forward_kind)(ANNEAL_SOFTSIGN, x, y, low, high); break;
    }
}

/// Φ(x) and e^(-x²/2), to which its derivative is proportional. Abramowitz and Stegun 7.1.26 for the upper tail:
/// absolute error below 1e-7.
INLINE vb VARIANT(normal)(vb x, vb *bell) {
    vb m = VARIANT(magnitude)(x);
    vb t = 1.0f / (m * 0.23164189f + 1.0f);
    *bell = VARIANT(exp)(x * x * -0.5f);
    vb p = SPLAT(0.5307027145f);
    p = p * t + -0.7265760135f;
    p = p * t + 0.7107068705f;
    p = p * t + -0.1422483680f;
    p = p * t + 0.1274147960f;
    vb tail = p * t * *bell;
    return SELECT(x < SPLAT(0), tail, 1.0f - tail);
}

static void VARIANT(gelu)(const float *x, float *y, int64_t low, int64_t high) {
#define BODY(load, store)                   \
    vb v = load(x + k), bell;               \
    store(y + k, v * VARIANT(normal)(v, &bell));
    FLAT(low, high, BODY);
#undef BODY
}

static void VARIANT(gelu_backward)(const float *x, const float *dy, float *dx, int64_t low, int64_t high) {
#define BODY(load, store)                   \
    vb v = load(x + k), bell;               \
    vb phi = VARIANT(normal)(v, &bell);     \
    store(dx + k, load(dy + k) * (v * bell * 0.39894228f + phi));
    FLAT(low, high, BODY);
#undef BODY
}

INLINE vb VARIANT(head)(anneal_activation kind, vb y, vb dy) {
    if (kind == ANNEAL_RELU) return (vb)((ib)dy & (y > SPLAT(0)));
    return dy * VARIANT(slope)(kind, y);
}

INLINE void VARIANT(backward_kind)(anneal_activation kind, const float *y, const float *dy, const float *add, float *dx,
                                   int64_t low, int64_t high) {
    if (add) {
#define BODY(load, store) store(dx + k, VARIANT(head)(kind, load(y + k), load(dy + k)) + load(add + k));
        FLAT(low, high, BODY);
#undef BODY
    } else {
#define BODY(load, store) store(dx + k, VARIANT(head)(kind, load(y + k), load(dy + k)));
        FLAT(low, high, BODY);
#undef BODY
    }
}

static void VARIANT(activation_backward)(anneal_activation kind, const float *y, const float *dy, const float *add,
                                         float *dx, int64_t low, int64_t high) {
    switch (kind) {
    case ANNEAL_RELU: VARIANT(backward_kind)(ANNEAL_RELU, y, dy, add, dx, low, high); break;
    case ANNEAL_SIGMOID: VARIANT(backward_kind)(ANNEAL_SIGMOID, y, dy, add, dx, low, high); break;
    case ANNEAL_TANH: VARIANT(backward_kind)(ANNEAL_TANH, y, dy, add, dx, low, high); break;
    case ANNEAL_SOFTRELU: VARIANT(backward_kind)(ANNEAL_SOFTRELU, y, dy, add, dx, low, high); break;
    case ANNEAL_SOFTSIGN: VARIANT(backward_kind)(ANNEAL_SOFTSIGN, y, dy, add, dx, low, high); break;
    }
}

static void VARIANT(add)(const float *a, const float *b, float *y, int relu, int64_t low, int64_t high) {
    if (relu) {
#define BODY(load, store) store(y + k, RELU(load(a + k) + load(b + k)));
        FLAT(low, high, BODY);
#undef BODY
    } else {
#define BODY(load, store) store(y + k, load(a + k) + load(b + k));
        FLAT(low, high, BODY);
#undef BODY
    }
}

static void VARIANT(axpby)(float alpha, const float *x, float beta, float *y, int64_t low, int64_t high) {
    if (beta == 0) { // y may be anything then
#define BODY(load, store) store(y + k, load(x + k) * alpha);
        FLAT(low, high, BODY);
#undef BODY
    } else {
#define BODY(load, store) store(y + k, load(x + k) * alpha + load(y + k) * beta);
        FLAT(low, high, BODY);
#undef BODY
    }
}

INLINE float VARIANT(lanes_max)(vb v) {
    float m = v[0];
    for (int k = 1; k < BLOCK; k++) m = v[k] > m ? v[k] : m;
    return m;
}
INLINE float VARIANT(lanes_sum)(vb v) {
    float m[BLOCK];
    STORE(m, v);
    for (int width = BLOCK / 2; width >= 1; width /= 2)
        for (int k = 0; k < width; k++) m[k] += m[k + width];
    return m[0];
}

/// Rows [low, high) of a softmax along contiguous rows.
static void VARIANT(softmax_rows)(const float *x, float *y, int64_t axis, int64_t low, int64_t high) {
    for (int64_t row = low; row < high; row++) {
        const float *from = x + row * axis;
        float *to = y + row * axis;
        float top = from[0];
        for (int64_t k = 1; k < axis; k++) top = from[k] > top ? from[k] : top;
        vb sums = SPLAT(0);
        int64_t k = 0;
        for (; k + BLOCK <= axis; k += BLOCK) {
            vb e = VARIANT(exp)(LOAD(from + k) - top);
            STORE(to + k, e);
            sums += e;
        }
        float sum = VARIANT(lanes_sum)(sums);
        if (k < axis) {
            float lanes[BLOCK];
            STORE(lanes, VARIANT(exp)(VARIANT(load_some)(from + k, axis - k) - top));
            for (int64_t j = 0; j < axis - k; j++) {
                to[k + j] = lanes[j];
                sum += lanes[j];
            }
        }
        float scale = 1.0f / sum;
        for (int64_t j = 0; j < axis; j++) to[j] *= scale;
    }
}

/// Softmax along an axis that is not the last: vectors of `width` <= BLOCK adjacent columns.
static void VARIANT(softmax_columns)(const float *x, float *y, int64_t axis, int64_t inner, int64_t low, int64_t high) {
    int64_t columns = (inner + BLOCK - 1) / BLOCK;
    for (int64_t item = low; item < high; item++) {
        int64_t first = item % columns * BLOCK, width = inner - first < BLOCK ? inner - first : BLOCK;
        const float *from = x + item / columns * axis * inner + first;
        float *to = y + item / columns * axis * inner + first;
        vb top = VARIANT(load_some)(from, width), sum = SPLAT(0);
        for (int64_t k = 1; k < axis; k++) {
            vb v = VARIANT(load_some)(from + k * inner, width);
            top = SELECT(v > top, v, top);
        }
        for (int64_t k = 0; k < axis; k++) {
            vb e = VARIANT(exp)(VARIANT(load_some)(from + k * inner, width) - top);
            sum += e;
            VARIANT(store_some)(to + k * inner, e, width);
        }
        vb scale = 1.0f / sum;
        for (int64_t k = 0; k < axis; k++)
            VARIANT(store_some)(to + k * inner, VARIANT(load_some)(to + k * inner, width) * scale, width);
    }
}

#undef FLAT
#undef LOAD_REST
#undef STORE_REST
