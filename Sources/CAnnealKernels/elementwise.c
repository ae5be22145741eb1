#include "anneal_elementwise.h"

#include <string.h>

#include "anneal_arithmetic.h"
#include "anneal_dispatch.h"
#include "share.h"

#define VARIANT_SOURCE "elementwise_kernels.h"
#include "variants.h"

// Flat loops use the variant's widest vectors.
static inline int wide(int variant) { return variant == 2; }

/// Rounded to whole cache lines per thread.
enum { GRAIN = 16 };

typedef struct {
    anneal_activation kind;
    int relu;
    const float *a, *b, *c;
    float *y;
    float alpha, beta;
    int64_t count, axis, inner;
} flat_job;

typedef void forward_fn(anneal_activation, const float *, float *, int64_t, int64_t);
typedef void backward_fn(anneal_activation, const float *, const float *, const float *, float *, int64_t, int64_t);
typedef void gelu_fn(const float *, float *, int64_t, int64_t);
typedef void gelu_backward_fn(const float *, const float *, float *, int64_t, int64_t);
typedef void add_fn(const float *, const float *, float *, int, int64_t, int64_t);
typedef void axpby_fn(float, const float *, float, float *, int64_t, int64_t);
typedef void rows_fn(const float *, float *, int64_t, int64_t, int64_t);
typedef void columns_fn(const float *, float *, int64_t, int64_t, int64_t, int64_t);
static forward_fn *const forward_table[][2] = VARIANT_TABLE(activation_forward);
static backward_fn *const backward_table[][2] = VARIANT_TABLE(activation_backward);
static gelu_fn *const gelu_table[][2] = VARIANT_TABLE(gelu);
static gelu_backward_fn *const gelu_backward_table[][2] = VARIANT_TABLE(gelu_backward);
static add_fn *const add_table[][2] = VARIANT_TABLE(add);
static axpby_fn *const axpby_table[][2] = VARIANT_TABLE(axpby);
static rows_fn *const rows_table[][2] = VARIANT_TABLE(softmax_rows);
static columns_fn *const columns_table[][2] = VARIANT_TABLE(softmax_columns);
#define PICK(table) (table)[anneal_variant()][wide(anneal_variant())]

static void forward_body(void *context, int part, int parts) {
    flat_job *job = context;
    int64_t low, high;
    anneal_bounds(job->count, GRAIN, part, parts, &low, &high);
    PICK(forward_table)(job->kind, job->a, job->y, low, high);
}

void anneal_activation_forward(anneal_activation kind, const float *x, float *y, anneal_dims dims) {
    flat_job job = {.kind = kind, .a = x, .y = y, .count = anneal_elements(dims)};
    anneal_run_parts(job.count, forward_body, &job);
    // f(0) is not 0 for these.
    if (kind == ANNEAL_SIGMOID || kind == ANNEAL_SOFTRELU) anneal_clear_padding(y, dims);
}

static void backward_body(void *context, int part, int parts) {
    flat_job *job = context;
    int64_t low, high;
    anneal_bounds(job->count, GRAIN, part, parts, &low, &high);
    PICK(backward_table)(job->kind, job->a, job->b, job->c, job->y, low, high);
}

void anneal_activation_backward(anneal_activation kind, const float *y, const float *dy, const float *accumulate, float *dx,
                                anneal_dims dims) {
    // The padding needs no special treatment: dy is zero there.
    flat_job job = {.kind = kind, .a = y, .b = dy, .c = accumulate, .y = dx, .count = anneal_elements(dims)};
    anneal_run_parts(job.count, backward_body, &job);
}

static void gelu_body(void *context, int part, int parts) {
    flat_job *job = context;
    int64_t low, high;
    anneal_bounds(job->count, GRAIN, part, parts, &low, &high);
    PICK(gelu_table)(job->a, job->y, low, high);
}

void anneal_gelu(const float *x, float *y, int64_t count) {
    flat_job job = {.a = x, .y = y, .count = count};
    anneal_run_parts(count, gelu_body, &job);
}

static void gelu_backward_body(void *context, int part, int parts) {
    flat_job *job = context;
    int64_t low, high;
    anneal_bounds(job->count, GRAIN, part, parts, &low, &high);
    PICK(gelu_backward_table)(job->a, job->b, job->y, low, high);
}

void anneal_gelu_backward(const float *x, const float *dy, float *dx, int64_t count) {
    flat_job job = {.a = x, .b = dy, .y = dx, .count = count};
    anneal_run_parts(count, gelu_backward_body, &job);
}

static void add_body(void *context, int part, int parts) {
    flat_job *job = context;
    int64_t low, high;
    anneal_bounds(job->count, GRAIN, part, parts, &low, &high);
    PICK(add_table)(job->a, job->b, job->y, job->relu, low, high);
}

void anneal_add(const float *a, const float *b, float *y, int relu, int64_t count) {
    flat_job job = {.a = a, .b = b, .y = y, .relu = relu, .count = count};
    anneal_run_parts(count, add_body, &job);
}

static void fill_body(void *context, int part, int parts) {
    flat_job *job = context;
    int64_t low, high;
    anneal_bounds(job->count, GRAIN, part, parts, &low, &high);
    for (int64_t k = low; k < high; k++) job->y[k] = job->alpha;
}

void anneal_fill(float *y, float value, int64_t count) {
    flat_job job = {.y = y, .alpha = value, .count = count};
    anneal_run_parts(count, fill_body, &job);
}

static void copy_body(void *context, int part, int parts) {
    flat_job *job = context;
    int64_t low, high;
    anneal_bounds(job->count, GRAIN, part, parts, &low, &high);
    if (low < high) memmove(job->y + low, job->a + low, sizeof(float) * (size_t)(high - low));
}

void anneal_copy(const float *x, float *y, int64_t count) {
    if (x == y) return;
    flat_job job = {.a = x, .y = y, .count = count};
    anneal_run_parts(count, copy_body, &job);
}

static void axpby_body(void *context, int part, int parts) {
    flat_job *job = context;
    int64_t low, high;
    anneal_bounds(job->count, GRAIN, part, parts, &low, &high);
    PICK(axpby_table)(job->alpha, job->a, job->beta, job->y, low, high);
}

void anneal_axpby(float alpha, const float *x, float beta, float *y, int64_t count) {
    flat_job job = {.a = x, .y = y, .alpha = alpha, .beta = beta, .count = count};
    anneal_run_parts(count, axpby_body, &job);
}

static void softmax_body(void *context, int part, int parts) {
    flat_job *job = context;
    int64_t low, high;
    anneal_bounds(job->count, 1, part, parts, &low, &high);
    if (job->inner == 1)
        PICK(rows_table)(job->a, job->y, job->axis, low, high);
    else
        PICK(columns_table)(job->a, job->y, job->axis, job->inner, low, high);
}

void anneal_softmax(const float *x, float *y, int64_t outer, int64_t axis, int64_t inner) {
    if (outer <= 0 || axis <= 0 || inner <= 0) return;
    int64_t lanes = wide(anneal_variant()) ? 16 : 8, columns = (inner + lanes - 1) / lanes;
    flat_job job = {.a = x, .y = y, .count = inner == 1 ? outer : outer * columns, .axis = axis, .inner = inner};
    anneal_run_parts(outer * axis * inner, softmax_body, &job);
}
