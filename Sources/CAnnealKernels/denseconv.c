#include "anneal_denseconv.h"

#include <stddef.h>
#include <string.h>

#include "anneal_dispatch.h"
#include "anneal_parallel.h"
#include "denseconv_side.h"
#include "plainconv.h"
#include "share.h"
#include "transpose.h"

#define VARIANT_SOURCE "denseconv_kernels.h"
#include "variants.h"

typedef void gather_fn(const denseconv_side *, const float *, int64_t, int64_t, int64_t, int64_t, float *, int64_t);
typedef void scatter_fn(const denseconv_side *, float *, int64_t, int64_t, int64_t, int64_t, const float *, int64_t, int);
typedef void product_fn(int64_t, const float *, int64_t, int64_t, const float *, float *, int64_t, int64_t, const float *,
                        const anneal_post *);
typedef void outer_fn(int64_t, const float *, int64_t, int64_t, const float *, int64_t, int64_t, float *, float *);
typedef void scatter_plain_fn(const denseconv_side *, float *, int64_t, int64_t, const float *, int64_t);
static scatter_plain_fn *const scatter_plain_table[][2] = VARIANT_TABLE(denseconv_scatter_plain);
static gather_fn *const gather_table[][2] = VARIANT_TABLE(denseconv_gather);
static scatter_fn *const scatter_table[][2] = VARIANT_TABLE(denseconv_scatter);
static product_fn *const product_table[][2] = VARIANT_TABLE(denseconv_product);
static outer_fn *const outer_table[][2] = VARIANT_TABLE(denseconv_outer);

enum {
    PANEL = 81920,       ///< floats of a thread's panels: most of a 512 KB second-level cache
    PRODUCT_ROWS = 96,   ///< rows of a panel at most; multiples of 12 suit every tile
    OUTER_ROWS = DENSECONV_MAX_ROWS,
    LONG_IMAGE = 36,     ///< from this many positions an image's rows need not be gathered
    MANY_WEIGHTS = 65536
};

int anneal_denseconv_supported(const anneal_conv *c) {
    if (c->b != 8 && c->b != 16) return 0;
    if (c->groups != 1 || c->n < 1 || c->ic < 1 || c->oc < 1 || c->threads < 1) return 0;
    if (c->kh < 1 || c->kw < 1 || c->sh < 1 || c->sw < 1 || c->dh < 1 || c->dw < 1 || c->ph < 0 || c->pw < 0) return 0;
    if (c->ih < 1 || c->iw < 1 || c->oh < 1 || c->ow < 1) return 0;
    if (c->plain && !plainconv_supported(c)) return 0;
    return c->n * c->ih * c->iw < INT32_MAX && c->n * c->oh * c->ow < INT32_MAX;
}

static int64_t taps_of(const anneal_conv *c) { return c->kh * c->kw; }
/// Columns of the gathered matrix, and of its product with the weights.
static int64_t columns_of(const anneal_conv *c) {
    return c->plain ? padded(taps_of(c) * c->ic, c->b) : taps_of(c) * padded(c->ic, c->b);
}
static int64_t outputs_of(const anneal_conv *c) { return padded(c->oc, c->b); }
static int64_t weights_of(const anneal_conv *c) { return columns_of(c) * outputs_of(c); }

static int is_pointwise(const anneal_conv *c) { return taps_of(c) == 1 && c->ph == 0 && c->pw == 0; }
/// The images' own memory is the matrix.
static int is_direct(const anneal_conv *c) {
    return is_pointwise(c) && !c->plain && c->sh == 1 && c->sw == 1 && c->oh * c->ow >= LONG_IMAGE;
}

static int64_t panel_rows(int64_t room, const anneal_conv *c, int64_t least, int64_t most) {
    int64_t rows = room / (columns_of(c) + outputs_of(c)) / 12 * 12;
    return rows < least ? least : rows > most ? most : rows;
}
static int64_t product_rows(const anneal_conv *c) { return panel_rows(PANEL, c, 12, PRODUCT_ROWS); }
/// Many rows, so that sums are rarely loaded and stored; the panels may then be in the last-level cache.
static int64_t outer_rows(const anneal_conv *c) { return panel_rows(4 * PANEL, c, 48, OUTER_ROWS); }

