// The loops of lrn.c for one variant (see variants.h).
//
// A tile is CHANNELS channels and TILE positions of one sample. The values to sum over neighbouring channels are first
// written to rows[h + channel][position], h = nsize / 2 channels wider on both sides, so that the same code serves
// every layout.

/// x^-beta; a square root is faster than the power for the usual 0.75.
INLINE float VARIANT(inverse_power)(float x, float beta) {
    if (beta == 0.75f) {
        float root = __builtin_sqrtf(x);
        return 1 / (root * __builtin_sqrtf(root));
    }
    if (beta == 0.5f) return 1 / __builtin_sqrtf(x);
    return beta == 1 ? 1 / x : powf(x, -beta);
}

/// The tile at (sample i, channel j0, position k0) of pass `backward`.
static void VARIANT(tile)(const lrn_job *job, float *rows, int64_t i, int64_t j0, int64_t k0) {
    anneal_dims d = job->dims;
    int64_t h = job->reach, blocks = (d.c + d.b - 1) / d.b;
    int64_t channels = d.c - j0 < CHANNELS ? d.c - j0 : CHANNELS, width = d.s - k0 < TILE ? d.s - k0 : TILE;
    float beta = job->lrn.beta, scale = job->lrn.alpha / (float)job->lrn.nsize;
    for (int64_t r = 0; r < channels + 2 * h; r++) {
        int64_t j = j0 - h + r;
        float *row = rows + r * TILE;
        if (j < 0 || j >= d.c) {
            for (int64_t t = 0; t < TILE; t++) row[t] = 0;
            continue;
        }
        int64_t at = ((i * blocks + j / d.b) * d.s + k0) * d.b + j % d.b;
        if (job->backward)
            for (int64_t t = 0; t < width; t++, at += d.b) row[t] = job->dy[at] * job->y[at] / job->norm[at];
        else
            for (int64_t t = 0; t < width; t++, at += d.b) row[t] = job->x[at] * job->x[at];
        for (int64_t t = width; t < TILE; t++) row[t] = 0;
    }
    for (int64_t r = 0; r < channels; r++) {
        float sum[TILE] = {0};
        for (int64_t q = 0; q <= 2 * h; q++)
            for (int64_t t = 0; t < TILE; t++) sum[t] += rows[(r + q) * TILE + t];
        int64_t j = j0 + r, at = ((i * blocks + j / d.b) * d.s + k0) * d.b + j % d.b;
        if (job->backward) {
            for (int64_t t = 0; t < width; t++, at += d.b)
                job->out[at] = job->dy[at] * VARIANT(inverse_power)(job->norm[at], beta)
                               - 2 * scale * beta * job->x[at] * sum[t];
        } else {
            for (int64_t t = 0; t < width; t++, at += d.b) {
                float norm = job->lrn.knorm + scale * sum[t];
                if (job->saved) job->saved[at] = norm;
                job->out[at] = job->x[at] * VARIANT(inverse_power)(norm, beta);
            }
        }
    }
}
