#include "anneal_batchnorm.h"

#include <stddef.h>
#include <string.h>

#include "anneal_dispatch.h"
#include "batchnorm_range.h"
#include "share.h"

#define VARIANT_SOURCE "batchnorm_kernels.h"
#include "variants.h"

#define PLAIN(name) name##_plain_portable
#include "batchnorm_plain.h"
#undef PLAIN
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define PLAIN(name) name##_plain_avx2
#include "batchnorm_plain.h"
#undef PLAIN
#pragma clang attribute pop
#define BATCHNORM_TABLE(name)                                                    \
    {{name##_8_portable, name##_16_portable, name##_plain_portable},             \
     {name##_8_avx2, name##_16_avx2, name##_plain_avx2},                         \
     {name##_8_avx512, name##_16_avx512, name##_plain_avx2}}
#else
#define BATCHNORM_TABLE(name) {{name##_8_portable, name##_16_portable, name##_plain_portable}}
#endif

typedef void statistics_fn(const float *, const batchnorm_range *, float *, float *);
typedef void apply_fn(const float *, const float *, float *, const batchnorm_coefficients *, int, int,
                      const batchnorm_range *);
typedef void sums_fn(const float *, const float *, const float *, const float *, float *, const batchnorm_coefficients *,
                     int, const batchnorm_range *, float *, float *);
typedef void gradient_fn(const float *, const float *, const float *, const float *, float *, const batchnorm_coefficients *,
                         int, int, const batchnorm_range *);
static statistics_fn *const statistics_table[][3] = BATCHNORM_TABLE(batchnorm_statistics);
static apply_fn *const apply_table[][3] = BATCHNORM_TABLE(batchnorm_apply);
static sums_fn *const sums_table[][3] = BATCHNORM_TABLE(batchnorm_sums);
static gradient_fn *const gradient_table[][3] = BATCHNORM_TABLE(batchnorm_gradient);

typedef struct {
    anneal_dims d;
    int64_t blocks, padded;
    int variant, layout;  ///< indices of the tables
    const float *x, *y, *dy, *dy2, *addend, *gamma, *beta, *mean_in, *var_in;
    float *out, *mean, *var, *dmasked, *dgamma, *dbeta, *scratch;
    float eps;
    int relu;
    int fixed;   ///< backward: the statistics are constants
    int sums;    ///< backward: the sums are requested
    int64_t pieces; ///< slices of the batch that are summed separately
    int waits;      ///< threads share a block's pieces: nothing can run after the sums before all are complete
} batchnorm_job;

static batchnorm_job new_job(anneal_dims d) {
    batchnorm_job job = {0};
    // With one position, plain rows of whole vectors have the same form as blocks.
    if (d.b == 1 && d.s == 1 && d.c % 8 == 0) d.b = 8;
    job.d = d;
    job.blocks = (d.c + d.b - 1) / d.b;
    job.padded = job.blocks * d.b;
    // More are only useful if there are few blocks.
    int64_t most = job.blocks > 0 ? 64 / job.blocks : 1;
    job.pieces = anneal_pieces(d.n * d.s / 2, smaller(d.n, most), 2 * job.padded);
    job.variant = anneal_variant();
    job.layout = d.b == 8 ? 0 : d.b == 16 ? 1 : 2;
    return job;
}

int64_t anneal_batchnorm_scratch(anneal_dims d) {
    batchnorm_job job = new_job(d);
    return 2 * job.padded * job.pieces;
}

/// Blocks to process together: runs of some KB in each sample (measured: 8 KB is best or nearly so at every size;
/// shorter runs outpace the prefetcher, and longer ones exceed the second-level cache).
static int64_t group_size(const batchnorm_job *job) {
    int64_t bytes = job->d.s * job->d.b * (int64_t)sizeof(float), group = 8192 / bytes;
    return group < 1 ? 1 : group > BATCHNORM_GROUP ? BATCHNORM_GROUP : group;
}

/// Results that will not stay in any cache until they are read bypass it: their lines need not be read before they are
/// written.
static int streams(const batchnorm_job *job) {
    return anneal_elements(job->d) * (int64_t)sizeof(float) >= BATCHNORM_STREAMED && (uintptr_t)job->out % 64 == 0 &&
           job->out != job->x && job->out != job->dy && job->out != job->addend;
}

static inline int64_t valid_lanes(const batchnorm_job *job, const batchnorm_range *r) {
    int64_t first = r->first * job->d.b, lanes = r->count * job->d.b;
    return job->d.c - first < lanes ? job->d.c - first : lanes;
}

/// `mean` and `var` belong to the range; they may be longer than the valid part.
static void prepare(const batchnorm_job *job, const batchnorm_range *r, const float *mean, const float *var,
                    batchnorm_coefficients *c, float *inverse) {
    int64_t first = r->first * job->d.b, valid = valid_lanes(job, r), lanes = r->count * job->d.b;
    int64_t rounded = (lanes + 7) / 8 * 8;
    for (int64_t k = 0; k < rounded; k++) inverse[k] = k < valid ? var[k] + job->eps : 1;
    for (int64_t k = 0; k < rounded; k += 8)
        *(v8u *)(inverse + k) = 1.0f / __builtin_elementwise_sqrt((v8)(*(v8u *)(inverse + k)));
    for (int64_t k = 0; k < valid; k++) {
        c->mean[k] = mean[k];
        c->scale[k] = job->gamma ? job->gamma[first + k] * inverse[k] : inverse[k];
        c->beta[k] = job->beta ? job->beta[first + k] : 0;
        c->a[k] = c->b[k] = 0;
    }
    for (int64_t k = valid; k < lanes; k++) c->mean[k] = c->scale[k] = c->beta[k] = c->a[k] = c->b[k] = 0;
}

static inline float *piece_sums(const batchnorm_job *job, int64_t piece, int which, int64_t lane) {
    return job->scratch + (piece * 2 + which) * job->padded + lane;
}

/// The range's blocks in the samples of one piece.
static batchnorm_range piece_range(const batchnorm_job *job, const batchnorm_range *r, int64_t piece) {
    batchnorm_range range = *r;
    anneal_bounds(job->d.n, 1, piece, job->pieces, &range.n0, &range.n1);
    return range;
}

/// The part's share of the blocks and pieces.
static anneal_share share_of(const batchnorm_job *job, int part, int parts) {
    return anneal_divide(job->blocks, job->pieces, job->pieces, part, parts);
}

/// The first sample of a piece, or the end of the one before.
static int64_t first_sample(const batchnorm_job *job, int64_t piece) {
    int64_t low, high;
    anneal_bounds(job->d.n, 1, piece, job->pieces, &low, &high);
    return piece < job->pieces ? low : job->d.n;
}

/// The body that follows runs for each group of the part's blocks, with `range` over the samples [from, to).
#define FOR_GROUPS(share, range, job, from, to)                                                                   \
    batchnorm_range range = {job->blocks, job->d.s, 0, 0, from, to};                                              \
    int64_t group = group_size(job);                                                                              \
    for (range.first = share.c0;                                                                                  \
         range.count = share.c1 - range.first < group ? share.c1 - range.first : group, range.first < share.c1;   \
         range.first += range.count)

// MARK: forward

static void normalise(const batchnorm_job *job, const batchnorm_range *r, const float *mean, const float *var) {
    batchnorm_coefficients c;
    float inverse[BATCHNORM_LANES];
    prepare(job, r, mean, var, &c, inverse);
    apply_table[job->variant][job->layout](job->x, job->addend, job->out, &c, job->relu, streams(job), r);
    anneal_stream_end();
}

static void publish(const batchnorm_job *job, const batchnorm_range *r, const float *mean, const float *var) {
    size_t bytes = sizeof(float) * (size_t)valid_lanes(job, r);
    memcpy(job->mean + r->first * job->d.b, mean, bytes);
    memcpy(job->var + r->first * job->d.b, var, bytes);
}

/// Combines the pieces' moments, in the order of the pieces.
static void merge_moments(const batchnorm_job *job, const batchnorm_range *r, float *mean, float *var) {
    int64_t first = r->first * job->d.b, lanes = r->count * job->d.b;
    float before = 0;
    for (int64_t p = 0; p < job->pieces; p++) {
        int64_t n0, n1;
        anneal_bounds(job->d.n, 1, p, job->pieces, &n0, &n1);
        const float *m = piece_sums(job, p, 0, first), *q = piece_sums(job, p, 1, first);
        float count = (float)((n1 - n0) * job->d.s), total = before + count, weight = count / total;
        for (int64_t k = 0; k < lanes; k++) {
            float delta = p == 0 ? 0 : m[k] - mean[k];
            mean[k] = p == 0 ? m[k] : mean[k] + delta * weight;
            var[k] = p == 0 ? q[k] : var[k] + q[k] + delta * delta * (before * weight);
        }
        before = total;
    }
    for (int64_t k = 0; k < lanes; k++) var[k] /= before;
}

static void statistics_body(void *context, int part, int parts) {
    batchnorm_job *job = context;
    anneal_share share = share_of(job, part, parts);
    if (part == 0) job->waits = share.pieces > 1;
    FOR_GROUPS(share, r, job, first_sample(job, share.n0), first_sample(job, share.n1)) {
        float mean[BATCHNORM_LANES], var[BATCHNORM_LANES];
        int64_t first = r.first * job->d.b;
        size_t bytes = sizeof(float) * (size_t)(r.count * job->d.b);
        for (int64_t p = share.n0; p < share.n1; p++) {
            batchnorm_range piece = piece_range(job, &r, p);
            statistics_table[job->variant][job->layout](job->x, &piece, mean, var);
            memcpy(piece_sums(job, p, 0, first), mean, bytes);
            memcpy(piece_sums(job, p, 1, first), var, bytes);
        }
        if (share.pieces > 1) continue;
        merge_moments(job, &r, mean, var);
        publish(job, &r, mean, var);
        if (job->out) normalise(job, &r, mean, var);
    }
}

static void merge_body(void *context, int part, int parts) {
    const batchnorm_job *job = context;
    anneal_share share = share_of(job, part, parts);
    FOR_GROUPS(share, r, job, first_sample(job, share.n0), first_sample(job, share.n1)) {
        float mean[BATCHNORM_LANES], var[BATCHNORM_LANES];
        merge_moments(job, &r, mean, var);
        if (share.piece == 0) publish(job, &r, mean, var);
        if (job->out) normalise(job, &r, mean, var);
    }
}

static void forward(batchnorm_job *job) {
    int64_t elements = anneal_elements(job->d);
    if (elements == 0) return;
    anneal_run_parts(elements, statistics_body, job);
    if (!job->waits) return;
    if (job->out)
        anneal_run_parts(elements, merge_body, job);
    else
        merge_body(job, 0, 1);
}

void anneal_batchnorm_statistics(const float *x, float *mean, float *var, float *scratch, anneal_dims dims) {
    batchnorm_job job = new_job(dims);
    job.x = x, job.mean = mean, job.var = var, job.scratch = scratch;
    forward(&job);
}

void anneal_batchnorm_forward(const float *x, const float *addend, float *y, float *mean, float *var, const float *gamma,
                              const float *beta, float eps, int relu, float *scratch, anneal_dims dims) {
    batchnorm_job job = new_job(dims);
    job.x = x, job.addend = addend, job.out = y, job.mean = mean, job.var = var, job.gamma = gamma, job.beta = beta;
    job.eps = eps, job.relu = relu, job.scratch = scratch;
    forward(&job);
}

static void apply_body(void *context, int part, int parts) {
    batchnorm_job *job = context;
    anneal_share share = anneal_divide(job->blocks, job->d.n, 64, part, parts);
    FOR_GROUPS(share, r, job, share.n0, share.n1)
        normalise(job, &r, job->mean_in + r.first * job->d.b, job->var_in + r.first * job->d.b);
}

void anneal_batchnorm_apply(const float *x, const float *addend, float *y, const float *mean, const float *var,
                            const float *gamma, const float *beta, float eps, int relu, anneal_dims dims) {
    batchnorm_job job = new_job(dims);
    job.x = x, job.addend = addend, job.out = y, job.mean_in = mean, job.var_in = var, job.gamma = gamma;
    job.beta = beta, job.eps = eps, job.relu = relu;
    anneal_run_parts(anneal_elements(dims), apply_body, &job);
}

// MARK: backward

/// Once the range's sums are known: the gradients of the parameters (if `store` is set) and of the data.
static void finish(const batchnorm_job *job, const batchnorm_range *r, batchnorm_coefficients *c, const float *inverse,
                   const float *sum_g, const float *sum_gd, int store) {
    int64_t first = r->first * job->d.b, valid = valid_lanes(job, r);
    float scale = 1.0f / (float)(job->d.n * job->d.s);
    if (store && job->dgamma)
        for (int64_t k = 0; k < valid; k++) job->dgamma[first + k] = sum_gd[k] * inverse[k];
    if (store && job->dbeta)
        for (int64_t k = 0; k < valid; k++) job->dbeta[first + k] = sum_g[k];
    if (!job->out) return;
    if (!job->fixed)
        for (int64_t k = 0; k < valid; k++) {
            c->a[k] = -c->scale[k] * (inverse[k] * inverse[k]) * (sum_gd[k] * scale);
            c->b[k] = -c->scale[k] * (sum_g[k] * scale);
        }
    const float *dy = job->dmasked ? job->dmasked : job->dy;
    gradient_table[job->variant][job->layout](job->x, job->y, dy, job->addend, job->out, c,
                                              job->dmasked ? 0 : job->relu, streams(job), r);
    anneal_stream_end();
}

/// Combines the pieces' sums, in the order of the pieces.
static void merge_sums(const batchnorm_job *job, const batchnorm_range *r, float *sum_g, float *sum_gd) {
    int64_t first = r->first * job->d.b, lanes = r->count * job->d.b;
    for (int64_t k = 0; k < lanes; k++) sum_g[k] = sum_gd[k] = 0;
    for (int64_t p = 0; p < job->pieces; p++) {
        const float *g = piece_sums(job, p, 0, first), *gd = piece_sums(job, p, 1, first);
        for (int64_t k = 0; k < lanes; k++) sum_g[k] += g[k], sum_gd[k] += gd[k];
    }
}

static void backward_body(void *context, int part, int parts) {
    batchnorm_job *job = context;
    anneal_share share = share_of(job, part, parts);
    if (part == 0) job->waits = share.pieces > 1 && job->sums;
    FOR_GROUPS(share, r, job, first_sample(job, share.n0), first_sample(job, share.n1)) {
        batchnorm_coefficients c;
        float inverse[BATCHNORM_LANES], sum_g[BATCHNORM_LANES], sum_gd[BATCHNORM_LANES];
        int64_t first = r.first * job->d.b;
        size_t bytes = sizeof(float) * (size_t)(r.count * job->d.b);
        prepare(job, &r, job->mean_in + first, job->var_in + first, &c, inverse);
        for (int64_t p = share.n0; job->sums && p < share.n1; p++) {
            batchnorm_range piece = piece_range(job, &r, p);
            sums_table[job->variant][job->layout](job->x, job->y, job->dy, job->dy2, job->dmasked, &c, job->relu, &piece,
                                                  sum_g, sum_gd);
            memcpy(piece_sums(job, p, 0, first), sum_g, bytes);
            memcpy(piece_sums(job, p, 1, first), sum_gd, bytes);
        }
        if (share.pieces > 1 && job->sums) continue;
        if (job->sums) merge_sums(job, &r, sum_g, sum_gd);
        finish(job, &r, &c, inverse, sum_g, sum_gd, job->sums);
    }
}

static void finish_body(void *context, int part, int parts) {
    const batchnorm_job *job = context;
    anneal_share share = share_of(job, part, parts);
    FOR_GROUPS(share, r, job, first_sample(job, share.n0), first_sample(job, share.n1)) {
        batchnorm_coefficients c;
        float inverse[BATCHNORM_LANES], sum_g[BATCHNORM_LANES], sum_gd[BATCHNORM_LANES];
        int64_t first = r.first * job->d.b;
        prepare(job, &r, job->mean_in + first, job->var_in + first, &c, inverse);
        merge_sums(job, &r, sum_g, sum_gd);
        finish(job, &r, &c, inverse, sum_g, sum_gd, share.piece == 0);
    }
}

static void backward(batchnorm_job *job) {
    int64_t elements = anneal_elements(job->d);
    if (elements == 0 || (!job->sums && !job->out)) return;
    anneal_run_parts(elements, backward_body, job);
    if (!job->waits) return;
    if (job->out)
        anneal_run_parts(elements, finish_body, job);
    else
        finish_body(job, 0, 1);
}

void anneal_batchnorm_backward(const float *x, const float *y, const float *dy, const float *dy2, const float *mean,
                               const float *var, const float *gamma, const float *beta, float eps, int relu,
                               const float *accumulate, float *dx, float *dmasked, float *dgamma, float *dbeta,
                               float *scratch, anneal_dims dims) {
    batchnorm_job job = new_job(dims);
    job.x = x, job.y = y, job.dy = dy, job.dy2 = dy2, job.mean_in = mean, job.var_in = var;
    job.gamma = gamma, job.beta = beta, job.eps = eps, job.relu = relu, job.addend = accumulate;
    job.out = dx, job.dmasked = dmasked;
    job.dgamma = dgamma, job.dbeta = dbeta, job.scratch = scratch, job.sums = 1;
    backward(&job);
}

void anneal_batchnorm_backward_global(const float *x, const float *y, const float *dy, const float *dy2,
                                      const float *mean, const float *var, const float *gamma, const float *beta,
                                      float eps, int relu, const float *accumulate, float *dx, float *dmasked,
                                      float *dgamma, float *dbeta, float *scratch, anneal_dims dims) {
    batchnorm_job job = new_job(dims);
    job.x = x, job.y = y, job.dy = dy, job.dy2 = dy2, job.mean_in = mean, job.var_in = var;
    job.gamma = gamma, job.beta = beta, job.eps = eps, job.relu = relu, job.addend = accumulate;
    job.out = dx, job.dmasked = dmasked;
    job.dgamma = dgamma, job.dbeta = dbeta, job.scratch = scratch, job.fixed = 1;
    job.sums = dgamma || dbeta || dmasked;
    backward(&job);
}
