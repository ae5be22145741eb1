#include "describe.h"

#include <math.h>
#include <string.h>

static dnnl_format_tag_t data_tag(int64_t axes, int block) {
    static const dnnl_format_tag_t tags[3][3] = {{dnnl_ncw, dnnl_nCw8c, dnnl_nCw16c},
                                                 {dnnl_nchw, dnnl_nChw8c, dnnl_nChw16c},
                                                 {dnnl_ncdhw, dnnl_nCdhw8c, dnnl_nCdhw16c}};
    if (block == 0) return dnnl_format_tag_any;
    return tags[axes - 1][block == 1 ? 0 : block == 8 ? 1 : 2];
}

static int data_desc(const anneal_conv *c, int64_t channels, const int64_t extents[3], int block, memory_desc *desc) {
    dnnl_dims_t dims = {c->n, channels};
    memcpy(dims + 2, extents + 3 - c->axes, sizeof(int64_t) * (size_t)c->axes);
    return onednn_memory_desc_create(desc, 2 + (int)c->axes, dims, data_tag(c->axes, block));
}

int onednn_src_desc(const anneal_conv *c, int block, memory_desc *desc) {
    return data_desc(c, c->groups * c->ic, (int64_t[]){c->id, c->ih, c->iw}, block, desc);
}

int onednn_dst_desc(const anneal_conv *c, int block, memory_desc *desc) {
    return data_desc(c, c->groups * c->oc, (int64_t[]){c->od, c->oh, c->ow}, block, desc);
}

static int block_of(const anneal_conv *c, const_memory_desc desc, int (*make)(const anneal_conv *, int, memory_desc *)) {
    static const int blocks[3] = {8, 16, 1};
    for (int i = 0; i < 3; i++) {
        memory_desc candidate = NULL;
        if (make(c, blocks[i], &candidate)) continue;
        int is_equal = dnnl_memory_desc_equal(candidate, desc);
        onednn_memory_desc_destroy(candidate);
        if (is_equal) return blocks[i];
    }
    return 0;
}

int onednn_src_block(const anneal_conv *c, const_memory_desc desc) { return block_of(c, desc, onednn_src_desc); }
int onednn_dst_block(const anneal_conv *c, const_memory_desc desc) { return block_of(c, desc, onednn_dst_desc); }

int onednn_weights_desc(const anneal_conv *c, int any, memory_desc *desc) {
    static const dnnl_format_tag_t tags[] = {dnnl_abc, dnnl_abcd, dnnl_abcde, dnnl_abcdef};
    int64_t kernel[3] = {c->kd, c->kh, c->kw};
    dnnl_dims_t dims;
    int count = 0;
    if (c->groups > 1) dims[count++] = c->groups;
    dims[count++] = c->oc;
    dims[count++] = c->ic;
    for (int64_t axis = 3 - c->axes; axis < 3; axis++) dims[count++] = kernel[axis];
    return onednn_memory_desc_create(desc, count, dims, any ? dnnl_format_tag_any : tags[count - 3]);
}

int onednn_bias_desc(const anneal_conv *c, memory_desc *desc) {
    return onednn_memory_desc_create(desc, 1, (dnnl_dims_t){c->groups * c->oc}, dnnl_x);
}

/// The numbers of the axes in oneDNN's convolutions.
static void set_window(const anneal_conv *c, onednn_conv_desc *desc) {
    int64_t in[3] = {c->id, c->ih, c->iw}, out[3] = {c->od, c->oh, c->ow}, kernel[3] = {c->kd, c->kh, c->kw};
    int64_t stride[3] = {c->sd, c->sh, c->sw}, pad[3] = {c->pd, c->ph, c->pw}, dilation[3] = {c->dd, c->dh, c->dw};
    for (int64_t i = 0, axis = 3 - c->axes; axis < 3; i++, axis++) {
        desc->stride[i] = stride[axis];
        desc->dilation[i] = dilation[axis] - 1;
        desc->before[i] = pad[axis];
        int64_t span = (kernel[axis] - 1) * dilation[axis] + 1;
        desc->after[i] = (out[axis] - 1) * stride[axis] + span - in[axis] - pad[axis];
    }
}

