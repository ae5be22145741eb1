#include "anneal_winograd.h"

#include <stddef.h>
#include <string.h>

#include "anneal_dispatch.h"
#include "anneal_parallel.h"
#include "share.h"
#include "transpose.h"
#include "winograd_grid.h"

#define VARIANT_SOURCE "winograd_kernels.h"
#include "variants.h"

typedef void input_fn(const winograd_grid *, const float *, float *);
typedef void output_fn(const winograd_grid *, const float *, const float *, const anneal_post *, float *);
typedef void head_fn(const winograd_grid *, const float *, float *, float *);
typedef void spread_fn(const winograd_grid *, const float *, float *);
typedef void weights_fn(int64_t, const float *, int64_t, int, int64_t, float *, int64_t);
typedef void taps_fn(int64_t, const float *, int64_t, int64_t, int64_t, int64_t, float *, int64_t, int);
typedef void product_fn(const winograd_grid *, const float *, const float *, int64_t, const winograd_grid *, float *);
typedef void bias_fn(const float *, int64_t, int64_t, int64_t, float *);
typedef void outer_fn(const winograd_grid *, const float *, const winograd_grid *, const float *, float *, int64_t);
static input_fn *const input_table[][2] = VARIANT_TABLE(winograd_input);
static output_fn *const output_table[][2] = VARIANT_TABLE(winograd_output);
static head_fn *const head_table[][2] = VARIANT_TABLE(winograd_head);
static spread_fn *const spread_table[][2] = VARIANT_TABLE(winograd_spread);
static weights_fn *const weights_table[][2] = VARIANT_TABLE(winograd_weights);
static taps_fn *const taps_table[][2] = VARIANT_TABLE(winograd_taps);
static product_fn *const product_table[][2] = VARIANT_TABLE(winograd_product);
static outer_fn *const outer_table[][2] = VARIANT_TABLE(winograd_outer);
static bias_fn *const bias_table[][2] = VARIANT_TABLE(sum_samples);

enum {
    CHUNK = 98304,         ///< floats of a thread's transformed tiles: most of a 512 KB second-level cache
    SHARED = 3 << 20,      ///< floats of all threads' transformed tiles, if there are many weights
    MANY_WEIGHTS = 32 * 64,
    MANY_BLOCKS = 4,       ///< two pairs
    MAX_CHANNELS = 2048
};

// Few weights: each thread takes its tiles through all steps, and the transformed weights stay in the caches.
// Many: the tiles are transformed together, then each thread takes pairs of output blocks, whose weights it transforms.
// Inputs and outputs are exchanged in the data's gradient, so both need enough blocks.
static int is_wide(const anneal_conv *c) {
    return c->ic * c->oc >= MANY_WEIGHTS && smaller(c->ic, c->oc) >= MANY_BLOCKS * c->b;
}

int anneal_winograd_supported(const anneal_conv *c) {
    if (c->b != 8 && c->b != 16) return 0;
    if (c->groups != 1 || c->plain || (c->kh != 3 && c->kh != 5) || c->kw != c->kh) return 0;
    if (c->sh != 1 || c->sw != 1 || c->dh != 1 || c->dw != 1) return 0;
    if (c->n < 1 || c->ic < 1 || c->oc < 1 || c->ic > MAX_CHANNELS || c->oc > MAX_CHANNELS) return 0;
    int64_t more = c->kh - 1;
    if (c->ph < 0 || c->pw < 0 || c->ph > more || c->pw > more) return 0;
    if (c->oh != c->ih + 2 * c->ph - more || c->ow != c->iw + 2 * c->pw - more) return 0;
    return c->oh >= 1 && c->ow >= 1 && c->threads >= 1 && c->n * c->oh * c->ow < INT32_MAX;
}

/// The same with its channels padded to whole blocks.
static anneal_conv whole(const anneal_conv *given) {
    anneal_conv c = *given;
    c.ic = padded(c.ic, c.b);
    c.oc = padded(c.oc, c.b);
    return c;
}

// MARK: one pass as its loops see it

typedef enum {
    FORWARD, ///< also used by the weights' gradient
    FLIPPED, ///< the data's gradient as the convolution of dy with flipped weights
    SPREAD   ///< the same by the transposed transforms: fewer tiles if dy is much smaller, but they overlap
} winograd_way;

