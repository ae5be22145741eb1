// The loops of arithmetic.c for one variant (see variants.h). Plain loops, which the compiler vectorises.

static void VARIANT(affine)(const float *x, float scale, float shift, float *y, int64_t low, int64_t high) {
    for (int64_t k = low; k < high; k++) y[k] = x[k] * scale + shift;
}

static void VARIANT(clip)(const float *x, float least, float most, float *y, int64_t low, int64_t high) {
    for (int64_t k = low; k < high; k++) {
        float v = x[k] < least ? least : x[k];
        y[k] = v > most ? most : v;
    }
}

static void VARIANT(clip_backward)(const float *x, const float *dy, float least, float most, float *dx, int64_t low,
                                   int64_t high) {
    for (int64_t k = low; k < high; k++) dx[k] = x[k] > most || x[k] < least ? 0 : dy[k];
}

static void VARIANT(leaky)(const float *x, float slope, float *y, int64_t low, int64_t high) {
    for (int64_t k = low; k < high; k++) y[k] = x[k] > 0 ? x[k] : slope * x[k];
}

static void VARIANT(leaky_backward)(const float *x, const float *dy, float slope, float *dx, int64_t low, int64_t high) {
    for (int64_t k = low; k < high; k++) dx[k] = x[k] > 0 ? dy[k] : slope * dy[k];
}

static void VARIANT(multiply)(const float *a, const float *b, float *y, int64_t low, int64_t high) {
    for (int64_t k = low; k < high; k++) y[k] = a[k] * b[k];
}

static void VARIANT(dropout)(const float *x, const float *u, float keep, float *mask, float *y, int64_t low, int64_t high) {
    float scale = 1 / keep;
    for (int64_t k = low; k < high; k++) {
        float m = u[k] < keep ? scale : 0;
        mask[k] = m;
        y[k] = x[k] * m;
    }
}
