#include "plainconv.h"

#include <stddef.h>
#include <string.h>

#include "anneal_dispatch.h"
#include "anneal_parallel.h"
#include "share.h"

/// A strip of an image: some of its rows with their padding. At stride s a row holds its columns 0, s, 2 s, .., then 1,
/// s + 1, .., so that adjacent positions read adjacent values.
typedef struct {
    int64_t columns, room;  ///< of a position's row: channels times taps; padded to whole blocks
    const int32_t *offset;  ///< of each column, from the position's first value
    int64_t step;           ///< floats to the next row of positions
    int64_t width;          ///< positions of a row
} plainconv_view;

#define VARIANT_SOURCE "plainconv_kernels.h"
#include "variants.h"

typedef void forward_fn(const plainconv_view *, int64_t, const float *, const float *, int64_t, const float *,
                        const anneal_post *, float *, int64_t);
typedef void outer_fn(const plainconv_view *, int64_t, const float *, const float *, int64_t, int64_t, float *, float *);
static forward_fn *const forward_table[][2] = VARIANT_TABLE(plainconv_forward);
static outer_fn *const outer_table[][2] = VARIANT_TABLE(plainconv_outer);

enum {
    POSITIONS = 1024,     ///< positions of a strip
    MAX_STRIP = 1 << 20   ///< floats of a strip
};

typedef struct {
    const anneal_conv *conv;
    int64_t blocks, rows, strips; ///< output blocks; of positions in a strip; of an image
    int64_t lines, line;          ///< of a strip and channel; floats of one phase of a line
    plainconv_view view;
    int32_t offset[PLAINCONV_MAX_COLUMNS];
    const float *x, *w, *bias, *dy;
    float *y, *dw, *dbias, *partial, *strip;
    const anneal_post *post;
    int64_t pieces;               ///< for the weights' gradient: strips whose sums are then added
    int variant, wide;
} plainconv_job;

static int64_t strip_floats(const plainconv_job *job) {
    return (job->conv->ic * job->lines * job->conv->sw * job->line + 15) / 16 * 16;
}
static int64_t rows_of(const anneal_conv *c) {
    int64_t rows = smaller(POSITIONS / c->ow, c->oh);
    return rows < 1 ? 1 : rows;
}

int plainconv_supported(const anneal_conv *c) {
    // In floating point: the extents are arbitrary, and their product may overflow an integer.
    double lines = (double)(rows_of(c) - 1) * (double)c->sh + (double)(c->kh - 1) * (double)c->dh + 1;
    double line = (double)c->ow * (double)c->sw + (double)(c->kw - 1) * (double)c->dw + (double)c->sw;
    return (double)c->ic * (double)c->kh * (double)c->kw <= PLAINCONV_MAX_COLUMNS &&
        (double)c->ic * lines * line <= MAX_STRIP;
}
static int64_t weights_of(const anneal_conv *c) {
    return padded(c->ic * c->kh * c->kw, c->b) * padded(c->oc, c->b);
}
static int64_t piece_floats(const anneal_conv *c) { return weights_of(c) + padded(c->oc, c->b); }

static void prepare(plainconv_job *job, const anneal_conv *c) {
    *job = (plainconv_job){.conv = c, .blocks = padded(c->oc, c->b) / c->b, .variant = anneal_variant(), .wide = c->b == 16};
    job->rows = rows_of(c);
    job->strips = (c->oh + job->rows - 1) / job->rows;
    job->pieces = anneal_pieces(c->n * c->oh * c->ow, c->n * job->strips, piece_floats(c));
    job->lines = (job->rows - 1) * c->sh + (c->kh - 1) * c->dh + 1;
    job->line = c->ow + (c->kw - 1) * c->dw / c->sw;
    job->view = (plainconv_view){.columns = c->ic * c->kh * c->kw, .room = padded(c->ic * c->kh * c->kw, c->b),
                                 .step = c->sh * c->sw * job->line, .width = c->ow};
    int64_t k = 0;
    for (int64_t i = 0; i < c->ic; i++)
        for (int64_t y = 0; y < c->kh; y++)
            for (int64_t x = 0; x < c->kw; x++) {
                int64_t at = x * c->dw, line = i * job->lines + y * c->dh;
                job->offset[k++] = (int32_t)((line * c->sw + at % c->sw) * job->line + at / c->sw);
            }
    job->view.offset = job->offset;
}

