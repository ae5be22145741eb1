// Micro benchmark of the kernels, next to oneDNN's on the same shapes, with the machine's measured peaks.
//
//   clang -O2 -I Sources/CAnnealKernels/include Benchmarks/kernels.c Sources/CAnnealKernels/*.c -lgomp -lm -ldnnl -o kernels
//   ./kernels [bn] [conv] [pool] [flat]
//
// Every number is the best of several runs, which is what a shared machine still shows; OMP_NUM_THREADS=1 for one core.
// -DNO_DNNL leaves oneDNN out.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "CAnnealKernels.h"
#ifndef NO_DNNL
#include <oneapi/dnnl/dnnl.h>
#endif

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/// Best time of a call, in seconds; at least 9 calls and 0.15 s.
#define TIME(result, call)                                                   \
    do {                                                                     \
        double times_[1000], begin_ = now();                                  \
        int count_ = 0;                                                      \
        call;                                                                \
        while (count_ < 1000 && (count_ < 9 || now() - begin_ < 0.15)) {      \
            double start_ = now();                                           \
            call;                                                            \
            times_[count_++] = now() - start_;                               \
        }                                                                    \
        qsort(times_, (size_t)count_, sizeof(double), by_value);             \
        result = times_[0];                                                   \
    } while (0)

static float *floats(int64_t count) {
    float *p = aligned_alloc(64, ((size_t)count * 4 + 4095) / 4096 * 4096 + 4096);
    uint32_t state = 1;
    for (int64_t k = 0; k < count; k++) {
        state = state * 1664525u + 1013904223u;
        p[k] = (float)(state >> 8) / (1 << 23) - 1;
    }
    return p;
}

// MARK: peaks

static double peak_gflops, peak_gbs, cache_gbs;
typedef float v8 __attribute__((vector_size(32)));
static volatile float sink;

#if defined(__x86_64__)
__attribute__((target("avx2,fma")))
#endif
static void fma_body(void *context, int part, int parts) {
    (void)parts;
    v8 a[12], m = {1, 1, 1, 1, 1, 1, 1, 1};
    m = m * (1 - 1e-7f * (float)part);
    for (int k = 0; k < 12; k++) a[k] = m + (float)k;
    for (int64_t i = 0; i < *(int64_t *)context; i++)
#pragma clang loop unroll(full)
        for (int k = 0; k < 12; k++) a[k] = a[k] * m + m;
    v8 s = a[0];
    for (int k = 1; k < 12; k++) s += a[k];
    sink = s[0];
}

static void measure_peaks(void) {
    int64_t rounds = 100000;
    double t;
    TIME(t, ank_parallel(fma_body, &rounds));
    peak_gflops = (double)rounds * 12 * 16 * ank_max_threads() / t / 1e9;
    int64_t count = 1 << 25;
    float *x = floats(count), *y = floats(count);
    TIME(t, ank_axpby(1.5f, x, 0, y, count));
    peak_gbs = (double)count * 8 / t / 1e9;
    count = 1 << 20;
    TIME(t, ank_axpby(1.5f, x, 0, y, count));
    cache_gbs = (double)count * 8 / t / 1e9;
    printf("%d threads, %s: %.0f GFLOP/s, %.1f GB/s in memory, %.1f GB/s in the shared cache (a scaled copy of 8 MB)\n\n",
           ank_max_threads(), ank_variant_name(ank_variant()), peak_gflops, peak_gbs, cache_gbs);
    free(x), free(y);
}

// MARK: oneDNN

#ifndef NO_DNNL
static dnnl_engine_t engine;
static dnnl_stream_t stream;
static void must(dnnl_status_t status, const char *what) {
    if (status != dnnl_success) fprintf(stderr, "oneDNN: %s failed (%d)\n", what, (int)status), exit(1);
}
static dnnl_memory_t memory(const dnnl_memory_desc_t *desc) {
    dnnl_memory_t m;
    must(dnnl_memory_create(&m, desc, engine, DNNL_MEMORY_ALLOCATE), "memory");
    void *p;
    dnnl_memory_get_data_handle(m, &p);
    size_t size = dnnl_memory_desc_get_size(desc);
    for (size_t k = 0; k < size / 4; k++) ((float *)p)[k] = (float)(k % 17) * 0.01f;
    return m;
}