// The weights' gradient: threads share the output blocks or, if there are few, pieces of the rows, whose sums are then
// added.
static int splits_outputs(const anneal_conv *c) { return weights_of(c) >= MANY_WEIGHTS && outputs_of(c) / c->b >= 6; }
static int64_t piece_floats(const anneal_conv *c) { return weights_of(c) + outputs_of(c); }
static int64_t pieces_of(const anneal_conv *c) {
    return splits_outputs(c) ? 1 : anneal_pieces(c->n * c->oh * c->ow, ANNEAL_MAX_PIECES, piece_floats(c));
}

int64_t anneal_denseconv_scratch(const anneal_conv *c, anneal_pass pass) {
    if (c->plain && pass != ANNEAL_BACKWARD_DATA) return plainconv_scratch(c, pass);
    int64_t row = is_direct(c) ? 0 : c->threads * (columns_of(c) + outputs_of(c));
    switch (pass) {
    case ANNEAL_FORWARD: return outputs_of(c) + product_rows(c) * row;
    case ANNEAL_BACKWARD_DATA: return weights_of(c) + product_rows(c) * row;
    case ANNEAL_BACKWARD_WEIGHTS: return pieces_of(c) * piece_floats(c) + outer_rows(c) * row;
    }
}

typedef struct {
    const anneal_conv *conv;
    denseconv_side in, out; ///< sides of the product: the data's gradient goes from dy to dx
    int64_t rows, chunk;    ///< of the matrix: all, and those processed together
    const float *x, *w, *bias, *dy;
    float *y, *dw, *dbias, *panels;
    float *partial;        ///< the pieces' sums for the weights' gradient
    const anneal_post *post;
    float *transposed;     ///< the weights with inputs and outputs exchanged
    int64_t pieces;
    int variant, wide;
} denseconv_job;

static denseconv_job job_of(const anneal_conv *c) {
    denseconv_job job = {.conv = c, .rows = c->n * c->oh * c->ow, .variant = anneal_variant(), .wide = c->b == 16};
    job.in = (denseconv_side){.blocks = padded(c->ic, c->b) / c->b, .plain = c->plain ? c->ic : 0, .h = c->ih, .w = c->iw,
                              .kh = c->kh, .kw = c->kw,
                              .sh = c->sh, .sw = c->sw, .ph = c->ph, .pw = c->pw, .dh = c->dh, .dw = c->dw,
                              .rows = c->oh, .columns = c->ow, .b = c->b};
    job.out = (denseconv_side){.blocks = outputs_of(c) / c->b, .h = c->oh, .w = c->ow, .kh = 1, .kw = 1, .sh = 1, .sw = 1,
                               .dh = 1, .dw = 1, .rows = c->oh, .columns = c->ow, .b = c->b};
    return job;
}

/// Whether several rows may read the same position of the activation.
static int overlaps(const denseconv_side *side) { return side->plain || side->kh * side->kw > 1; }

// MARK: forward and the data's gradient

/// The positions of rows in an image's own memory.
static int64_t place(const denseconv_side *side, int64_t image, int64_t block, int64_t first) {
    return ((image * side->blocks + block) * side->h * side->w + first) * side->b;
}

