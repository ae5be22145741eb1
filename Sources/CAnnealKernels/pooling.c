#include "anneal_pooling.h"

#include <math.h>

#include "anneal_dispatch.h"
#include "share.h"

enum { POOL_TABLE = 256 };

/// The cells of window `o` along an axis.
static inline void pool_window(const anneal_pooling *p, int axis, int64_t o, int64_t *low, int64_t *high) {
    int64_t start = o * p->stride[axis] - p->pad[axis], end = start + p->kernel[axis];
    *low = start > 0 ? start : 0;
    *high = end < p->in[axis] ? end : p->in[axis];
}

/// The part of window `o` along an axis that lies in the padded data.
static inline int64_t pool_span(const anneal_pooling *p, int axis, int64_t o) {
    int64_t start = o * p->stride[axis] - p->pad[axis], end = start + p->kernel[axis];
    int64_t limit = p->in[axis] + p->pad[axis];
    if (end > limit) end = limit;
    return end > start ? end - start : 0;
}

/// The initial value of a maximum in the first version: zero if the window overlaps the padding.
static inline float pool_floor(const anneal_pooling *p, int64_t od, int64_t oh, int64_t ow) {
    int64_t at[3] = {od, oh, ow}, padded = 1, inside = 1, low, high;
    for (int axis = 0; axis < 3; axis++) {
        pool_window(p, axis, at[axis], &low, &high);
        padded *= pool_span(p, axis, at[axis]);
        inside *= high > low ? high - low : 0;
    }
    return padded > inside ? 0 : -INFINITY;
}

/// What the axis contributes to an average's divisor.
static inline int64_t pool_cells(const anneal_pooling *p, int axis, int64_t o) {
    if (p->first_version) return p->kernel[axis];
    int64_t start = o * p->stride[axis] - p->pad[axis], end = start + p->kernel[axis];
    int64_t limit = p->in[axis] + (p->count_include_pad ? p->pad[axis] : 0);
    if (end > limit) end = limit;
    if (!p->count_include_pad && start < 0) start = 0;
    return end > start ? end - start : 0;
}

/// The windows that contain cell `x` of an axis.
static inline void pool_holders(const anneal_pooling *p, int axis, int64_t x, int64_t *low, int64_t *high) {
    // 32-bit division is several times faster, and no axis is longer.
    uint32_t stride = (uint32_t)p->stride[axis], shifted = (uint32_t)(x + p->pad[axis]), kernel = (uint32_t)p->kernel[axis];
    int64_t last = shifted / stride + 1;
    *low = shifted < kernel ? 0 : (shifted - kernel) / stride + 1;
    *high = last < p->out[axis] ? last : p->out[axis];
}

static inline int pool_is_whole(const anneal_pooling *p) {
    for (int axis = 0; axis < 3; axis++)
        if (p->out[axis] != 1 || p->pad[axis] != 0 || p->kernel[axis] < p->in[axis]) return 0;
    return 1;
}

static inline int pool_is_22(const anneal_pooling *p) {
    return p->in[0] == 1 && p->out[0] == 1 && p->kernel[1] == 2 && p->kernel[2] == 2 && p->stride[1] == 2 &&
           p->stride[2] == 2 && p->pad[0] == 0 && p->pad[1] == 0 && p->pad[2] == 0 && p->out[1] * 2 <= p->in[1] &&
           p->out[2] * 2 <= p->in[2] && !p->first_version;
}

#define VARIANT_SOURCE "pooling_kernels.h"
#include "variants.h"

#include "pooling_plain.h"

typedef void planes_fn(const anneal_pooling *, const float *, float *, int32_t *, int64_t, int64_t);
typedef void back_fn(const anneal_pooling *, const float *, const float *, const int32_t *, const float *, const float *,
                     float *, int64_t, int64_t);
static planes_fn *const planes_table[][2] = VARIANT_TABLE(pool_planes);
static back_fn *const back_table[][2] = VARIANT_TABLE(pool_planes_back);

typedef struct {
    const anneal_pooling *pool;
    const float *x, *y, *dy, *add;
    float *out;
    int32_t *argmax;
    int64_t planes, in, outs;
} pool_job;

static pool_job new_job(const anneal_pooling *p) {
    return (pool_job){.pool = p,
                      .planes = p->n * ((p->c + p->b - 1) / p->b),
                      .in = p->in[0] * p->in[1] * p->in[2],
                      .outs = p->out[0] * p->out[1] * p->out[2]};
}

static void forward_body(void *context, int part, int parts) {
    pool_job *job = context;
    const anneal_pooling *p = job->pool;
    int64_t low, high;
    anneal_bounds(job->planes, 1, part, parts, &low, &high);
    if (p->b > 1) {
        planes_table[anneal_variant()][p->b == 16](p, job->x, job->out, job->argmax, low, high);
        return;
    }
    for (int64_t plane = low; plane < high; plane++)
        plain_plane(p, job->x + plane * job->in, job->out + plane * job->outs,
                    job->argmax ? job->argmax + plane * job->outs : 0);
}

void anneal_pooling_forward(const anneal_pooling *pool, const float *x, float *y, int32_t *argmax) {
    pool_job job = new_job(pool);
    job.x = x, job.out = y, job.argmax = argmax;
    anneal_run_parts(job.planes * job.in * pool->b, forward_body, &job);
}

static void backward_body(void *context, int part, int parts) {
    pool_job *job = context;
    const anneal_pooling *p = job->pool;
    int64_t low, high;
    anneal_bounds(job->planes, 1, part, parts, &low, &high);
    if (p->b > 1) {
        back_table[anneal_variant()][p->b == 16](p, job->x, job->y, job->argmax, job->dy, job->add, job->out, low, high);
        return;
    }
    for (int64_t plane = low; plane < high; plane++) {
        int64_t in = plane * job->in, out = plane * job->outs;
        plain_plane_back(p, job->x ? job->x + in : 0, job->y ? job->y + out : 0, job->argmax ? job->argmax + out : 0,
                         job->dy + out, job->add ? job->add + in : 0, job->out + in);
    }
}

void anneal_pooling_backward(const anneal_pooling *pool, const float *x, const float *y, const int32_t *argmax,
                             const float *dy, const float *accumulate, float *dx) {
    pool_job job = new_job(pool);
    job.x = x, job.y = y, job.argmax = (int32_t *)argmax, job.dy = dy, job.add = accumulate, job.out = dx;
    anneal_run_parts(job.planes * job.in * pool->b, backward_body, &job);
}
