#include "adnn_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct adnn_conv {
    adnn_engine *engine;
    adnn_pass pass;
    dnnl_primitive_t primitive;
    dnnl_primitive_t reorder;     ///< between the caller's weights and the primitive's, where they differ
    dnnl_primitive_t src_reorder; ///< backward data: from the primitive's src to the caller's, where they differ
    dnnl_memory_desc_t src, given_src, dst, weights, plain_weights, bias, given_weights, scratch;
    int has_bias, src_block, dst_block;
    const char *implementation;
    dnnl_memory_t memory_src, memory_given_src, memory_dst, memory_weights, memory_given, memory_bias, memory_scratch;
    dnnl_exec_arg_t arguments[6];
    int count;
};

static dnnl_format_tag_t data_tag(int axes, int block) {
    static const dnnl_format_tag_t tags[3][3] = {{dnnl_ncw, dnnl_nCw8c, dnnl_nCw16c},
                                                 {dnnl_nchw, dnnl_nChw8c, dnnl_nChw16c},
                                                 {dnnl_ncdhw, dnnl_nCdhw8c, dnnl_nCdhw16c}};
    if (block == 0) return dnnl_format_tag_any;
    return tags[axes - 1][block == 1 ? 0 : block == 8 ? 1 : 2];
}

static int data_block(int axes, const dnnl_memory_desc_t *desc) {
    static const int blocks[3] = {8, 16, 1};
    for (int i = 0; i < 3; i++) {
        dnnl_memory_desc_t candidate;
        if (dnnl_memory_desc_init_by_tag(&candidate, desc->ndims, desc->dims, dnnl_f32, data_tag(axes, blocks[i]))) continue;
        if (dnnl_memory_desc_equal(&candidate, desc)) return blocks[i];
    }
    return 0;
}

static int plain_weights(const adnn_conv_shape *shape, dnnl_memory_desc_t *desc, int any) {
    dnnl_dims_t dims;
    int axis = 0;
    if (shape->groups > 1) dims[axis++] = shape->groups;
    dims[axis++] = shape->oc / shape->groups;
    dims[axis++] = shape->ic / shape->groups;
    for (int i = 0; i < shape->axes; i++) dims[axis++] = shape->kernel[i];
    static const dnnl_format_tag_t tags[6] = {dnnl_abc, dnnl_abcd, dnnl_abcde, dnnl_abcdef};
    return dnnl_memory_desc_init_by_tag(desc, axis, dims, dnnl_f32, any ? dnnl_format_tag_any : tags[axis - 3]);
}

static int data_desc(const adnn_conv_shape *shape, int64_t channels, const int64_t *extents, int block,
                     dnnl_memory_desc_t *desc) {
    dnnl_dims_t dims = {shape->n, channels};
    for (int i = 0; i < shape->axes; i++) dims[2 + i] = extents[i];
    return dnnl_memory_desc_init_by_tag(desc, 2 + shape->axes, dims, dnnl_f32, data_tag(shape->axes, block));
}

