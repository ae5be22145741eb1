#include "anneal_groupconv.h"

#include <stddef.h>
#include <string.h>

#include "anneal_dispatch.h"
#include "groupconv_pass.h"
#include "groupconv_plan.h"
#include "share.h"
#include "transpose.h"

#define VARIANT_SOURCE "groupconv_kernels.h"
#include "variants.h"

typedef void samples_fn(const groupconv_pass *, const float *, float *, const float *, const float *, int64_t);
typedef void outer_fn(const groupconv_pass *, const float *, const float *, float *, const groupconv_nest *);
typedef void outer3_fn(const groupconv_pass *, const float *, const float *, float *, int64_t, const groupconv_nest *);
typedef void bias_fn(const float *, int64_t, int64_t, int64_t, float *);
typedef int64_t tile_fn(const groupconv_pass *);
typedef void clip_fn(float *, int64_t, float, float);
static samples_fn *const samples_table[][2] = VARIANT_TABLE(groupconv_samples);
static outer_fn *const outer_table[][2] = VARIANT_TABLE(groupconv_outer);
static outer3_fn *const outer3_table[][2] = VARIANT_TABLE(groupconv_outer3);
static bias_fn *const bias_table[][2] = VARIANT_TABLE(sum_samples);
static tile_fn *const tile_table[][2] = VARIANT_TABLE(groupconv_tile);
static clip_fn *const clip_table[][2] = VARIANT_TABLE(groupconv_clip);

enum {
    GATHERED = 6144 ///< floats of some samples' x and dy: most of the first-level cache
};

int anneal_groupconv_supported(const anneal_conv *c) {
    if (c->b != 8 && c->b != 16) return 0;
    if (c->n < 1 || c->groups < 1 || c->ih < 1 || c->iw < 1 || c->oh < 1 || c->ow < 1) return 0;
    if (c->kh < 1 || c->kw < 1 || c->sh < 1 || c->sw < 1 || c->dh < 1 || c->dw < 1 || c->ph < 0 || c->pw < 0) return 0;
    if (c->ic < c->b || c->oc < c->b) {
        if (c->ic != c->oc || (c->ic != 1 && c->ic != 2 && c->ic != 4 && c->ic != 8)) return 0;
        if (c->groups * c->ic % c->b) return 0;
    } else if (c->ic % c->b || c->oc % c->b) {
        return 0;
    }
    if (c->kh > GROUPCONV_MAX_KERNEL || c->kw > GROUPCONV_MAX_KERNEL) return 0;
    int64_t widest = c->ic > c->oc ? c->ic : c->oc;
    if (c->kh * c->kw * widest * c->b * 2 > GROUPCONV_MAX_WEIGHTS && widest > c->b) return 0;
    // Offsets within an image have 32 bits.
    if (c->ih * c->iw * c->b > INT32_MAX || c->oh * c->ow * c->b > INT32_MAX) return 0;
    return groupconv_run_bound(c->ow, c->kw, 1) <= GROUPCONV_MAX_RUNS && groupconv_run_bound(c->iw, c->kw,
        c->sw) <= GROUPCONV_MAX_RUNS && groupconv_run_bound(c->oh, c->kh, 1) <= GROUPCONV_MAX_RUNS &&
        groupconv_run_bound(c->ih, c->kh, c->sh) <= GROUPCONV_MAX_RUNS;
}

/// The number of pieces of the batch in the weights' gradient, if there are too few units for many threads.
static int64_t pieces_of(const anneal_conv *c) {
    return anneal_pieces(c->n * c->oh * c->ow, smaller(c->n, 32 / groupconv_units(c)),
                         anneal_conv_weights(c) + c->groups * c->oc);
}

int64_t anneal_groupconv_scratch(const anneal_conv *c, anneal_pass pass) {
    if (pass != ANNEAL_BACKWARD_WEIGHTS) return 0;
    return pieces_of(c) * (anneal_conv_weights(c) + c->groups * c->oc);
}

// MARK: forward and the data's gradient

typedef struct {
    const anneal_conv *conv;
    const groupconv_pass *pass;
    const float *x, *w, *bias, *dy;
    float *y, *dw, *dbias, *scratch;
    const anneal_post *post;
    int64_t pieces; ///< of the batch, for the weights' gradient
} conv_job;

static inline int64_t work(const anneal_conv *c) {
    return c->n * (c->ih * c->iw + c->oh * c->ow) * c->groups * (c->ic > c->oc ? c->ic : c->oc);
}

/// The number of samples that are processed together.
static inline int64_t grain_of(const groupconv_pass *pass) { return pass->batched ? pass->tile : 1; }

