// Pooling over the plain layout: a plane is one channel. Scalar, for tests and for graphs that stay plain.

static void plain_plane(const anneal_pooling *p, const float *x, float *y, int32_t *argmax) {
    int64_t out = 0;
    for (int64_t od = 0; od < p->out[0]; od++)
        for (int64_t oh = 0; oh < p->out[1]; oh++)
            for (int64_t ow = 0; ow < p->out[2]; ow++, out++) {
                int64_t d0, d1, h0, h1, w0, w1;
                pool_window(p, 0, od, &d0, &d1);
                pool_window(p, 1, oh, &h0, &h1);
                pool_window(p, 2, ow, &w0, &w1);
                float best = p->first_version ? pool_floor(p, od, oh, ow) : 0, sum = 0;
                int64_t at = -1;
                for (int64_t d = d0; d < d1; d++)
                    for (int64_t h = h0; h < h1; h++)
                        for (int64_t w = w0; w < w1; w++) {
                            int64_t index = (d * p->in[1] + h) * p->in[2] + w;
                            float v = x[index];
                            if (p->kind == ANNEAL_POOLING_MAX && p->first_version) {
                                // NaN stays NaN.
                                if (best < v || v != v) best = v;
                            } else if (p->kind == ANNEAL_POOLING_MAX) {
                                if (at < 0 || v > best) best = v, at = index;
                            } else if (p->kind == ANNEAL_POOLING_LP) {
                                sum += p->lp == 1 ? v : p->lp == 2 ? v * v : v * v * v;
                            } else {
                                sum += v;
                            }
                        }
                if (p->kind == ANNEAL_POOLING_MAX) {
                    sum = best;
                    if (argmax) argmax[out] = (int32_t)at;
                } else if (p->kind == ANNEAL_POOLING_AVG) {
                    int64_t cells = pool_cells(p, 0, od) * pool_cells(p, 1, oh) * pool_cells(p, 2, ow);
                    sum = cells > 0 ? sum / (float)cells : 0;
                } else if (p->kind == ANNEAL_POOLING_LP && p->lp > 1) {
                    sum = p->lp == 2 ? sqrtf(sum) : cbrtf(sum);
                }
                y[out] = sum;
            }
}

static void plain_plane_back(const anneal_pooling *p, const float *x, const float *y, const int32_t *argmax, const float *dy,
                             const float *add, float *dx) {
    int64_t in = p->in[0] * p->in[1] * p->in[2], out = 0;
    for (int64_t k = 0; k < in; k++) dx[k] = add ? add[k] : 0;
    for (int64_t od = 0; od < p->out[0]; od++)
        for (int64_t oh = 0; oh < p->out[1]; oh++)
            for (int64_t ow = 0; ow < p->out[2]; ow++, out++) {
                float g = dy[out];
                if (p->kind == ANNEAL_POOLING_MAX && !p->first_version) {
                    if (argmax[out] >= 0) dx[argmax[out]] += g;
                    continue;
                }
                if (p->kind == ANNEAL_POOLING_AVG)
                    g /= (float)(pool_cells(p, 0, od) * pool_cells(p, 1, oh) * pool_cells(p, 2, ow));
                int64_t d0, d1, h0, h1, w0, w1;
                pool_window(p, 0, od, &d0, &d1);
                pool_window(p, 1, oh, &h0, &h1);
                pool_window(p, 2, ow, &w0, &w1);
                for (int64_t d = d0; d < d1; d++)
                    for (int64_t h = h0; h < h1; h++)
                        for (int64_t w = w0; w < w1; w++) {
                            int64_t index = (d * p->in[1] + h) * p->in[2] + w;
                            if (p->kind == ANNEAL_POOLING_MAX) {
                                if (x[index] == y[out]) dx[index] += g;
                            } else if (p->kind == ANNEAL_POOLING_LP && p->lp > 1) {
                                float ratio = y[out] == 0 ? 0 : x[index] / y[out];
                                dx[index] += g * (p->lp == 2 ? ratio : ratio * ratio);
                            } else {
                                dx[index] += g;
                            }
                        }
            }
}