typedef struct {
    const anneal_conv *conv; ///< whole
    int64_t biases;          ///< output channels without the padding
    winograd_grid in, out;   ///< the grids of the transform's input and output
    int64_t total;           ///< tiles of the batch
    winograd_way way;        ///< inputs and outputs are exchanged except in FORWARD
    const float *x, *w, *bias, *dy;
    const anneal_post *post;
    float *y, *dw, *dbias;
    float *points;        ///< the transformed weights, or their gradient
    float *v, *m;         ///< transformed tiles
    int64_t per_thread;   ///< floats between consecutive threads' v (m, points)
    int64_t chunk;        ///< tiles
    int64_t pieces;       ///< for the weights' gradient with few weights: tiles whose sums are then added
    int variant, wide_block;
} winograd_job;

static int64_t padded_floats(int64_t count) { return padded(count, 16); }

/// The number of tiles in a chunk: multiples of 12 suit every tile of the products.
static int64_t chunk_tiles(int64_t room, int64_t channels, int64_t total) {
    int64_t tiles = room / (WINOGRAD_POINTS * channels) / 12 * 12;
    if (tiles < 12) tiles = 12;
    if (tiles > 384) tiles = 384;
    return smaller(tiles, (total + 11) / 12 * 12);
}

static int64_t tiles_of(const winograd_grid *grid, int64_t step) {
    return (grid->h + step - 1) / step * ((grid->w + step - 1) / step);
}

static winograd_way data_way(const anneal_conv *c) {
    int64_t step = WINOGRAD_SIDE + 1 - c->kh;
    winograd_grid x = {.h = c->ih, .w = c->iw}, y = {.h = c->oh, .w = c->ow};
    return !is_wide(c) && tiles_of(&x, step) * 2 > tiles_of(&y, step) * 3 ? SPREAD : FLIPPED;
}

static winograd_job job_of(const anneal_conv *c, winograd_way way) {
    winograd_grid in = {.h = c->ih, .w = c->iw, .ph = c->ph, .pw = c->pw, .blocks = c->ic / c->b};
    winograd_grid out = {.h = c->oh, .w = c->ow, .blocks = c->oc / c->b};
    if (way != FORWARD) {
        winograd_grid swap = in;
        in = out, out = swap;
        in.ph = c->kh - 1 - c->ph, in.pw = c->kw - 1 - c->pw;
    }
    const winograd_grid *tiled = way == SPREAD ? &in : &out;
    in.step = out.step = WINOGRAD_SIDE + 1 - c->kh;
    int64_t rows = (tiled->h + in.step - 1) / in.step, columns = (tiled->w + in.step - 1) / in.step;
    in.rows = out.rows = rows, in.columns = out.columns = columns;
    winograd_job job = {.conv = c, .way = way};
    job.total = c->n * out.rows * out.columns;
    job.chunk = chunk_tiles(is_wide(c) ? SHARED : CHUNK, c->ic + c->oc, job.total);
    winograd_room(&in, job.chunk, 0, in.blocks, c->b);
    winograd_room(&out, job.chunk, 0, out.blocks, c->b);
    job.in = in, job.out = out;
    job.variant = anneal_variant(), job.wide_block = c->b == 16;
    return job;
}

static int64_t points_floats(const anneal_conv *c) { return WINOGRAD_POINTS * padded_floats(c->ic * c->oc); }
static int64_t pieces_of(const anneal_conv *c, int64_t tiles) {
    return anneal_pieces(tiles, tiles, points_floats(c) + c->oc);
}
/// The pair of output blocks, whichever side they are on.
static int64_t pair_floats(const anneal_conv *c) {
    return WINOGRAD_POINTS * padded_floats((c->ic > c->oc ? c->ic : c->oc) * 2 * c->b);
}
enum { PAIR_ROWS = 48 }; ///< tiles of a pair's product at a time
/// Each thread's memory for a pair in the forward pass: weights, products.
static int64_t pair_room(const anneal_conv *c) { return pair_floats(c) + WINOGRAD_POINTS * (PAIR_ROWS * 2 * c->b + 16); }

int64_t anneal_winograd_scratch(const anneal_conv *given, anneal_pass pass) {
    anneal_conv filled_up = whole(given), *c = &filled_up;
    winograd_job job = job_of(c, pass == ANNEAL_BACKWARD_DATA ? data_way(c) : FORWARD);
    int64_t v = WINOGRAD_POINTS * job.in.stride, m = WINOGRAD_POINTS * job.out.stride;
    if (pass == ANNEAL_BACKWARD_WEIGHTS)
        return is_wide(c) ? v + m + c->threads * pair_floats(c)
                          : pieces_of(c, job.total) * (points_floats(c) + c->oc) + c->threads * (v + m);
    return c->oc + (is_wide(c) ? v + c->threads * pair_room(c) : points_floats(c) + c->threads * (v + m));
}

