#include "anneal_lrn.h"

#include <math.h>

#include "anneal_arithmetic.h"
#include "anneal_dispatch.h"
#include "share.h"

enum { CHANNELS = 64, TILE = 16 };

typedef struct {
    anneal_lrn lrn;
    int backward;
    const float *x, *y, *norm, *dy;
    float *saved, *out;
    anneal_dims dims;
    int64_t reach; ///< channels on each side
} lrn_job;

#define VARIANT_SOURCE "lrn_kernels.h"
#include "variants.h"

typedef void tile_fn(const lrn_job *, float *, int64_t, int64_t, int64_t);
static tile_fn *const tile_table[][2] = VARIANT_TABLE(tile);

static void lrn_body(void *context, int part, int parts) {
    const lrn_job *job = context;
    anneal_dims d = job->dims;
    float rows[(CHANNELS + 2 * job->reach) * TILE]; // at most 70 kB of stack
    int64_t tiles = (d.s + TILE - 1) / TILE, groups = (d.c + CHANNELS - 1) / CHANNELS, low, high;
    anneal_bounds(d.n * groups * tiles, 1, part, parts, &low, &high);
    for (int64_t item = low; item < high; item++)
        tile_table[anneal_variant()][0](job, rows, item / tiles / groups, item / tiles % groups * CHANNELS,
                                        item % tiles * TILE);
}

static void run(lrn_job *job) {
    job->reach = job->lrn.nsize / 2;
    if (job->reach > job->dims.c) job->reach = job->dims.c;
    if (job->reach > ANNEAL_LRN_REACH) job->reach = ANNEAL_LRN_REACH;
    anneal_run_parts(anneal_elements(job->dims) * 4, lrn_body, job);
    anneal_clear_padding(job->out, job->dims);
}

void anneal_lrn_forward(const anneal_lrn *lrn, const float *x, float *norm, float *y, anneal_dims dims) {
    lrn_job job = {.lrn = *lrn, .x = x, .saved = norm, .out = y, .dims = dims};
    run(&job);
}

void anneal_lrn_backward(const anneal_lrn *lrn, const float *x, const float *y, const float *norm, const float *dy,
                         float *dx, anneal_dims dims) {
    lrn_job job = {.lrn = *lrn, .backward = 1, .x = x, .y = y, .norm = norm, .dy = dy, .out = dx, .dims = dims};
    run(&job);
}
