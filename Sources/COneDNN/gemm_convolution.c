#include "gemm_convolution.h"
#include "ank_parallel.h"
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

int gemm_conv_supported(const adnn_conv_shape *shape, adnn_pass pass) {
    return shape->axes == 2 && (pass == ADNN_BACKWARD_DATA || pass == ADNN_BACKWARD_WEIGHTS);
}

int gemm_conv_threads(void) { return ank_max_threads(); }

typedef struct {
    int64_t image, output, taps, columns, weights; ///< floats: one image, one output, rows and columns of the unfolded image
} sizes;

static sizes measure(const adnn_conv_shape *s) {
    sizes z;
    z.columns = s->out[0] * s->out[1];
    z.taps = s->ic / s->groups * s->kernel[0] * s->kernel[1];
    z.image = s->ic * s->in[0] * s->in[1];
    z.output = s->oc * z.columns;
    z.weights = s->oc * z.taps;
    return z;
}

/// Each thread's scratch: a plain image, a plain output, the unfolded image of a group, sums of weights and bias.
static int64_t thread_scratch(const adnn_conv_shape *s, adnn_pass pass) {
    sizes z = measure(s);
    int64_t floats = z.image + z.output + z.taps * z.columns;
    if (pass == ADNN_BACKWARD_WEIGHTS) floats += z.weights + s->oc;
    return (floats + 15) / 16 * 16;
}

size_t gemm_conv_scratch(const adnn_conv_shape *shape, adnn_pass pass) {
    return (size_t)(thread_scratch(shape, pass) * gemm_conv_threads());
}

static void to_plain(const float *blocked, float *plain, int64_t channels, int64_t positions, int64_t block) {
    for (int64_t c = 0; c < channels; c++) {
        const float *from = blocked + c / block * positions * block + c % block;
        for (int64_t i = 0; i < positions; i++) plain[c * positions + i] = from[i * block];
    }
}

static void from_plain(const float *plain, float *blocked, int64_t channels, int64_t positions, int64_t block) {
    int64_t padded = (channels + block - 1) / block * block;
    for (int64_t c = 0; c < padded; c++) {
        float *to = blocked + c / block * positions * block + c % block;
        for (int64_t i = 0; i < positions; i++) to[i * block] = c < channels ? plain[c * positions + i] : 0;
    }
}

/// Walks over the unfolded image: `columns` rows of taps, each with the image's position or none.
static void unfold(const adnn_conv_shape *s, float *image, float *columns, int back) {
    int64_t channels = s->ic / s->groups, ih = s->in[0], iw = s->in[1], oh = s->out[0], ow = s->out[1];
    for (int64_t c = 0; c < channels; c++)
        for (int64_t kh = 0; kh < s->kernel[0]; kh++)
            for (int64_t kw = 0; kw < s->kernel[1]; kw++)
                for (int64_t y = 0; y < oh; y++) {
                    int64_t h = y * s->stride[0] - s->pad[0] + kh * s->dilate[0];
                    float *row = columns;
                    columns += ow;
                    if (h < 0 || h >= ih) {
                        if (!back) memset(row, 0, sizeof(float) * (size_t)ow);
                        continue;
                    }
                    float *line = image + (c * ih + h) * iw;
                    for (int64_t x = 0; x < ow; x++) {
                        int64_t w = x * s->stride[1] - s->pad[1] + kw * s->dilate[1];
                        int inside = w >= 0 && w < iw;
                        if (back) {
                            if (inside) line[w] += row[x];
                        } else {
                            row[x] = inside ? line[w] : 0;
                        }
                    }
                }
}

typedef struct {
    const adnn_conv_shape *shape;
    adnn_pass pass;
    float *src, *weights, *dst, *scratch;
    int src_block, dst_block, threads;
    int status[64];
} job;

static void body(void *context, int part, int parts) {
    job *j = context;
    const adnn_conv_shape *s = j->shape;
    sizes z = measure(s);
    int64_t positions = s->in[0] * s->in[1], ic = s->ic / s->groups, oc = s->oc / s->groups;
    int64_t src_size = (s->ic + j->src_block - 1) / j->src_block * j->src_block * positions;
    int64_t dst_size = (s->oc + j->dst_block - 1) / j->dst_block * j->dst_block * z.columns;
    int status = 0;
    // The planned number of parts counts, however many threads there are now.
    for (int slot = part; slot < j->threads; slot += parts) {
        float *image = j->scratch + slot * thread_scratch(s, j->pass), *output = image + z.image, *columns = output + z.output;
        float *sums = columns + z.taps * z.columns, *bias = sums + z.weights;
        if (j->pass == ADNN_BACKWARD_WEIGHTS) memset(sums, 0, sizeof(float) * (size_t)(z.weights + s->oc));
        for (int64_t n = s->n * slot / j->threads; n < s->n * (slot + 1) / j->threads; n++) {
            to_plain(j->dst + n * dst_size, output, s->oc, z.columns, j->dst_block);
            if (j->pass == ADNN_BACKWARD_WEIGHTS) {
                to_plain(j->src + n * src_size, image, s->ic, positions, j->src_block);
                for (int64_t c = 0; c < s->oc; c++)
                    for (int64_t i = 0; i < z.columns; i++) bias[c] += output[c * z.columns + i];
            } else {
                memset(image, 0, sizeof(float) * (size_t)z.image);
            }
            for (int64_t g = 0; g < s->groups; g++) {
                float *part_image = image + g * ic * positions, *part_output = output + g * oc * z.columns;
                if (j->pass == ADNN_BACKWARD_WEIGHTS) {
                    unfold(s, part_image, columns, 0);
                    status |= dnnl_sgemm('N', 'T', oc, z.taps, z.columns, 1, part_output, z.columns, columns, z.columns, 1,
                                         sums + g * oc * z.taps, z.taps);
                } else {
                    status |= dnnl_sgemm('T', 'N', z.taps, z.columns, oc, 1, j->weights + g * oc * z.taps, z.taps,
                                         part_output, z.columns, 0, columns, z.columns);
                    unfold(s, part_image, columns, 1);
                }
            }
            if (j->pass == ADNN_BACKWARD_DATA) from_plain(image, j->src + n * src_size, s->ic, positions, j->src_block);
        }
    }
    if (part < 64) j->status[part] = status;
}

int gemm_conv_execute(const adnn_conv_shape *shape, adnn_pass pass, float *src, int src_block, float *weights, float *bias,
                      float *dst, int dst_block, float *scratch, int threads) {
    job j = {shape, pass, src, weights, dst, scratch, src_block, dst_block, threads, {0}};
    ank_parallel(body, &j);
    for (int i = 0; i < 64; i++)
        if (j.status[i]) return j.status[i];
    if (pass == ADNN_BACKWARD_DATA) return 0;
    sizes z = measure(shape);
    for (int slot = 0; slot < threads; slot++) {
        const float *sums = scratch + slot * thread_scratch(shape, pass) + z.image + z.output + z.taps * z.columns;
        for (int64_t i = 0; i < z.weights; i++) weights[i] = slot == 0 ? sums[i] : weights[i] + sums[i];
        if (bias)
            for (int64_t i = 0; i < shape->oc; i++) bias[i] = slot == 0 ? sums[z.weights + i] : bias[i] + sums[z.weights + i];
    }
    return 0;
}
