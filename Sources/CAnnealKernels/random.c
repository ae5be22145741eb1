#include "anneal_random.h"

#include "anneal_arithmetic.h"
#include "anneal_dispatch.h"
#include "share.h"

#define VARIANT_SOURCE "random_kernels.h"
#include "variants.h"

typedef void uniform_fn(anneal_random_key, float *, anneal_dims, int64_t, int64_t);
static uniform_fn *const uniform_table[][2] = VARIANT_TABLE(uniform);

typedef struct {
    anneal_random_key key;
    float *y;
    anneal_dims dims;
    int64_t count;
} random_job;

static void uniform_body(void *context, int part, int parts) {
    const random_job *job = context;
    int64_t low, high;
    anneal_bounds(job->count, 16, part, parts, &low, &high);
    uniform_table[anneal_variant()][0](job->key, job->y, job->dims, low, high);
}

void anneal_random_uniform(anneal_random_key key, float *y, anneal_dims dims) {
    random_job job = {.key = key, .y = y, .dims = dims, .count = dims.n * ((dims.c + 3) / 4) * dims.s};
    if (job.count <= 0) return;
    anneal_run_parts(job.count * 4, uniform_body, &job);
    anneal_clear_padding(y, dims);
}