static int set_post_ops(const adnn_post_ops *post, dnnl_primitive_attr_t attributes) {
    if (!post->sum && !post->clip) return 0;
    dnnl_post_ops_t ops;
    int status = dnnl_post_ops_create(&ops);
    if (status) return status;
    if (post->sum) status = dnnl_post_ops_append_sum(ops, 1);
    int relu = post->low == 0 && post->high == INFINITY;
    if (!status && post->clip)
        status = relu ? dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0)
                      : dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_clip, post->low, post->high);
    if (!status) status = dnnl_primitive_attr_set_post_ops(attributes, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

/// The primitive's descriptor with the weights in a layout of its choice or in the given one.
static int describe(adnn_engine *engine, const adnn_conv_shape *shape, adnn_pass pass, int src_block, int dst_block,
                    const dnnl_memory_desc_t *given, dnnl_primitive_desc_t *result) {
    dnnl_memory_desc_t src, dst, weights, bias;
    int status = data_desc(shape, shape->ic, shape->in, src_block, &src);
    if (!status) status = data_desc(shape, shape->oc, shape->out, dst_block, &dst);
    if (!status && given) weights = *given;
    if (!status && !given) status = plain_weights(shape, &weights, 1);
    if (!status) status = dnnl_memory_desc_init_by_tag(&bias, 1, (dnnl_dims_t){shape->oc}, dnnl_f32, dnnl_x);
    if (status) return status;

    dnnl_dims_t stride, dilate, before, after;
    for (int i = 0; i < shape->axes; i++) {
        stride[i] = shape->stride[i];
        dilate[i] = shape->dilate[i] - 1;
        before[i] = shape->pad[i];
        int64_t span = (shape->kernel[i] - 1) * shape->dilate[i] + 1;
        after[i] = (shape->out[i] - 1) * shape->stride[i] + span - shape->in[i] - shape->pad[i];
    }
    const dnnl_memory_desc_t *with_bias = shape->bias ? &bias : NULL;
    dnnl_convolution_desc_t desc;
    switch (pass) {
    case ADNN_FORWARD_TRAINING:
    case ADNN_FORWARD_INFERENCE:
        status = dnnl_dilated_convolution_forward_desc_init(
            &desc, pass == ADNN_FORWARD_TRAINING ? dnnl_forward_training : dnnl_forward_inference, dnnl_convolution_direct,
            &src, &weights, with_bias, &dst, stride, dilate, before, after);
        break;
    case ADNN_BACKWARD_DATA:
        status = dnnl_dilated_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct, &src, &weights, &dst, stride,
                                                                  dilate, before, after);
        break;
    case ADNN_BACKWARD_WEIGHTS:
        status = dnnl_dilated_convolution_backward_weights_desc_init(&desc, dnnl_convolution_direct, &src, &weights, with_bias,
                                                                     &dst, stride, dilate, before, after);
        break;
    }
    if (status) return status;

    dnnl_primitive_attr_t attributes;
    status = dnnl_primitive_attr_create(&attributes);
    if (status) return status;
    // Scratch comes from the plan's arena: nothing is allocated in a step.
    status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (!status) status = set_post_ops(&shape->post, attributes);
    if (!status) status = dnnl_primitive_desc_create(result, &desc, attributes, engine->engine, NULL);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static const char *implementation(dnnl_primitive_desc_t desc) {
    const char *text = "";
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &text);
    return text ? text : "";
}

static int is_slow(dnnl_primitive_desc_t desc) { return strstr(implementation(desc), "ref") != NULL || strstr(implementation(desc), "gemm") != NULL; }