/// Forward, data, weights.
static void dnnl_conv(const ank_conv *c, double seconds[3]) {
    dnnl_dims_t xd = {c->n, c->groups * c->ic, c->ih, c->iw}, yd = {c->n, c->groups * c->oc, c->oh, c->ow};
    dnnl_dims_t wd = {c->groups, c->oc, c->ic, c->kh, c->kw}, s = {c->sh, c->sw}, p = {c->ph, c->pw}, d = {c->dh - 1, c->dw - 1};
    dnnl_memory_desc_t x, y, w;
    dnnl_memory_desc_init_by_tag(&x, 4, xd, dnnl_f32, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&y, 4, yd, dnnl_f32, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&w, 5, wd, dnnl_f32, dnnl_format_tag_any);
    dnnl_convolution_desc_t fd, bd, gd;
    must(dnnl_dilated_convolution_forward_desc_init(&fd, dnnl_forward_training, dnnl_convolution_direct, &x, &w, NULL, &y, s, d, p, p), "conv");
    must(dnnl_dilated_convolution_backward_data_desc_init(&bd, dnnl_convolution_direct, &x, &w, &y, s, d, p, p), "conv");
    must(dnnl_dilated_convolution_backward_weights_desc_init(&gd, dnnl_convolution_direct, &x, &w, NULL, &y, s, d, p, p), "conv");
    dnnl_primitive_desc_t hint;
    must(dnnl_primitive_desc_create(&hint, &fd, NULL, engine, NULL), "forward");
    void *descs[3] = {&fd, &bd, &gd};
    for (int k = 0; k < 3; k++) {
        dnnl_primitive_desc_t pd;
        seconds[k] = 0;
        if (dnnl_primitive_desc_create(&pd, descs[k], NULL, engine, hint) != dnnl_success) continue;
        dnnl_query_t in = k == 0 ? dnnl_query_src_md : k == 1 ? dnnl_query_diff_src_md : dnnl_query_src_md;
        dnnl_query_t out = k == 0 ? dnnl_query_dst_md : dnnl_query_diff_dst_md;
        dnnl_query_t wq = k == 2 ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
        dnnl_exec_arg_t args[3] = {
            {k == 1 ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, memory(dnnl_primitive_desc_query_md(pd, in, 0))},
            {k == 0 ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, memory(dnnl_primitive_desc_query_md(pd, out, 0))},
            {k == 2 ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, memory(dnnl_primitive_desc_query_md(pd, wq, 0))}};
        dnnl_primitive_t primitive;
        must(dnnl_primitive_create(&primitive, pd), "primitive");
        TIME(seconds[k], dnnl_primitive_execute(primitive, stream, 3, args));
        for (int a = 0; a < 3; a++) dnnl_memory_destroy(args[a].memory);
        dnnl_primitive_destroy(primitive);
        dnnl_primitive_desc_destroy(pd);
    }
    dnnl_primitive_desc_destroy(hint);
}