/// The transformed weights of output blocks [low, high) of the pass, at [point][block][input][lane].
static void transform_weights(const winograd_job *job, int64_t low, int64_t high, float *u, int64_t u_point) {
    const anneal_conv *c = job->conv;
    int64_t b = c->b, tap = c->ic * b, taps = c->kh * c->kw; // in the weights' order
    weights_fn *weights = weights_table[job->variant][job->wide_block];
    for (int64_t o = low; o < high; o++) {
        if (job->way == FORWARD) {
            weights(c->kh, job->w + o * taps * tap, tap, 0, c->ic, u + (o - low) * c->ic * b, u_point);
            continue;
        }
        // Inputs and outputs exchanged, one block of each at a time.
        float together[25 * 16 * 16] __attribute__((aligned(64)));
        for (int64_t k = 0; k < c->oc / b; k++) {
            for (int64_t t = 0; t < taps; t++)
                for (int64_t i = 0; i < b; i += 8)
                    for (int64_t l = 0; l < b; l += 8)
                        transpose8(job->w + (k * taps + t) * tap + (o * b + i) * b + l, b,
                                   together + (t * b + l) * b + i, b);
            weights(c->kh, together, b * b, job->way == FLIPPED, b, u + ((o - low) * c->oc + k * b) * b, u_point);
        }
    }
}

/// The part's share of the tiles.
static void tile_share(const winograd_job *job, int64_t part, int64_t parts, int64_t *low, int64_t *high) {
    // Multiples of 12 suit the products; overlapping tiles of an image belong to one thread.
    int64_t grain = job->way == SPREAD ? job->in.rows * job->in.columns : job->chunk < job->total / parts ? 12 : 1;
    anneal_bounds(job->total, grain, part, parts, low, high);
}

// MARK: few weights

static void narrow_weights_body(void *context, int part, int parts) {
    winograd_job *job = context;
    int64_t low, high, inputs = job->in.blocks * job->conv->b;
    anneal_bounds(job->out.blocks, 1, part, parts, &low, &high);
    transform_weights(job, low, high, job->points + low * inputs * job->conv->b,
                      padded_floats(job->conv->ic * job->conv->oc));
}

static void narrow_forward_body(void *context, int part, int parts) {
    winograd_job *job = context;
    if (!anneal_joins(job->conv->threads, part, &parts)) return;
    int64_t low, high;
    tile_share(job, part, parts, &low, &high);
    winograd_grid in = job->in, out = job->out;
    float *v = job->v + part * job->per_thread, *m = v + WINOGRAD_POINTS * in.stride;
    if (job->way == SPREAD) {
        int64_t tiles = in.rows * in.columns, image = out.blocks * out.h * out.w * job->conv->b;
        memset(job->y + low / tiles * image, 0, sizeof(float) * (size_t)((high - low) / tiles * image));
    }
    for (int64_t t = low; t < high; t += job->chunk) {
        in.first = out.first = t;
        in.count = out.count = smaller(job->chunk, high - t);
        if (job->way == SPREAD)
            head_table[job->variant][job->wide_block](&in, job->x, v, NULL);
        else
            input_table[job->variant][job->wide_block](&in, job->x, v);
        product_table[job->variant][job->wide_block](&in, v, job->points,
                                                     padded_floats(job->conv->ic * job->conv->oc), &out, m);
        if (job->way == SPREAD)
            spread_table[job->variant][job->wide_block](&out, m, job->y);
        else
            output_table[job->variant][job->wide_block](&out, m, job->bias, job->post, job->y);
    }
}

static void narrow_outer_body(void *context, int part, int parts) {
    const winograd_job *job = context;
    if (!anneal_joins(job->conv->threads, part, &parts)) return;
    int64_t first, last, floats = points_floats(job->conv);
    anneal_bounds(job->pieces, 1, part, parts, &first, &last);
    winograd_grid in = job->in, out = job->out;
    float *v = job->v + part * job->per_thread, *m = v + WINOGRAD_POINTS * in.stride;
    for (int64_t p = first; p < last; p++) {
        int64_t low, high;
        tile_share(job, p, job->pieces, &low, &high);
        float *du = job->points + p * (floats + job->conv->oc), *sums = job->dbias ? du + floats : NULL;
        memset(du, 0, sizeof(float) * (size_t)(floats + job->conv->oc));
        for (int64_t t = low; t < high; t += job->chunk) {
            in.first = out.first = t;
            in.count = out.count = smaller(job->chunk, high - t);
            input_table[job->variant][job->wide_block](&in, job->x, v);
            head_table[job->variant][job->wide_block](&out, job->dy, m, sums);
            outer_table[job->variant][job->wide_block](&in, v, &out, m, du,
                                                       padded_floats(job->conv->ic * job->conv->oc));
        }
    }
}

