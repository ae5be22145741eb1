#include "ank_random.h"

#include "ank_arithmetic.h"
#include "ank_dispatch.h"
#include "share.h"

#define ANK_IMPLEMENTATION "random_kernels.h"
#include "variants.h"

typedef void uniform_fn(ank_random_key, float *, ank_dims, int64_t, int64_t);
static uniform_fn *const uniform_table[][2] = ANK_TABLE(uniform);

typedef struct {
    ank_random_key key;
    float *y;
    ank_dims dims;
    int64_t count;
} random_job;

static void uniform_body(void *context, int part, int parts) {
    const random_job *job = context;
    int64_t low, high;
    ank_bounds(job->count, 16, part, parts, &low, &high);
    uniform_table[ank_variant()][0](job->key, job->y, job->dims, low, high);
}

void ank_random_uniform(ank_random_key key, float *y, ank_dims dims) {
    random_job job = {.key = key, .y = y, .dims = dims, .count = dims.n * ((dims.c + 3) / 4) * dims.s};
    if (job.count <= 0) return;
    ank_run(job.count * 4, uniform_body, &job);
    ank_clear_filling(y, dims);
}