static void product_body(void *context, int part, int parts) {
    const denseconv_job *job = context;
    const anneal_conv *c = job->conv;
    if (!anneal_joins(c->threads, part, &parts)) return;
    int64_t b = c->b, image = c->oh * c->ow, adds = overlaps(&job->out);
    int64_t inputs = denseconv_columns(&job->in), outputs = denseconv_columns(&job->out);
    product_fn *product = product_table[job->variant][job->wide];
    // A thread's rows or, if there are few, its output blocks, so that each weight is read once. If rows add up in an
    // image, it belongs to one thread, and panels begin where the shape says: they determine the order of the
    // additions.
    int64_t images = smaller(job->chunk / image, c->n / ANNEAL_MAX_PIECES),
        grain = adds ? (images < 1 ? 1 : images) * image : 12;
    int64_t pairs = adds ? 1 : (outputs + 1) / 2, grains = (job->rows + grain - 1) / grain;
    anneal_share share;
    if (!adds && job->rows < outputs * b) {
        anneal_share other = anneal_divide(pairs, grains, grains, part, parts);
        share = (anneal_share){.c0 = other.n0, .c1 = other.n1, .n0 = other.c0, .n1 = other.c1};
    } else {
        share = anneal_divide(grains, pairs, pairs, part, parts);
    }
    int64_t low = share.c0 * grain, high = smaller(share.c1 * grain, job->rows);
    int64_t o = adds ? 0 : share.n0 * 2, count = adds ? outputs : smaller(share.n1 * 2, outputs) - o;
    if (low >= high || share.n0 >= share.n1) return;
    const float *w = job->w + o * inputs * b * b, *bias = job->bias ? job->bias + o * b : NULL;
    if (!job->panels) {
        for (int64_t row = low, rows; row < high; row += rows) {
            int64_t first = row % image;
            rows = smaller(smaller(image - first, high - row), job->chunk);
            product(rows, job->x + place(&job->in, row / image, 0, first), image * b, inputs, w,
                    job->y + place(&job->out, row / image, o, first), image * b, count, bias, job->post);
        }
        return;
    }
    float *a = job->panels + part * job->chunk * (columns_of(c) + outputs_of(c)), *to = a + job->chunk * inputs * b;
    gather_fn *gather = gather_table[job->variant][job->wide];
    if (adds) {
        int64_t floats = denseconv_image(&job->out);
        memset(job->y + low / image * floats, 0, sizeof(float) * (size_t)((high - low) / image * floats));
    }
    for (int64_t row = low, rows; row < high; row += rows) {
        rows = smaller(job->chunk, high - row);
        if (adds) rows = smaller(rows, grain - row % grain);
        gather(&job->in, job->x, row, rows, 0, job->in.blocks, a, job->chunk);
        if (job->post && job->post->sum) gather(&job->out, job->y, row, rows, o, o + count, to, job->chunk);
        product(rows, a, job->chunk * b, inputs, w, to, job->chunk * b, count, bias, job->post);
        if (job->out.plain)
            scatter_plain_table[job->variant][job->wide](&job->out, job->y, row, rows, to, job->chunk);
        else
            scatter_table[job->variant][job->wide](&job->out, job->y, row, rows, o, adds ? job->out.blocks : o + count,
                                                   to, job->chunk, (int)adds);
    }
}

void anneal_denseconv_forward(const anneal_conv *c, const float *x, const float *w, const float *bias,
                              const anneal_post *post, float *y, float *scratch) {
    if (c->plain) {
        plainconv_forward(c, x, w, bias, post, y, scratch);
        return;
    }
    denseconv_job job = job_of(c);
    job.x = x, job.w = w, job.y = y, job.post = post;
    job.bias = padded_bias(bias, c->oc, c->b, scratch);
    job.chunk = product_rows(c);
    job.panels = is_direct(c) ? NULL : scratch + outputs_of(c);
    anneal_parallel(product_body, &job);
}

/// The weights as [tap, input block][output][input lane].
static void transpose_body(void *context, int part, int parts) {
    const denseconv_job *job = context;
    const anneal_conv *c = job->conv;
    int64_t b = c->b, oc = outputs_of(c), columns = columns_of(c), low, high;
    anneal_bounds(columns / b, 1, part, parts, &low, &high);
    for (int64_t k = low; k < high; k++)
        for (int64_t o = 0; o < oc; o += 8)
            for (int64_t l = 0; l < b; l += 8)
                transpose8(job->w + (o / b * columns + k * b + l) * b + o % b, b, job->transposed + (k * oc + o) * b + l, b);
    // Positions that get no gradient because of a stride or the end; if rows overlap, product_body clears its images.
    if (overlaps(&job->out) || (is_pointwise(c) && c->sh == 1 && c->sw == 1)) return;
    int64_t image = padded(c->ic, b) * c->ih * c->iw;
    anneal_bounds(c->n, 1, part, parts, &low, &high);
    memset(job->y + low * image, 0, sizeof(float) * (size_t)((high - low) * image));
}

void anneal_denseconv_backward_data(const anneal_conv *c, const float *dy, const float *w, float *dx, float *scratch) {
    denseconv_job job = job_of(c);
    denseconv_side in = job.in;
    job.in = job.out, job.out = in;
    job.x = dy, job.w = w, job.y = dx, job.transposed = scratch;
    anneal_parallel(transpose_body, &job);
    job.w = scratch;
    job.chunk = product_rows(c);
    job.panels = is_direct(c) ? NULL : scratch + weights_of(c);
    anneal_parallel(product_body, &job);
}

