#include <stdio.h>
#include <stdlib.h>

#include "describe.h"

/// An array that a convolution reads or writes.
typedef struct {
    memory_desc desc;
    dnnl_memory_t memory; ///< NULL if none is bound
} operand;

/// The caller's weights and src are GIVEN if the primitive uses another layout.
enum { SRC, GIVEN_SRC, DST, WEIGHTS, GIVEN_WEIGHTS, BIAS, SCRATCH, OPERANDS };

struct onednn_conv {
    onednn_engine *engine;
    anneal_pass pass;
    int has_bias, src_block, dst_block;
    dnnl_primitive_t primitive;
    dnnl_primitive_t reorder;     ///< between the caller's weights and the primitive's, NULL if they are the same
    dnnl_primitive_t src_reorder; ///< backward data: from the primitive's src to the caller's, NULL if they are the same
    operand operands[OPERANDS];
    memory_desc plain_weights;
    char implementation[64]; ///< a copy: oneDNN 3 keeps some of these texts in the descriptor
    dnnl_exec_arg_t arguments[5]; ///< the primitive's: src, dst, weights, scratch and bias, if there is one
    int count;
};

/// Copies the descriptors that the primitive has chosen.
static int copy_descs(onednn_conv *conv, dnnl_primitive_desc_t desc) {
    dnnl_query_t queries[OPERANDS] = {[SRC] = dnnl_query_src_md,
                                      [DST] = dnnl_query_dst_md,
                                      [WEIGHTS] = dnnl_query_weights_md,
                                      [SCRATCH] = dnnl_query_scratchpad_md};
    if (conv->pass == ANNEAL_BACKWARD_DATA) queries[SRC] = dnnl_query_diff_src_md;
    if (conv->pass == ANNEAL_BACKWARD_WEIGHTS) queries[WEIGHTS] = dnnl_query_diff_weights_md;
    if (conv->pass != ANNEAL_FORWARD) queries[DST] = dnnl_query_diff_dst_md;
    int status = 0;
    for (int i = 0; i < OPERANDS && !status; i++)
        if (queries[i])
            status = onednn_memory_desc_clone(&conv->operands[i].desc, dnnl_primitive_desc_query_md(desc, queries[i], 0));
    return status;
}

/// Creates a reorder between an operand of the primitive and the caller's, if they differ.
static int make_reorder(onednn_conv *conv, int own, int given, int is_result, dnnl_primitive_t *reorder) {
    const_memory_desc a = conv->operands[given].desc, b = conv->operands[own].desc;
    if (!a || dnnl_memory_desc_equal(a, b)) return 0;
    return is_result ? onednn_reorder_create(conv->engine, b, a, reorder)
                     : onednn_reorder_create(conv->engine, a, b, reorder);
}

static int prepare(onednn_conv *conv, const onednn_conv_request *request, dnnl_primitive_desc_t desc, int own_src) {
    const anneal_conv *shape = request->conv;
    operand *operands = conv->operands;
    int status = copy_descs(conv, desc);
    if (status) return status;
    conv->src_block = onednn_src_block(shape, operands[SRC].desc);
    conv->dst_block = onednn_dst_block(shape, operands[DST].desc);
    snprintf(conv->implementation, sizeof conv->implementation, "%s", onednn_primitive_name(desc));
    status = onednn_weights_desc(shape, 0, &conv->plain_weights);
    if (!status) status = onednn_bias_desc(shape, &operands[BIAS].desc);
    if (!status && own_src)
        status = onednn_src_desc(shape, request->src_block ? request->src_block : 1, &operands[GIVEN_SRC].desc);
    if (!status && request->weights) status = onednn_memory_desc_clone(&operands[GIVEN_WEIGHTS].desc, request->weights);
    if (!status) status = dnnl_primitive_create(&conv->primitive, desc);
    if (!status)
        status = make_reorder(conv, WEIGHTS, GIVEN_WEIGHTS, conv->pass == ANNEAL_BACKWARD_WEIGHTS, &conv->reorder);
    if (!status) status = make_reorder(conv, SRC, GIVEN_SRC, 1, &conv->src_reorder);
    return status;
}

int onednn_conv_create(onednn_engine *engine, const anneal_conv *shape, anneal_pass pass, const onednn_conv_options *options,
                       int src_block, int dst_block, const onednn_layout *weights, onednn_conv **out) {
    onednn_conv_request request = {shape, pass, options, src_block, dst_block, weights ? weights->desc : NULL};
    dnnl_primitive_desc_t desc = NULL;
    int own_src = 0, status = onednn_conv_choose(engine, &request, &desc, &own_src);
    if (status) return status;
    onednn_conv *conv = calloc(1, sizeof *conv);
    if (conv) {
        conv->engine = engine;
        conv->pass = pass;
        conv->has_bias = options->bias && pass != ANNEAL_BACKWARD_DATA;
        status = prepare(conv, &request, desc, own_src);
    } else {
        status = dnnl_out_of_memory;
    }
    dnnl_primitive_desc_destroy(desc);
    if (status) {
        onednn_conv_destroy(conv);
        return status;
    }
    *out = conv;
    return 0;
}