static void forward_body(void *context, int part, int parts) {
    const conv_job *job = context;
    const anneal_conv *c = job->conv;
    const groupconv_pass *pass = job->pass;
    int64_t grain = grain_of(pass), grains = (c->n + grain - 1) / grain;
    anneal_share share = anneal_divide(groupconv_units(c), grains, grains, part, parts);
    samples_fn *samples = samples_table[anneal_variant()][c->b == 16];
    int clips = job->post && job->post->clip;
    for (int64_t u = share.c0; u < share.c1; u++)
        for (int64_t t = share.n0; t < share.n1; t++) {
            int64_t i = t * grain, count = smaller(c->n - i, grain);
            float *y = job->y + i * pass->y_image + u * pass->out_blocks * pass->y_block;
            samples(pass, job->x + i * pass->x_image + u * pass->in_blocks * pass->x_block, y,
                    job->w + u * groupconv_unit_weights(c), job->bias ? job->bias + u * pass->out_blocks * c->b : NULL,
                    count);
            // While the unit is in the cache.
            for (int64_t k = 0; clips && k < count; k++)
                clip_table[anneal_variant()][c->b == 16](y + k * pass->y_image, pass->out_blocks * pass->y_block,
                                                         job->post->low, job->post->high);
        }
}

void anneal_groupconv_forward(const anneal_conv *c, const float *x, const float *w, const float *bias,
                              const anneal_post *post, float *y) {
    groupconv_pass pass;
    groupconv_plan(&pass, c, 0);
    pass.tile = tile_table[anneal_variant()][c->b == 16](&pass);
    conv_job job = {.conv = c, .pass = &pass, .x = x, .w = w, .bias = bias, .y = y, .post = post};
    anneal_run_parts(work(c), forward_body, &job);
}

/// The taps that overlap the image anywhere: with small images only a few of a kernel's do.
static void mark_taps(const anneal_conv *c, const groupconv_pass *pass, uint8_t *used) {
    memset(used, 0, (size_t)(c->kh * c->kw));
    for (int h = 0; h < pass->runs_h; h++)
        for (int a = 0; a < pass->run_h[h].taps; a++)
            for (int w = 0; w < pass->runs_w; w++)
                for (int t = 0; t < pass->run_w[w].taps; t++)
                    used[pass->run_h[h].k[a] * c->kw + pass->run_w[w].k[t]] = 1;
}

/// A unit's weights with inputs and outputs exchanged, for `blocks` input blocks from `first`.
static void transpose_unit(const anneal_conv *c, const uint8_t *used, const float *w, float *transposed, int64_t first,
                           int64_t blocks) {
    int64_t lanes = groupconv_shared_lanes(c), taps = c->kh * c->kw, b = c->b;
    if (lanes) {
        for (int64_t t = 0; t < taps; t++)
            for (int64_t j = 0; j < lanes; j++)
                for (int64_t l = 0; l < b; l++)
                    transposed[(t * lanes + j) * b + l] = w[(t * lanes + l % lanes) * b + l / lanes * lanes + j];
        return;
    }
    for (int64_t block = 0; block < blocks; block++)
        for (int64_t t = 0; t < taps; t++)
            for (int64_t o = 0; used[t] && o < c->oc; o += 8)
                for (int64_t l = 0; l < b; l += 8)
                    transpose8(w + ((o / b * taps + t) * c->ic + (first + block) * b + l) * b + o % b, b,
                               transposed + ((block * taps + t) * c->oc + o) * b + l, b);
}

static void backward_data_body(void *context, int part, int parts) {
    const conv_job *job = context;
    const anneal_conv *c = job->conv;
    groupconv_pass pass = *job->pass;
    int64_t grain = grain_of(&pass), grains = (c->n + grain - 1) / grain, blocks = pass.out_blocks;
    anneal_share share = anneal_divide(groupconv_units(c), grains, grains, part, parts);
    samples_fn *samples = samples_table[anneal_variant()][c->b == 16];
    uint8_t used[GROUPCONV_MAX_TAPS];
    mark_taps(c, &pass, used);
    float transposed[GROUPCONV_MAX_WEIGHTS] __attribute__((aligned(64)));
    // As many blocks of dx at once as fit; two are enough for the tiles.
    int64_t room = GROUPCONV_MAX_WEIGHTS / (c->kh * c->kw * (pass.lanes ? pass.lanes : c->oc) * c->b) & ~(int64_t)1;
    if (room < 1) room = 1;
    for (int64_t u = share.c0; u < share.c1; u++)
        for (int64_t first = 0; first < blocks; first += room) {
            pass.out_blocks = blocks - first < room ? blocks - first : room;
            transpose_unit(c, used, job->w + u * groupconv_unit_weights(c), transposed, first, pass.out_blocks);
            for (int64_t t = share.n0; t < share.n1; t++) {
                int64_t i = t * grain, count = smaller(c->n - i, grain);
                samples(&pass, job->x + i * pass.x_image + u * pass.in_blocks * pass.x_block,
                        job->y + i * pass.y_image + (u * blocks + first) * pass.y_block, transposed, NULL, count);
            }
        }
}