static int set_post_ops(const anneal_post *post, dnnl_primitive_attr_t attributes) {
    if (!post->sum && !post->clip) return 0;
    dnnl_post_ops_t ops;
    int status = dnnl_post_ops_create(&ops);
    if (status) return status;
    if (post->sum) status = onednn_append_sum(ops);
    int relu = post->low == 0 && post->high == INFINITY;
    if (!status && post->clip)
        status = relu ? onednn_append_eltwise(ops, dnnl_eltwise_relu, 0, 0)
                      : onednn_append_eltwise(ops, dnnl_eltwise_clip, post->low, post->high);
    if (!status) status = dnnl_primitive_attr_set_post_ops(attributes, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

static dnnl_prop_kind_t kind_of(const onednn_conv_request *r) {
    switch (r->pass) {
    case ANNEAL_BACKWARD_DATA: return dnnl_backward_data;
    case ANNEAL_BACKWARD_WEIGHTS: return dnnl_backward_weights;
    default: return r->options->inference ? dnnl_forward_inference : dnnl_forward_training;
    }
}

/// oneDNN's first implementation for a request.
static int describe(onednn_engine *engine, const onednn_conv_request *r, dnnl_primitive_desc_t *result) {
    memory_desc src = NULL, dst = NULL, weights = NULL, bias = NULL;
    dnnl_primitive_attr_t attributes = NULL;
    int status = onednn_src_desc(r->conv, r->src_block, &src);
    if (!status) status = onednn_dst_desc(r->conv, r->dst_block, &dst);
    if (!status && !r->weights) status = onednn_weights_desc(r->conv, 1, &weights);
    if (!status && r->options->bias) status = onednn_bias_desc(r->conv, &bias);
    if (!status) status = dnnl_primitive_attr_create(&attributes);
    // Scratch comes from the plan's arena: nothing is allocated in a step.
    if (!status) status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (!status) status = set_post_ops(&r->options->post, attributes);
    if (!status) {
        onednn_conv_desc desc = {
            .kind = kind_of(r), .src = src, .weights = r->weights ? r->weights : weights, .bias = bias, .dst = dst};
        set_window(r->conv, &desc);
        status = onednn_conv_primitive_desc_create(result, engine->engine, &desc, attributes);
    }
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    onednn_memory_desc_destroy(src);
    onednn_memory_desc_destroy(dst);
    onednn_memory_desc_destroy(weights);
    onednn_memory_desc_destroy(bias);
    return status;
}

const char *onednn_primitive_name(dnnl_primitive_desc_t desc) {
    const char *text = "";
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &text);
    return text ? text : "";
}

static int is_slow(dnnl_primitive_desc_t desc) {
    const char *name = onednn_primitive_name(desc);
    return strstr(name, "ref") != NULL || strstr(name, "gemm") != NULL;
}

/// Replaces *desc (NULL: none) with the fast primitive for another request, if there is one. Returns whether it did.
static int replace_by_fast(onednn_engine *engine, const onednn_conv_request *other, int or_slow,
                           dnnl_primitive_desc_t *desc) {
    dnnl_primitive_desc_t found = NULL;
    if (describe(engine, other, &found)) return 0;
    if (is_slow(found) && !or_slow) {
        dnnl_primitive_desc_destroy(found);
        return 0;
    }
    if (*desc) dnnl_primitive_desc_destroy(*desc);
    *desc = found;
    return 1;
}

int onednn_conv_choose(onednn_engine *engine, const onednn_conv_request *request, dnnl_primitive_desc_t *result,
                       int *own_src) {
    onednn_conv_request other = *request;
    *own_src = 0;
    int status = describe(engine, request, result);
    if (status) *result = NULL;
    other.weights = NULL;
    // If the given layout has no good kernel but another one does, reordering the weights costs less.
    if (request->weights && (status || is_slow(*result)) && replace_by_fast(engine, &other, status != 0, result))
        status = 0;
    if (status) return status;
    if (request->pass == ANNEAL_BACKWARD_DATA && is_slow(*result)) {
        // For a plain image of 1 or 3 channels, the gradient has no good kernel; for a blocked, padded one it has.
        other.src_block = 0;
        *own_src = replace_by_fast(engine, &other, 0, result);
    }
    return 0;
}