/// Copies the part of an image that the positions from row `first` on read.
static void copy_strip(const plainconv_job *job, int64_t image, int64_t first, float *to) {
    const anneal_conv *c = job->conv;
    for (int64_t i = 0; i < c->ic; i++)
        for (int64_t l = 0; l < job->lines; l++) {
            int64_t y = first * c->sh - c->ph + l, inside = y >= 0 && y < c->ih;
            const float *from = job->x + ((image * c->ic + i) * c->ih + y) * c->iw;
            for (int64_t phase = 0; phase < c->sw; phase++, to += job->line) {
                // Of the line's columns phase + k sw - pw, those with k in [low, high) are inside the image.
                int64_t start = phase - c->pw, low = start < 0 ? (-start + c->sw - 1) / c->sw : 0;
                int64_t high = start < c->iw ? (c->iw - 1 - start) / c->sw + 1 : 0;
                high = inside ? smaller(high, job->line) : 0;
                low = smaller(low, high);
                memset(to, 0, sizeof(float) * (size_t)low);
                if (c->sw == 1 && high > low)
                    memcpy(to + low, from + start + low, sizeof(float) * (size_t)(high - low));
                else
                    for (int64_t k = low; k < high; k++) to[k] = from[start + k * c->sw];
                memset(to + high, 0, sizeof(float) * (size_t)(job->line - high));
            }
        }
}

/// A strip's position in y or dy, and its number of rows of positions.
static int64_t place(const plainconv_job *job, int64_t unit, int64_t *rows) {
    const anneal_conv *c = job->conv;
    int64_t first = unit % job->strips * job->rows;
    *rows = smaller(job->rows, c->oh - first);
    return (unit / job->strips * job->blocks * c->oh + first) * c->ow * c->b;
}

int64_t plainconv_scratch(const anneal_conv *c, anneal_pass pass) {
    plainconv_job job;
    prepare(&job, c);
    if (pass == ANNEAL_FORWARD) return padded(c->oc, c->b) + c->threads * strip_floats(&job);
    return job.pieces * piece_floats(c) + c->threads * strip_floats(&job);
}

static void forward_body(void *context, int part, int parts) {
    const plainconv_job *job = context;
    const anneal_conv *c = job->conv;
    if (!anneal_joins(c->threads, part, &parts)) return;
    int64_t low, high, rows;
    anneal_bounds(c->n * job->strips, 1, part, parts, &low, &high);
    float *strip = job->strip + part * strip_floats(job);
    for (int64_t unit = low; unit < high; unit++) {
        int64_t at = place(job, unit, &rows);
        copy_strip(job, unit / job->strips, unit % job->strips * job->rows, strip);
        forward_table[job->variant][job->wide](&job->view, rows, strip, job->w, job->blocks, job->bias, job->post,
                                               job->y + at, c->oh * c->ow * c->b);
    }
}

void plainconv_forward(const anneal_conv *c, const float *x, const float *w, const float *bias, const anneal_post *post,
                       float *y, float *scratch) {
    plainconv_job job;
    prepare(&job, c);
    job.x = x, job.w = w, job.y = y, job.post = post;
    job.bias = padded_bias(bias, c->oc, c->b, scratch);
    job.strip = scratch + padded(c->oc, c->b);
    anneal_parallel(forward_body, &job);
}

static void outer_body(void *context, int part, int parts) {
    const plainconv_job *job = context;
    const anneal_conv *c = job->conv;
    if (!anneal_joins(c->threads, part, &parts)) return;
    float *strip = job->strip + part * strip_floats(job);
    int64_t first, last;
    anneal_bounds(job->pieces, 1, part, parts, &first, &last);
    for (int64_t p = first; p < last; p++) {
        float *sums = job->partial + p * piece_floats(c);
        memset(sums, 0, sizeof(float) * (size_t)piece_floats(c));
        int64_t low, high, rows;
        anneal_bounds(c->n * job->strips, 1, p, job->pieces, &low, &high);
        for (int64_t unit = low; unit < high; unit++) {
            int64_t at = place(job, unit, &rows);
            copy_strip(job, unit / job->strips, unit % job->strips * job->rows, strip);
            outer_table[job->variant][job->wide](&job->view, rows, strip, job->dy + at, c->oh * c->ow * c->b, job->blocks,
                                                 sums, job->dbias ? sums + weights_of(c) : NULL);
        }
    }
}

void plainconv_backward_weights(const anneal_conv *c, const float *x, const float *dy, float *dw, float *dbias,
                                float *scratch) {
    plainconv_job job;
    prepare(&job, c);
    job.x = x, job.dy = dy, job.dw = dw, job.dbias = dbias, job.partial = scratch;
    job.strip = scratch + job.pieces * piece_floats(c);
    anneal_parallel(outer_body, &job);
    // The pieces in order; they are small.
    anneal_add_pieces(scratch, scratch, piece_floats(c), job.pieces, 0, piece_floats(c));
    memcpy(dw, scratch, sizeof(float) * (size_t)weights_of(c));
    if (dbias) memcpy(dbias, scratch + weights_of(c), sizeof(float) * (size_t)c->oc);
}