/// Adds the pieces in order.
static void narrow_taps_body(void *context, int part, int parts) {
    const winograd_job *job = context;
    const anneal_conv *c = job->conv;
    int64_t low, high, piece = points_floats(c) + c->oc;
    anneal_bounds(job->out.blocks, 1, part, parts, &low, &high);
    for (int64_t o = low; o < high; o++) {
        taps_table[job->variant][job->wide_block](c->kh, job->points + o * c->ic * c->b, padded_floats(c->ic * c->oc), piece,
                                                  job->pieces, c->ic, job->dw + o * c->kh * c->kw * c->ic * c->b,
                                                  c->ic * c->b, 0);
    }
    if (part != 0 || !job->dbias) return;
    float *sums = job->points + points_floats(c);
    anneal_add_pieces(sums, sums, piece, job->pieces, 0, job->biases);
    memcpy(job->dbias, sums, sizeof(float) * (size_t)job->biases);
}

// MARK: many weights

static void wide_input_body(void *context, int part, int parts) {
    const winograd_job *job = context;
    winograd_grid in = job->in;
    int64_t low, high;
    anneal_bounds(in.count, 1, part, parts, &low, &high);
    in.first += low, in.count = high - low;
    input_table[job->variant][job->wide_block](&in, job->x, job->v + low * job->conv->b);
    if (!job->dy) return;
    winograd_grid out = job->out;
    out.first += low, out.count = high - low;
    head_table[job->variant][job->wide_block](&out, job->dy, job->m + low * job->conv->b, NULL);
}

/// The number of units into which each pair of output blocks is split, so that no thread is idle.
static int64_t cuts_of(int64_t pairs, int64_t parts) { return pairs < parts ? (parts + pairs - 1) / pairs : 1; }

static void wide_forward_body(void *context, int part, int parts) {
    const winograd_job *job = context;
    if (!anneal_joins(job->conv->threads, part, &parts)) return;
    int64_t b = job->conv->b, blocks = job->out.blocks, pairs = (blocks + 1) / 2, cuts = cuts_of(pairs, parts);
    int64_t first, last, u_point = padded_floats(job->in.blocks * b * 2 * b);
    anneal_bounds(pairs * cuts, 1, part, parts, &first, &last);
    float *u = job->points + part * job->per_thread, *m = u + pair_floats(job->conv);
    winograd_grid in = job->in, out = job->out;
    for (int64_t unit = first; unit < last; unit++) {
        int64_t o = unit / cuts * 2, t, end;
        if (unit == first || unit % cuts == 0) {
            winograd_room(&out, PAIR_ROWS, o, smaller(o + 2, blocks), b);
            transform_weights(job, out.low, out.high, u, u_point);
        }
        anneal_bounds(job->in.count, PAIR_ROWS, unit % cuts, cuts, &t, &end);
        for (; t < end; t += PAIR_ROWS) {
            out.first = job->in.first + t;
            in.count = out.count = smaller(PAIR_ROWS, end - t);
            product_table[job->variant][job->wide_block](&in, job->v + t * b, u, u_point, &out, m);
            output_table[job->variant][job->wide_block](&out, m, job->bias, job->post, job->y);
        }
    }
}