int adnn_conv_create(adnn_engine *engine, const adnn_conv_shape *shape, adnn_pass pass, int src_block, int dst_block,
                     const adnn_layout *weights, adnn_conv **out) {
    dnnl_primitive_desc_t desc = NULL;
    int status = describe(engine, shape, pass, src_block, dst_block, weights ? &weights->desc : NULL, &desc);
    if (weights && (status || is_slow(desc))) {
        // The given layout has no good kernel: a reorder of the weights costs less, where there is a better one.
        dnnl_primitive_desc_t other = NULL;
        int second = describe(engine, shape, pass, src_block, dst_block, NULL, &other);
        if (!second && (status || !is_slow(other))) {
            if (!status) dnnl_primitive_desc_destroy(desc);
            desc = other;
            status = 0;
        } else if (!second) {
            dnnl_primitive_desc_destroy(other);
        }
    }
    dnnl_memory_desc_t given_src;
    if (!status) status = data_desc(shape, shape->ic, shape->in, src_block ? src_block : 1, &given_src);
    int own_src = 0;
    if (!status && pass == ADNN_BACKWARD_DATA && is_slow(desc)) {
        // The gradient of a plain image of 1 or 3 channels has no good kernel; that of a blocked one, filled up, has.
        dnnl_primitive_desc_t other = NULL;
        if (!describe(engine, shape, pass, 0, dst_block, NULL, &other)) {
            own_src = !is_slow(other);
            dnnl_primitive_desc_destroy(own_src ? desc : other);
            if (own_src) desc = other;
        }
    }
    if (status) {
        if (desc) dnnl_primitive_desc_destroy(desc);
        return status;
    }

    adnn_conv *conv = calloc(1, sizeof *conv);
    if (!conv) {
        dnnl_primitive_desc_destroy(desc);
        return dnnl_out_of_memory;
    }
    conv->engine = engine;
    conv->pass = pass;
    conv->has_bias = shape->bias && pass != ADNN_BACKWARD_DATA;
    dnnl_query_t src = dnnl_query_src_md, dst = dnnl_query_dst_md, wei = dnnl_query_weights_md;
    if (pass == ADNN_BACKWARD_DATA) src = dnnl_query_diff_src_md, dst = dnnl_query_diff_dst_md;
    if (pass == ADNN_BACKWARD_WEIGHTS) dst = dnnl_query_diff_dst_md, wei = dnnl_query_diff_weights_md;
    conv->src = *dnnl_primitive_desc_query_md(desc, src, 0);
    conv->given_src = own_src ? given_src : conv->src;
    conv->dst = *dnnl_primitive_desc_query_md(desc, dst, 0);
    conv->weights = *dnnl_primitive_desc_query_md(desc, wei, 0);
    conv->scratch = *dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    conv->src_block = data_block(shape->axes, &conv->src);
    conv->dst_block = data_block(shape->axes, &conv->dst);
    // The text belongs to the library's code, not to the descriptor.
    conv->implementation = implementation(desc);
    status = plain_weights(shape, &conv->plain_weights, 0);
    if (!status) status = dnnl_memory_desc_init_by_tag(&conv->bias, 1, (dnnl_dims_t){shape->oc}, dnnl_f32, dnnl_x);
    if (!status) status = dnnl_primitive_create(&conv->primitive, desc);
    dnnl_primitive_desc_destroy(desc);
    conv->given_weights = weights ? weights->desc : conv->weights;
    if (!status && !dnnl_memory_desc_equal(&conv->given_weights, &conv->weights)) {
        int back = pass == ADNN_BACKWARD_WEIGHTS;
        status = adnn_reorder_create(engine, back ? &conv->weights : &conv->given_weights,
                                     back ? &conv->given_weights : &conv->weights, &conv->reorder);
    }
    if (!status && !dnnl_memory_desc_equal(&conv->given_src, &conv->src))
        status = adnn_reorder_create(engine, &conv->src, &conv->given_src, &conv->src_reorder);
    if (status) {
        adnn_conv_destroy(conv);
        return status;
    }
    *out = conv;
    return 0;
}

/// Forgets what is bound.
static void unbind(adnn_conv *conv) {
    dnnl_memory_t *all[] = {&conv->memory_src,   &conv->memory_given_src, &conv->memory_dst,    &conv->memory_weights,
                            &conv->memory_given, &conv->memory_bias,      &conv->memory_scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (*all[i]) dnnl_memory_destroy(*all[i]);
        *all[i] = NULL;
    }
    conv->count = 0;
}

void adnn_conv_destroy(adnn_conv *conv) {
    if (!conv) return;
    unbind(conv);
    if (conv->primitive) dnnl_primitive_destroy(conv->primitive);
    if (conv->reorder) dnnl_primitive_destroy(conv->reorder);
    if (conv->src_reorder) dnnl_primitive_destroy(conv->src_reorder);
    free(conv);
}

int adnn_conv_src_block(const adnn_conv *conv) { return conv->src_block; }
int adnn_conv_dst_block(const adnn_conv *conv) { return conv->dst_block; }
int adnn_conv_reorders(const adnn_conv *conv) { return (conv->reorder != NULL) + (conv->src_reorder != NULL); }
const char *adnn_conv_implementation(const adnn_conv *conv) { return conv->implementation; }