void anneal_groupconv_backward_data(const anneal_conv *c, const float *dy, const float *w, float *dx) {
    groupconv_pass pass;
    groupconv_plan(&pass, c, 1);
    pass.tile = tile_table[anneal_variant()][c->b == 16](&pass);
    conv_job job = {.conv = c, .pass = &pass, .x = dy, .w = w, .y = dx};
    anneal_run_parts(work(c), backward_data_body, &job);
}

// MARK: the weights' gradient

/// The positions [*low, *high) of an axis whose tap k is inside the image, and the first one's source.
static void tap_range(const groupconv_axis *axis, int64_t k, int64_t *low, int64_t *high, int64_t *source) {
    int64_t reach = k * axis->dilation - axis->pad; // source = o * stride + reach
    int64_t l = reach < 0 ? (-reach + axis->stride - 1) / axis->stride : 0;
    int64_t h = axis->in - 1 - reach < 0 ? 0 : (axis->in - 1 - reach) / axis->stride + 1;
    *low = l, *high = h < axis->out ? h : axis->out;
    *source = l * axis->stride + reach;
}

static void nest_swap(groupconv_nest *nest, int a, int b) {
    groupconv_nest old = *nest;
    nest->count[a] = old.count[b], nest->x[a] = old.x[b], nest->y[a] = old.y[b];
    nest->count[b] = old.count[a], nest->x[b] = old.x[a], nest->y[b] = old.y[a];
}

/// Some samples of one unit, with strides x_image and y_image.
typedef struct {
    const float *x, *dy;
    int64_t x_image, y_image, count;
} groupconv_samples_of;

/// One tap for the columns [w0, w1) of the rows [h0, h1); hs and ws are the first position's source. three: also the
/// next two taps of the kernel's row.
static void outer_tap(const conv_job *job, const groupconv_samples_of *of, float *dw, int64_t tap, int64_t h0, int64_t h1,
                      int64_t hs, int64_t w0, int64_t w1, int64_t ws, int three) {
    const anneal_conv *c = job->conv;
    const groupconv_pass *pass = job->pass;
    if (w0 >= w1) return;
    groupconv_nest nest = {{of->count, h1 - h0, w1 - w0},
                           {of->x_image, c->sh * c->iw * c->b, c->sw * c->b},
                           {of->y_image, c->ow * c->b, c->b}};
    if (nest.count[1] > nest.count[2]) nest_swap(&nest, 1, 2);
    if (nest.count[0] > 2 * nest.count[2]) nest_swap(&nest, 0, 2);
    const float *x = of->x + (hs * c->iw + ws) * c->b, *dy = of->dy + (h0 * c->ow + w0) * c->b;
    if (three)
        outer3_table[anneal_variant()][c->b == 16](pass, x, dy, dw + tap * pass->w_tap, c->dw * c->b, &nest);
    else
        outer_table[anneal_variant()][c->b == 16](pass, x, dy, dw + tap * pass->w_tap, &nest);
}

/// All taps of a unit for some samples, which should fit the first-level cache.
static void outer_samples(const conv_job *job, const groupconv_samples_of *of, float *dw) {
    const anneal_conv *c = job->conv;
    groupconv_axis h = groupconv_axis_h(c, 0), w = groupconv_axis_w(c, 0);
    int64_t w0[GROUPCONV_MAX_KERNEL], w1[GROUPCONV_MAX_KERNEL], ws[GROUPCONV_MAX_KERNEL], first = 0, last = c->ow;
    for (int64_t k = 0; k < c->kw; k++) {
        tap_range(&w, k, &w0[k], &w1[k], &ws[k]);
        if (w0[k] > first) first = w0[k];
        if (w1[k] < last) last = w1[k];
    }
    // The columns that all three taps cover are done at once, the few others for each tap separately. With four
    // channels there are as many sums as registers for one tap; only short rows gain (measured).
    int64_t lanes = job->pass->lanes;
    int three = c->kw == 3 && last - first >= 3 && (lanes == 1 || lanes == 2 || (lanes == 4 && c->ow <= 16));
    for (int64_t kh = 0; kh < c->kh; kh++) {
        int64_t h0, h1, hs;
        tap_range(&h, kh, &h0, &h1, &hs);
        if (h0 >= h1) continue;
        if (three)
            outer_tap(job, of, dw, kh * 3, h0, h1, hs, first, last, first * c->sw - c->pw, 1);
        for (int64_t k = 0; k < c->kw; k++) {
            int64_t tap = kh * c->kw + k;
            if (!three) {
                outer_tap(job, of, dw, tap, h0, h1, hs, w0[k], w1[k], ws[k], 0);
                continue;
            }
            outer_tap(job, of, dw, tap, h0, h1, hs, w0[k], first, ws[k], 0);
            outer_tap(job, of, dw, tap, h0, h1, hs, last, w1[k], last * c->sw - c->pw + k * c->dw, 0);
        }
    }
}