static void wide_outer_body(void *context, int part, int parts) {
    const winograd_job *job = context;
    const anneal_conv *c = job->conv;
    if (!anneal_joins(c->threads, part, &parts)) return;
    int64_t b = c->b, pairs = (job->out.blocks + 1) / 2, first, last;
    int64_t cuts = smaller(cuts_of(pairs, parts), job->in.blocks);
    anneal_bounds(pairs * cuts, 1, part, parts, &first, &last);
    float *du = job->points + part * job->per_thread;
    for (int64_t unit = first; unit < last; unit++) {
        // A pair of output blocks, and its share of the input blocks.
        winograd_grid in = job->in, out = job->out;
        int64_t o = unit / cuts * 2;
        out.low = o, out.high = smaller(o + 2, out.blocks);
        anneal_bounds(in.blocks, 1, unit % cuts, cuts, &in.low, &in.high);
        int64_t inputs = (in.high - in.low) * b, u_point = padded_floats(inputs * 2 * b);
        memset(du, 0, sizeof(float) * (size_t)(WINOGRAD_POINTS * u_point));
        outer_table[job->variant][job->wide_block](&in, job->v + in.low * in.tiles * b, &out,
                                                   job->m + o * out.tiles * b, du, u_point);
        for (int64_t k = out.low; k < out.high; k++)
            taps_table[job->variant][job->wide_block](c->kh, du + (k - o) * inputs * b, u_point, 0, 1, inputs,
                                                      job->dw + k * c->kh * c->kw * c->ic * b + in.low * b * b,
                                                      c->ic * b, job->in.first > 0);
    }
}

// MARK: the passes

static void forward(const anneal_conv *given, int data, const float *x, const float *w, const float *bias,
                    const anneal_post *post, float *y, float *scratch) {
    anneal_conv filled_up = whole(given), *c = &filled_up;
    winograd_job job = job_of(c, data ? data_way(c) : FORWARD);
    job.x = x, job.w = w, job.post = post, job.y = y;
    job.bias = padded_bias(bias, given->oc, given->b, scratch);
    scratch += c->oc;
    int64_t v = WINOGRAD_POINTS * job.in.stride, m = WINOGRAD_POINTS * job.out.stride;
    if (is_wide(c)) {
        job.v = scratch;
        job.points = scratch + v;
        job.per_thread = pair_room(c);
        for (int64_t t = 0; t < job.total; t += job.chunk) {
            job.in.first = t, job.in.count = smaller(job.chunk, job.total - t);
            anneal_parallel(wide_input_body, &job);
            anneal_parallel(wide_forward_body, &job);
        }
        return;
    }
    job.points = scratch;
    job.v = scratch + points_floats(c);
    job.per_thread = v + m;
    anneal_parallel(narrow_weights_body, &job);
    anneal_parallel(narrow_forward_body, &job);
}

void anneal_winograd_forward(const anneal_conv *c, const float *x, const float *w, const float *bias,
                             const anneal_post *post, float *y, float *scratch) {
    forward(c, 0, x, w, bias, post, y, scratch);
}

void anneal_winograd_backward_data(const anneal_conv *c, const float *dy, const float *w, float *dx, float *scratch) {
    forward(c, 1, dy, w, NULL, NULL, dx, scratch);
}

static void bias_body(void *context, int part, int parts) {
    const winograd_job *job = context;
    int64_t b = job->conv->b, s = job->out.h * job->out.w, low, high;
    anneal_bounds(job->out.blocks, 1, part, parts, &low, &high);
    for (int64_t k = low; k < high; k++) {
        float sums[16];
        bias_table[job->variant][job->wide_block](job->dy + k * s * b, job->out.blocks * s * b, job->conv->n, s, sums);
        memcpy(job->dbias + k * b, sums, sizeof(float) * (size_t)smaller(b, job->biases - k * b));
    }
}

void anneal_winograd_backward_weights(const anneal_conv *given, const float *x, const float *dy, float *dw, float *dbias,
                                      float *scratch) {
    anneal_conv filled_up = whole(given), *c = &filled_up;
    winograd_job job = job_of(c, FORWARD);
    job.x = x, job.dy = dy, job.dw = dw, job.dbias = dbias, job.biases = given->oc;
    int64_t v = WINOGRAD_POINTS * job.in.stride, m = WINOGRAD_POINTS * job.out.stride;
    if (is_wide(c)) {
        job.v = scratch;
        job.m = scratch + v;
        job.points = job.m + m;
        job.per_thread = pair_floats(c);
        for (int64_t t = 0; t < job.total; t += job.chunk) {
            job.in.first = job.out.first = t;
            job.in.count = job.out.count = smaller(job.chunk, job.total - t);
            anneal_parallel(wide_input_body, &job);
            anneal_parallel(wide_outer_body, &job);
        }
        if (dbias) anneal_parallel(bias_body, &job);
        return;
    }
    job.points = scratch;
    job.pieces = pieces_of(c, job.total);
    job.v = scratch + job.pieces * (points_floats(c) + c->oc);
    job.per_thread = v + m;
    anneal_parallel(narrow_outer_body, &job);
    anneal_parallel(narrow_taps_body, &job);
}