/// Training forward with ReLU (MXNet fuses none; oneDNN can) and backward, nChw8c.
static void dnnl_bn(ank_dims d, double seconds[2]) {
    int64_t side = 1;
    while (side * side < d.s) side++;
    dnnl_dims_t xd = {d.n, d.c, d.s / side, side};
    dnnl_memory_desc_t x;
    must(dnnl_memory_desc_init_by_tag(&x, 4, xd, dnnl_f32, dnnl_nChw8c), "desc");
    dnnl_batch_normalization_desc_t fd, bd;
    unsigned flags = dnnl_use_scaleshift | dnnl_fuse_norm_relu;
    must(dnnl_batch_normalization_forward_desc_init(&fd, dnnl_forward_training, &x, 1e-3f, flags), "bn");
    must(dnnl_batch_normalization_backward_desc_init(&bd, dnnl_backward, &x, &x, 1e-3f, flags), "bn");
    dnnl_primitive_desc_t fpd, bpd;
    must(dnnl_primitive_desc_create(&fpd, &fd, NULL, engine, NULL), "bn forward");
    must(dnnl_primitive_desc_create(&bpd, &bd, NULL, engine, fpd), "bn backward");
    const dnnl_memory_desc_t *stat = dnnl_primitive_desc_query_md(fpd, dnnl_query_dst_md, 1);
    dnnl_memory_desc_t one;
    dnnl_dims_t cd = {d.c};
    dnnl_memory_desc_init_by_tag(&one, 1, cd, dnnl_f32, dnnl_x);
    if (!stat || stat->ndims == 0) stat = &one;
    dnnl_memory_t mx = memory(&x), my = memory(&x), mg = memory(&x), mdx = memory(&x), mean = memory(stat), var = memory(stat);
    dnnl_memory_desc_t two;
    dnnl_dims_t td = {2, d.c};
    dnnl_memory_desc_init_by_tag(&two, 2, td, dnnl_f32, dnnl_nc);
    dnnl_memory_t scale = memory(&two), ds = memory(&two);
    dnnl_memory_t ws = memory(dnnl_primitive_desc_query_md(fpd, dnnl_query_workspace_md, 0));
    dnnl_exec_arg_t fa[] = {{DNNL_ARG_SRC, mx}, {DNNL_ARG_DST, my}, {DNNL_ARG_MEAN, mean}, {DNNL_ARG_VARIANCE, var},
                            {DNNL_ARG_SCALE_SHIFT, scale}, {DNNL_ARG_WORKSPACE, ws}};
    dnnl_exec_arg_t ba[] = {{DNNL_ARG_SRC, mx}, {DNNL_ARG_DIFF_DST, mg}, {DNNL_ARG_DIFF_SRC, mdx}, {DNNL_ARG_MEAN, mean},
                            {DNNL_ARG_VARIANCE, var}, {DNNL_ARG_SCALE_SHIFT, scale}, {DNNL_ARG_DIFF_SCALE_SHIFT, ds},
                            {DNNL_ARG_WORKSPACE, ws}};
    dnnl_primitive_t fp, bp;
    must(dnnl_primitive_create(&fp, fpd), "bn forward");
    must(dnnl_primitive_create(&bp, bpd), "bn backward");
    TIME(seconds[0], must(dnnl_primitive_execute(fp, stream, 6, fa), "run"));
    TIME(seconds[1], must(dnnl_primitive_execute(bp, stream, 8, ba), "run"));
    dnnl_memory_t all[] = {mx, my, mg, mdx, mean, var, scale, ds, ws};
    for (int k = 0; k < 9; k++) dnnl_memory_destroy(all[k]);
    dnnl_primitive_destroy(fp), dnnl_primitive_destroy(bp);
    dnnl_primitive_desc_destroy(fpd), dnnl_primitive_desc_destroy(bpd);
}
#else
static void dnnl_conv(const ank_conv *c, double s[3]) { (void)c, s[0] = s[1] = s[2] = 0; }
static void dnnl_bn(ank_dims d, double s[2]) { (void)d, s[0] = s[1] = 0; }
#endif

// MARK: the tables

static void bench_bn(void) {
    static const int64_t shapes[][3] = {{128, 16, 784}, {128, 32, 196}, {128, 64, 784}, {128, 256, 49}, {128, 64, 49},
                                        {128, 128, 49}, {128, 512, 16}, {128, 1024, 4}, {128, 512, 4}, {128, 2048, 1},
                                        {128, 1024, 1}, {64, 32, 784}, {16, 64, 3136}, {16, 256, 3136}};
    printf("batch norm + ReLU, training      MB  |  forward ms   GB/s   oneDNN ms  ratio | backward ms   GB/s   oneDNN ms  ratio | + addend fwd, bwd ms\n");
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        ank_dims d = {shapes[k][0], shapes[k][1], shapes[k][2], 8};
        int64_t count = ank_elements(d);
        float *x = floats(count), *y = floats(count), *dy = floats(count), *dx = floats(count), *add = floats(count);
        float *c = floats(6 * d.c), *scratch = floats(ank_bn_scratch(d));
        float *mean = c, *var = c + d.c, *gamma = c + 2 * d.c, *beta = c + 3 * d.c, *dg = c + 4 * d.c, *db = c + 5 * d.c;
        double f, b, fa, ba, peer[2];
        TIME(f, ank_bn_forward(x, NULL, y, mean, var, gamma, beta, 1e-3f, 1, scratch, d));
        TIME(b, ank_bn_backward(x, NULL, dy, NULL, mean, var, gamma, beta, 1e-3f, 1, NULL, dx, NULL, dg, db, scratch, d));
        TIME(fa, ank_bn_forward(x, add, y, mean, var, gamma, beta, 1e-3f, 1, scratch, d));
        TIME(ba, ank_bn_backward(x, y, dy, NULL, mean, var, gamma, beta, 1e-3f, 2, NULL, dx, dy, dg, db, scratch, d));
        dnnl_bn(d, peer);
        double bytes = (double)count * 4;
        printf("(%3ld,%4ld,%4ld) %18.1f  | %10.3f %7.1f %10.3f %7.2f  | %10.3f %7.1f %10.3f %7.2f  | %8.3f %8.3f\n", d.n, d.c,
               d.s, bytes / 1e6, f * 1e3, bytes * 3 / f / 1e9, peer[0] * 1e3, peer[0] / f, b * 1e3, bytes * 5 / b / 1e9,
               peer[1] * 1e3, peer[1] / b, fa * 1e3, ba * 1e3);
        free(x), free(y), free(dy), free(dx), free(add), free(c), free(scratch);
    }
    printf("GB/s count x, y and x again forward (3), x, dy twice and dx backward (5).\n\n");
}