static void weights_body(void *context, int part, int parts) {
    const conv_job *job = context;
    const anneal_conv *c = job->conv;
    const groupconv_pass *pass = job->pass;
    anneal_share share = anneal_divide(groupconv_units(c), job->pieces, job->pieces, part, parts);
    int64_t weights = anneal_conv_weights(c), channels = c->groups * c->oc, unit = groupconv_unit_weights(c);
    int64_t x_sample = pass->in_blocks * pass->x_block, y_sample = pass->out_blocks * pass->y_block;
    int64_t chunk = GATHERED / (x_sample + y_sample);
    if (chunk < 1) chunk = 1;
    // See groupconv_plan: samples that map to few sets of the first-level cache are copied together.
    int gather = chunk > 4 && (pass->x_image * 4 % 2048 == 0 || pass->y_image * 4 % 2048 == 0);
    float together[GATHERED] __attribute__((aligned(64)));
    for (int64_t p = share.n0; p < share.n1; p++) {
        float *dw = p == 0 ? job->dw : job->scratch + p * (weights + channels), *dbias = job->dbias;
        if (dbias && p > 0) dbias = dw + weights;
        int64_t n0, n1;
        anneal_bounds(c->n, 1, p, job->pieces, &n0, &n1);
        for (int64_t u = share.c0; u < share.c1; u++) {
            memset(dw + u * unit, 0, sizeof(float) * (size_t)unit);
            for (int64_t i = n0; i < n1; i += chunk) {
                int64_t count = n1 - i < chunk ? n1 - i : chunk;
                const float *x = job->x + i * pass->x_image + u * x_sample;
                const float *dy = job->dy + i * pass->y_image + u * y_sample;
                groupconv_samples_of of = {x, dy, pass->x_image, pass->y_image, count};
                if (gather) {
                    float *heads = together + chunk * x_sample;
                    for (int64_t k = 0; k < count; k++) {
                        memcpy(together + k * x_sample, x + k * pass->x_image, sizeof(float) * (size_t)x_sample);
                        memcpy(heads + k * y_sample, dy + k * pass->y_image, sizeof(float) * (size_t)y_sample);
                    }
                    of = (groupconv_samples_of){together, heads, x_sample, y_sample, count};
                }
                outer_samples(job, &of, dw + u * unit);
            }
            for (int64_t o = 0; dbias && o < pass->out_blocks; o++)
                bias_table[anneal_variant()][c->b == 16](
                    job->dy + n0 * pass->y_image + (u * pass->out_blocks + o) * pass->y_block, pass->y_image, n1 - n0,
                    c->oh * c->ow, dbias + (u * pass->out_blocks + o) * c->b);
        }
    }
}

/// Adds the pieces in order.
static void merge_body(void *context, int part, int parts) {
    const conv_job *job = context;
    int64_t weights = anneal_conv_weights(job->conv), channels = job->conv->groups * job->conv->oc, low, high;
    anneal_bounds(weights, 16, part, parts, &low, &high);
    anneal_add_pieces(job->dw, job->scratch, weights + channels, job->pieces, low, high);
    if (part == 0 && job->dbias)
        anneal_add_pieces(job->dbias, job->scratch + weights, weights + channels, job->pieces, 0, channels);
}

void anneal_groupconv_backward_weights(const anneal_conv *c, const float *x, const float *dy, float *dw, float *dbias,
                                       float *scratch) {
    groupconv_pass pass;
    groupconv_plan(&pass, c, 0);
    conv_job job = {.conv = c, .pass = &pass, .x = x, .dy = dy, .dw = dw, .dbias = dbias,
                    .scratch = scratch, .pieces = pieces_of(c)};
    anneal_run_parts(work(c), weights_body, &job);
    if (job.pieces > 1) anneal_run_parts(anneal_conv_weights(c) * job.pieces, merge_body, &job);
}
