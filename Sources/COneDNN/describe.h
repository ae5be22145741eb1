// The primitives that oneDNN has for a pass of a convolution.
#ifndef ONEDNN_DESCRIBE_H
#define ONEDNN_DESCRIBE_H
#include "private.h"

/// src, or its gradient, with blocks of channels; 0: of oneDNN's choice.
int onednn_src_desc(const anneal_conv *c, int block, memory_desc *desc);
int onednn_dst_desc(const anneal_conv *c, int block, memory_desc *desc);
/// The block of a layout of src or dst, 0 if it is none of ours.
int onednn_src_block(const anneal_conv *c, const_memory_desc desc);
int onednn_dst_block(const anneal_conv *c, const_memory_desc desc);
/// In MXNet's order, or in one of oneDNN's choice.
int onednn_weights_desc(const anneal_conv *c, int any, memory_desc *desc);
int onednn_bias_desc(const anneal_conv *c, memory_desc *desc);

/// What the caller gives a pass.
typedef struct {
    const anneal_conv *conv;
    anneal_pass pass;
    const onednn_conv_options *options;
    int src_block, dst_block;
    const_memory_desc weights; ///< NULL: in a layout of oneDNN's choice
} onednn_conv_request;

/// The best primitive for a pass. It may take other weights than those requested, and backward data another src
/// (*own_src = 1), if that is faster with a reorder than without.
int onednn_conv_choose(onednn_engine *engine, const onednn_conv_request *request, dnnl_primitive_desc_t *result,
                       int *own_src);
const char *onednn_primitive_name(dnnl_primitive_desc_t desc);
#endif