static void bench_conv(void) {
    // n, groups, channels, image, stride
    static const int64_t shapes[][5] = {
        {128, 32, 4, 7, 1},  {128, 32, 8, 7, 2},  {128, 32, 8, 4, 1},   {128, 32, 16, 4, 2}, {128, 32, 16, 2, 1},
        {128, 32, 32, 2, 2}, {128, 32, 32, 1, 1}, {64, 32, 1, 28, 1},   {64, 32, 2, 28, 2},  {64, 32, 2, 14, 1},
        {64, 32, 4, 14, 2},  {64, 32, 4, 7, 1},   {4, 32, 4, 56, 1},   {4, 32, 8, 28, 1},  {4, 32, 16, 14, 1},
        {8, 32, 32, 7, 1},   {4, 8, 64, 14, 1}};
    printf("3x3, n, groups x channels, image/stride |   forward GFLOP/s  peak%%  oneDNN  |   data GFLOP/s  peak%%  oneDNN  |  weights GFLOP/s  peak%%  oneDNN  (useful FLOP: no padding)\n");
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        const int64_t *s = shapes[k];
        int64_t out = (s[3] + 2 - 3) / s[4] + 1;
        ank_conv c = {s[0], s[1], s[2], s[2], 8, s[3], s[3], out, out, 3, 3, s[4], s[4], 1, 1, 1, 1, 0, ank_max_threads()};
        int64_t channels = s[1] * s[2], xc = c.n * channels * c.ih * c.iw, yc = c.n * channels * c.oh * c.ow;
        float *x = floats(xc), *y = floats(yc), *w = floats(ank_conv_weights(&c)), *dw = floats(ank_conv_weights(&c));
        float *scratch = floats(ank_groupconv_scratch(&c));
        // Taps that meet the image, along one axis.
        int64_t seen = 0;
        for (int64_t o = 0; o < out; o++)
            for (int64_t t = 0; t < 3; t++) seen += o * s[4] + t - 1 >= 0 && o * s[4] + t - 1 < s[3];
        double flop = 2.0 * (double)(c.n * channels * s[2] * seen * seen), t[3], peer[3];
        TIME(t[0], ank_groupconv_forward(&c, x, w, NULL, NULL, y));
        TIME(t[1], ank_groupconv_backward_data(&c, y, w, x));
        TIME(t[2], ank_groupconv_backward_weights(&c, x, y, dw, NULL, scratch));
        dnnl_conv(&c, peer);
        printf("%3ld, %2ld x %2ld, %2ldx%-2ld/%ld  %16s", s[0], s[1], s[2], s[3], s[3], s[4], "");
        for (int p = 0; p < 3; p++)
            printf(" | %8.3f ms %6.1f  %4.0f  %7.1f", t[p] * 1e3, flop / t[p] / 1e9, flop / t[p] / 1e7 / peak_gflops,
                   peer[p] > 0 ? flop / peer[p] / 1e9 : 0);
        printf("\n");
        free(x), free(y), free(w), free(dw), free(scratch);
    }
    printf("\n");
}

