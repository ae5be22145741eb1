#include "anneal_arithmetic.h"

#include <string.h>

#include "anneal_dispatch.h"
#include "share.h"

#define VARIANT_SOURCE "arithmetic_kernels.h"
#include "variants.h"

/// Rounded to whole cache lines per thread.
enum { GRAIN = 16 };

typedef struct {
    const float *a, *b;
    float *y, *mask;
    float s, t;
    int64_t count;
    anneal_dims dims;
} flat_job;

typedef void two_fn(const float *, float, float, float *, int64_t, int64_t);
typedef void clip_backward_fn(const float *, const float *, float, float, float *, int64_t, int64_t);
typedef void leaky_fn(const float *, float, float *, int64_t, int64_t);
typedef void leaky_backward_fn(const float *, const float *, float, float *, int64_t, int64_t);
typedef void multiply_fn(const float *, const float *, float *, int64_t, int64_t);
typedef void dropout_fn(const float *, const float *, float, float *, float *, int64_t, int64_t);
static two_fn *const affine_table[][2] = VARIANT_TABLE(affine);
static two_fn *const clip_table[][2] = VARIANT_TABLE(clip);
static clip_backward_fn *const clip_backward_table[][2] = VARIANT_TABLE(clip_backward);
static leaky_fn *const leaky_table[][2] = VARIANT_TABLE(leaky);
static leaky_backward_fn *const leaky_backward_table[][2] = VARIANT_TABLE(leaky_backward);
static multiply_fn *const multiply_table[][2] = VARIANT_TABLE(multiply);
static dropout_fn *const dropout_table[][2] = VARIANT_TABLE(dropout);
#define PICK(table) (table)[anneal_variant()][0]

// Each body computes the part's share [low, high) of a job.
#define BODY(name, call)                                             \
    static void name##_body(void *context, int part, int parts) {    \
        const flat_job *job = context;                               \
        int64_t low, high;                                           \
        anneal_bounds(job->count, GRAIN, part, parts, &low, &high);  \
        call;                                                        \
    }

BODY(affine, PICK(affine_table)(job->a, job->s, job->t, job->y, low, high))
BODY(clip, PICK(clip_table)(job->a, job->s, job->t, job->y, low, high))
BODY(clip_backward, PICK(clip_backward_table)(job->a, job->b, job->s, job->t, job->y, low, high))
BODY(leaky, PICK(leaky_table)(job->a, job->s, job->y, low, high))
BODY(leaky_backward, PICK(leaky_backward_table)(job->a, job->b, job->s, job->y, low, high))
BODY(multiply, PICK(multiply_table)(job->a, job->b, job->y, low, high))
BODY(dropout, PICK(dropout_table)(job->a, job->b, job->s, job->mask, job->y, low, high))

void anneal_affine(const float *x, float scale, float shift, float *y, anneal_dims dims) {
    flat_job job = {.a = x, .s = scale, .t = shift, .y = y, .count = anneal_elements(dims)};
    anneal_run_parts(job.count, affine_body, &job);
    if (shift != 0) anneal_clear_padding(y, dims);
}

void anneal_clip(const float *x, float low, float high, float *y, anneal_dims dims) {
    flat_job job = {.a = x, .s = low, .t = high, .y = y, .count = anneal_elements(dims)};
    anneal_run_parts(job.count, clip_body, &job);
    if (low > 0 || high < 0) anneal_clear_padding(y, dims);
}

void anneal_clip_backward(const float *x, const float *dy, float low, float high, float *dx, int64_t count) {
    flat_job job = {.a = x, .b = dy, .s = low, .t = high, .y = dx, .count = count};
    anneal_run_parts(count, clip_backward_body, &job);
}

void anneal_leaky(const float *x, float slope, float *y, int64_t count) {
    flat_job job = {.a = x, .s = slope, .y = y, .count = count};
    anneal_run_parts(count, leaky_body, &job);
}

void anneal_leaky_backward(const float *x, const float *dy, float slope, float *dx, int64_t count) {
    flat_job job = {.a = x, .b = dy, .s = slope, .y = dx, .count = count};
    anneal_run_parts(count, leaky_backward_body, &job);
}

void anneal_multiply(const float *a, const float *b, float *y, int64_t count) {
    flat_job job = {.a = a, .b = b, .y = y, .count = count};
    anneal_run_parts(count, multiply_body, &job);
}

void anneal_dropout(const float *x, const float *u, float keep, float *mask, float *y, int64_t count) {
    flat_job job = {.a = x, .b = u, .s = keep, .mask = mask, .y = y, .count = count};
    anneal_run_parts(count, dropout_body, &job);
}

static void clear_body(void *context, int part, int parts) {
    const flat_job *job = context;
    anneal_dims d = job->dims;
    int64_t blocks = (d.c + d.b - 1) / d.b, used = d.c % d.b, low, high;
    anneal_bounds(d.n, 1, part, parts, &low, &high);
    for (int64_t i = low; i < high; i++) {
        float *row = job->y + (i * blocks + blocks - 1) * d.s * d.b;
        for (int64_t k = 0; k < d.s; k++)
            for (int64_t lane = used; lane < d.b; lane++) row[k * d.b + lane] = 0;
    }
}

void anneal_clear_padding(float *y, anneal_dims dims) {
    if (dims.c % dims.b == 0) return;
    flat_job job = {.y = y, .dims = dims};
    anneal_run_parts(anneal_elements(dims), clear_body, &job);
}

typedef struct {
    const float *const *from;
    float *const *to;
    float *y;
    const float *x;
    const int64_t *chunks;
    int64_t count, outer, width;
} join_job;

/// The part's share of all elements, one piece of the parts' rows after another.
static void join_body(void *context, int part, int parts) {
    const join_job *job = context;
    int64_t low, high;
    anneal_bounds(job->outer * job->width, GRAIN, part, parts, &low, &high);
    while (low < high) {
        int64_t row = low / job->width, column = low % job->width, i = 0;
        while (column >= job->chunks[i]) column -= job->chunks[i++];
        int64_t run = job->chunks[i] - column;
        if (run > high - low) run = high - low;
        int64_t at = row * job->chunks[i] + column;
        if (job->y && !job->from[i])
            memset(job->y + low, 0, sizeof(float) * (size_t)run);
        else if (job->y)
            memcpy(job->y + low, job->from[i] + at, sizeof(float) * (size_t)run);
        else if (job->to[i])
            memcpy(job->to[i] + at, job->x + low, sizeof(float) * (size_t)run);
        low += run;
    }
}

static void join(join_job *job) {
    for (int64_t i = 0; i < job->count; i++) job->width += job->chunks[i];
    anneal_run_parts(job->outer * job->width, join_body, job);
}

void anneal_concat(const float *const *parts, const int64_t *chunks, int64_t count, int64_t outer, float *y) {
    join_job job = {.from = parts, .y = y, .chunks = chunks, .count = count, .outer = outer};
    join(&job);
}

void anneal_split(const float *y, float *const *parts, const int64_t *chunks, int64_t count, int64_t outer) {
    join_job job = {.to = parts, .x = y, .chunks = chunks, .count = count, .outer = outer};
    join(&job);
}