int adnn_conv_weights_layout(const adnn_conv *conv, adnn_layout **out) {
    adnn_layout *layout = calloc(1, sizeof *layout);
    if (!layout) return dnnl_out_of_memory;
    layout->desc = conv->weights;
    layout->plain = conv->plain_weights;
    *out = layout;
    return 0;
}

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t adnn_conv_scratch_bytes(const adnn_conv *conv) {
    size_t bytes = aligned(dnnl_memory_desc_get_size(&conv->scratch));
    if (conv->reorder) bytes += aligned(dnnl_memory_desc_get_size(&conv->weights));
    if (conv->src_reorder) bytes += aligned(dnnl_memory_desc_get_size(&conv->src));
    return bytes;
}

int adnn_conv_bind(adnn_conv *conv, float *src, float *weights, float *bias, float *dst, void *scratch) {
    unbind(conv);
    dnnl_engine_t engine = conv->engine->engine;
    char *rest = scratch;
    float *own = weights;
    if (conv->reorder) {
        own = (float *)rest;
        rest += aligned(dnnl_memory_desc_get_size(&conv->weights));
    }
    float *own_src = src;
    if (conv->src_reorder) {
        own_src = (float *)rest;
        rest += aligned(dnnl_memory_desc_get_size(&conv->src));
    }
    int status = dnnl_memory_create(&conv->memory_src, &conv->src, engine, own_src);
    if (!status && conv->src_reorder) status = dnnl_memory_create(&conv->memory_given_src, &conv->given_src, engine, src);
    if (!status) status = dnnl_memory_create(&conv->memory_dst, &conv->dst, engine, dst);
    if (!status) status = dnnl_memory_create(&conv->memory_weights, &conv->weights, engine, own);
    if (!status && conv->reorder) status = dnnl_memory_create(&conv->memory_given, &conv->given_weights, engine, weights);
    if (!status && conv->has_bias) status = dnnl_memory_create(&conv->memory_bias, &conv->bias, engine, bias);
    if (!status) status = dnnl_memory_create(&conv->memory_scratch, &conv->scratch, engine, rest);
    if (status) return status;
    int back = conv->pass == ADNN_BACKWARD_WEIGHTS;
    int from = conv->pass == ADNN_BACKWARD_DATA ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC;
    int to = conv->pass == ADNN_FORWARD_TRAINING || conv->pass == ADNN_FORWARD_INFERENCE ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST;
    conv->arguments[conv->count++] = (dnnl_exec_arg_t){from, conv->memory_src};
    conv->arguments[conv->count++] = (dnnl_exec_arg_t){to, conv->memory_dst};
    conv->arguments[conv->count++] = (dnnl_exec_arg_t){back ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, conv->memory_weights};
    if (conv->has_bias)
        conv->arguments[conv->count++] = (dnnl_exec_arg_t){back ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS, conv->memory_bias};
    conv->arguments[conv->count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, conv->memory_scratch};
    return 0;
}

int adnn_conv_execute(adnn_conv *conv) {
    int status = 0;
    int back = conv->pass == ADNN_BACKWARD_WEIGHTS;
    if (conv->reorder && !back) status = adnn_reorder_execute(conv->engine, conv->reorder, conv->memory_given, conv->memory_weights);
    if (!status)
        status = dnnl_primitive_execute(conv->primitive, conv->engine->stream, conv->count, conv->arguments);
    if (!status && conv->reorder && back)
        status = adnn_reorder_execute(conv->engine, conv->reorder, conv->memory_weights, conv->memory_given);
    if (!status && conv->src_reorder)
        status = adnn_reorder_execute(conv->engine, conv->src_reorder, conv->memory_src, conv->memory_given_src);
    return status;
}
