#include "versions.h"

#if DNNL_VERSION_MAJOR == 3

int onednn_memory_desc_create(memory_desc *desc, int axes, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(desc, axes, dims, dnnl_f32, tag);
}

int onednn_memory_desc_clone(memory_desc *desc, const_memory_desc other) { return dnnl_memory_desc_clone(desc, other); }

void onednn_memory_desc_destroy(memory_desc desc) {
    if (desc) dnnl_memory_desc_destroy(desc);
}

int onednn_append_sum(dnnl_post_ops_t ops) { return dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef); }

int onednn_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta) {
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, beta);
}

int onednn_conv_primitive_desc_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, const onednn_conv_desc *c,
                                      const_dnnl_primitive_attr_t attributes) {
    switch (c->kind) {
    case dnnl_backward_data:
        return dnnl_convolution_backward_data_primitive_desc_create(result, engine, dnnl_convolution_direct, c->src,
                                                                    c->weights, c->dst, c->stride, c->dilation,
                                                                    c->before, c->after, NULL, attributes);
    case dnnl_backward_weights:
        return dnnl_convolution_backward_weights_primitive_desc_create(
            result, engine, dnnl_convolution_direct, c->src, c->weights, c->bias, c->dst, c->stride, c->dilation,
            c->before, c->after, NULL, attributes);
    default:
        return dnnl_convolution_forward_primitive_desc_create(result, engine, c->kind, dnnl_convolution_direct, c->src,
                                                              c->weights, c->bias, c->dst, c->stride, c->dilation,
                                                              c->before, c->after, attributes);
    }
}
#endif