static void bench_pool(void) {
    static const struct { const char *name; ank_pool_kind kind; int64_t n, c, in, k, s, p; } shapes[] = {
        {"max 2x2/2", ANK_POOL_MAX, 64, 24, 24, 2, 2, 0},   {"max 3x3/2", ANK_POOL_MAX, 16, 64, 112, 3, 2, 1},
        {"max 3x3/1", ANK_POOL_MAX, 32, 192, 28, 3, 1, 1},  {"avg 3x3/1", ANK_POOL_AVG, 32, 192, 28, 3, 1, 1},
        {"global avg 7", ANK_POOL_AVG, 128, 256, 7, 7, 1, 0}, {"global avg 1", ANK_POOL_AVG, 128, 2048, 1, 1, 1, 0}};
    printf("pooling             forward ms   GB/s | backward ms   GB/s\n");
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        int64_t in = shapes[k].in, out = (in + 2 * shapes[k].p - shapes[k].k) / shapes[k].s + 1;
        ank_pool p = {shapes[k].kind, shapes[k].n, shapes[k].c, 8, {1, in, in}, {1, out, out}, {1, shapes[k].k, shapes[k].k},
                      {1, shapes[k].s, shapes[k].s}, {0, shapes[k].p, shapes[k].p}, 1, 2};
        int64_t xs = p.n * p.c * in * in, ys = p.n * p.c * out * out;
        float *x = floats(xs), *y = floats(ys);
        int32_t *arg = (int32_t *)floats(ys);
        double f, b;
        int max = shapes[k].kind == ANK_POOL_MAX;
        TIME(f, ank_pool_forward(&p, x, y, max ? arg : NULL));
        TIME(b, ank_pool_backward(&p, x, y, arg, y, NULL, x));
        double bytes = 4.0 * (double)(xs + ys * (max ? 2 : 1));
        printf("%-18s %10.3f %7.1f | %10.3f %7.1f\n", shapes[k].name, f * 1e3, bytes / f / 1e9, b * 1e3, bytes / b / 1e9);
        free(x), free(y), free(arg);
    }
    printf("\n");
}

static void bench_flat(void) {
    static const char *const names[] = {"relu", "sigmoid", "tanh", "softrelu", "softsign"};
    ank_dims d = {64, 24, 576, 8};
    int64_t count = ank_elements(d);
    float *x = floats(count), *y = floats(count), *z = floats(count);
    printf("flat, %.1f MB      forward ms   GB/s | backward ms   GB/s\n", (double)count * 4e-6);
    for (int kind = 0; kind < 5; kind++) {
        double f, b;
        TIME(f, ank_activation_forward((ank_activation)kind, x, y, d));
        TIME(b, ank_activation_backward((ank_activation)kind, y, x, NULL, z, d));
        printf("%-18s %10.3f %7.1f | %10.3f %7.1f\n", names[kind], f * 1e3, (double)count * 8e-9 / f, b * 1e3, (double)count * 12e-9 / b);
    }
    double t;
    TIME(t, ank_add(x, y, z, 1, count));
    printf("%-18s %10.3f %7.1f\n", "add + relu", t * 1e3, (double)count * 12e-9 / t);
    TIME(t, ank_relayout(x, 1, y, 8, d.n, d.c, d.s));
    printf("%-18s %10.3f %7.1f\n", "plain to blocks", t * 1e3, (double)count * 8e-9 / t);
    TIME(t, ank_relayout(x, 8, y, 1, d.n, d.c, d.s));
    printf("%-18s %10.3f %7.1f\n\n", "blocks to plain", t * 1e3, (double)count * 8e-9 / t);
    free(x), free(y), free(z);
}

int main(int argc, char **argv) {
#ifndef NO_DNNL
    must(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
#endif
    measure_peaks();
    static const struct { const char *name; void (*run)(void); } parts[] = {
        {"flat", bench_flat}, {"pool", bench_pool}, {"bn", bench_bn}, {"conv", bench_conv}};
    for (int k = 0; k < 4; k++) {
        int wanted = argc == 1;
        for (int a = 1; a < argc; a++) wanted |= strcmp(argv[a], parts[k].name) == 0;
        if (wanted) parts[k].run();
    }
    return 0;
}