// MARK: the weights' gradient

/// The gradient of the output blocks [o, end) from the rows [low, high), set to dw and dbias.
static void outer_rows_of(const denseconv_job *job, int64_t low, int64_t high, int64_t o, int64_t end, float *a, float *dw,
                          float *dbias) {
    const anneal_conv *c = job->conv;
    int64_t b = c->b, image = c->oh * c->ow, columns = columns_of(c);
    dw += o * columns * b;
    memset(dw, 0, sizeof(float) * (size_t)((end - o) * columns * b));
    if (dbias) {
        dbias += o * b;
        memset(dbias, 0, sizeof(float) * (size_t)((end - o) * b));
    }
    outer_fn *outer = outer_table[job->variant][job->wide];
    gather_fn *gather = gather_table[job->variant][job->wide];
    float *heads = a ? a + job->chunk * columns : NULL;
    for (int64_t row = low, rows; row < high; row += rows) {
        rows = smaller(job->chunk, high - row);
        if (a) {
            gather(&job->in, job->x, row, rows, 0, job->in.blocks, a, job->chunk);
            gather(&job->out, job->dy, row, rows, o, end, heads, job->chunk);
            outer(rows, a, job->chunk * b, columns / b, heads, job->chunk * b, end - o, dw, dbias);
        } else {
            int64_t first = row % image;
            rows = smaller(rows, image - first);
            outer(rows, job->x + place(&job->in, row / image, 0, first), image * b, job->in.blocks,
                  job->dy + place(&job->out, row / image, o, first), image * b, end - o, dw, dbias);
        }
    }
}

static void outer_body(void *context, int part, int parts) {
    const denseconv_job *job = context;
    const anneal_conv *c = job->conv;
    if (!anneal_joins(c->threads, part, &parts)) return;
    int64_t o = 0, end = job->out.blocks, first = 0, last = 1;
    if (splits_outputs(c))
        anneal_bounds(end, 3, part, parts, &o, &end);
    else
        anneal_bounds(job->pieces, 1, part, parts, &first, &last);
    if (o >= end) return;
    float *a = job->panels ? job->panels + part * job->chunk * (columns_of(c) + outputs_of(c)) : NULL;
    for (int64_t p = first; p < last; p++) {
        int64_t low, high;
        anneal_bounds(job->rows, 1, p, job->pieces, &low, &high);
        float *sums = job->partial + p * piece_floats(c);
        outer_rows_of(job, low, high, o, end, a, p == 0 ? job->dw : sums, job->dbias ? sums + weights_of(c) : NULL);
    }
}

/// Adds the pieces in order.
static void merge_body(void *context, int part, int parts) {
    const denseconv_job *job = context;
    int64_t weights = weights_of(job->conv), low, high;
    anneal_bounds(weights, 16, part, parts, &low, &high);
    anneal_add_pieces(job->dw, job->partial, piece_floats(job->conv), job->pieces, low, high);
    if (part == 0 && job->dbias)
        anneal_add_pieces(job->dbias, job->partial + weights, piece_floats(job->conv), job->pieces, 0,
                          outputs_of(job->conv));
}

void anneal_denseconv_backward_weights(const anneal_conv *c, const float *x, const float *dy, float *dw, float *dbias,
                                       float *scratch) {
    if (c->plain) {
        plainconv_backward_weights(c, x, dy, dw, dbias, scratch);
        return;
    }
    denseconv_job job = job_of(c);
    job.x = x, job.dy = dy, job.dw = dw, job.pieces = pieces_of(c);
    job.partial = scratch;
    // The first piece's sums for the biases, padded.
    job.dbias = dbias ? scratch + weights_of(c) : NULL;
    job.chunk = is_direct(c) ? OUTER_ROWS : outer_rows(c);
    job.panels = is_direct(c) ? NULL : scratch + job.pieces * piece_floats(c);
    anneal_parallel(outer_body, &job);
    if (job.pieces > 1) anneal_parallel(merge_body, &job);
    if (dbias) memcpy(dbias, job.dbias, sizeof(float) * (size_t)c->oc);
}