/// Unbinds all memory.
static void unbind(onednn_conv *conv) {
    for (int i = 0; i < OPERANDS; i++) {
        if (conv->operands[i].memory) dnnl_memory_destroy(conv->operands[i].memory);
        conv->operands[i].memory = NULL;
    }
    conv->count = 0;
}

void onednn_conv_destroy(onednn_conv *conv) {
    if (!conv) return;
    unbind(conv);
    if (conv->primitive) dnnl_primitive_destroy(conv->primitive);
    if (conv->reorder) dnnl_primitive_destroy(conv->reorder);
    if (conv->src_reorder) dnnl_primitive_destroy(conv->src_reorder);
    for (int i = 0; i < OPERANDS; i++) onednn_memory_desc_destroy(conv->operands[i].desc);
    onednn_memory_desc_destroy(conv->plain_weights);
    free(conv);
}

int onednn_conv_src_block(const onednn_conv *conv) { return conv->src_block; }
int onednn_conv_dst_block(const onednn_conv *conv) { return conv->dst_block; }
int onednn_conv_reorders(const onednn_conv *conv) { return (conv->reorder != NULL) + (conv->src_reorder != NULL); }
const char *onednn_conv_implementation(const onednn_conv *conv) { return conv->implementation; }

int onednn_conv_weights_layout(const onednn_conv *conv, onednn_layout **out) {
    onednn_layout *layout = calloc(1, sizeof *layout);
    if (!layout) return dnnl_out_of_memory;
    int status = onednn_memory_desc_clone(&layout->desc, conv->operands[WEIGHTS].desc);
    if (!status) status = onednn_memory_desc_clone(&layout->plain, conv->plain_weights);
    if (status)
        onednn_layout_destroy(layout);
    else
        *out = layout;
    return status;
}

/// Bytes of an operand, rounded up to cache lines.
static size_t room(const onednn_conv *conv, int operand) {
    return (dnnl_memory_desc_get_size(conv->operands[operand].desc) + 63) / 64 * 64;
}

size_t onednn_conv_scratch_bytes(const onednn_conv *conv) {
    return room(conv, SCRATCH) + (conv->reorder ? room(conv, WEIGHTS) : 0) + (conv->src_reorder ? room(conv, SRC) : 0);
}

static int bind(onednn_conv *conv, int operand, void *data) {
    return dnnl_memory_create(&conv->operands[operand].memory, conv->operands[operand].desc, conv->engine->engine, data);
}

static void pass_argument(onednn_conv *conv, int name, int operand) {
    conv->arguments[conv->count++] = (dnnl_exec_arg_t){name, conv->operands[operand].memory};
}

int onednn_conv_bind(onednn_conv *conv, float *src, float *weights, float *bias, float *dst, void *scratch) {
    unbind(conv);
    char *rest = scratch;
    float *own_weights = weights, *own_src = src;
    if (conv->reorder) {
        own_weights = (float *)rest;
        rest += room(conv, WEIGHTS);
    }
    if (conv->src_reorder) {
        own_src = (float *)rest;
        rest += room(conv, SRC);
    }
    int status = bind(conv, SRC, own_src);
    if (!status && conv->src_reorder) status = bind(conv, GIVEN_SRC, src);
    if (!status) status = bind(conv, DST, dst);
    if (!status) status = bind(conv, WEIGHTS, own_weights);
    if (!status && conv->reorder) status = bind(conv, GIVEN_WEIGHTS, weights);
    if (!status && conv->has_bias) status = bind(conv, BIAS, bias);
    if (!status) status = bind(conv, SCRATCH, rest);
    if (status) return status;
    int back = conv->pass == ANNEAL_BACKWARD_WEIGHTS;
    pass_argument(conv, conv->pass == ANNEAL_BACKWARD_DATA ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, SRC);
    pass_argument(conv, conv->pass == ANNEAL_FORWARD ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, DST);
    pass_argument(conv, back ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, WEIGHTS);
    if (conv->has_bias) pass_argument(conv, back ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS, BIAS);
    pass_argument(conv, DNNL_ARG_SCRATCHPAD, SCRATCH);
    return 0;
}

int onednn_conv_execute(onednn_conv *conv) {
    const operand *operands = conv->operands;
    dnnl_memory_t own = operands[WEIGHTS].memory, given = operands[GIVEN_WEIGHTS].memory;
    int status = 0, back = conv->pass == ANNEAL_BACKWARD_WEIGHTS;
    if (conv->reorder && !back) status = onednn_reorder_execute(conv->engine, conv->reorder, given, own);
    if (!status) status = dnnl_primitive_execute(conv->primitive, conv->engine->stream, conv->count, conv->arguments);
    if (!status && conv->reorder && back) status = onednn_reorder_execute(conv->engine, conv->reorder, own, given);
    if (!status && conv->src_reorder)
        status = onednn_reorder_execute(conv->engine, conv->src_reorder, operands[SRC].memory, operands[GIVEN_SRC].memory);
    return status;
}
