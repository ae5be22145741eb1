#include "versions.h"

#if DNNL_VERSION_MAJOR == 2
#include <stdlib.h>

int onednn_memory_desc_create(memory_desc *out, int axes, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
    memory_desc desc = malloc(sizeof *desc);
    if (!desc) return dnnl_out_of_memory;
    int status = dnnl_memory_desc_init_by_tag(desc, axes, dims, dnnl_f32, tag);
    if (status)
        free(desc);
    else
        *out = desc;
    return status;
}

int onednn_memory_desc_clone(memory_desc *out, const_memory_desc other) {
    memory_desc desc = malloc(sizeof *desc);
    if (!desc) return dnnl_out_of_memory;
    *desc = *other;
    *out = desc;
    return 0;
}

void onednn_memory_desc_destroy(memory_desc desc) { free(desc); }

int onednn_append_sum(dnnl_post_ops_t ops) { return dnnl_post_ops_append_sum(ops, 1); }

int onednn_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta) {
    return dnnl_post_ops_append_eltwise(ops, 1, kind, alpha, beta);
}

int onednn_conv_primitive_desc_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, const onednn_conv_desc *c,
                                      const_dnnl_primitive_attr_t attributes) {
    dnnl_convolution_desc_t desc;
    int status;
    switch (c->kind) {
    case dnnl_backward_data:
        status = dnnl_dilated_convolution_backward_data_desc_init(
            &desc, dnnl_convolution_direct, c->src, c->weights, c->dst, c->stride, c->dilation, c->before, c->after);
        break;
    case dnnl_backward_weights:
        status = dnnl_dilated_convolution_backward_weights_desc_init(&desc, dnnl_convolution_direct, c->src, c->weights,
                                                                     c->bias, c->dst, c->stride, c->dilation, c->before,
                                                                     c->after);
        break;
    default:
        status = dnnl_dilated_convolution_forward_desc_init(&desc, c->kind, dnnl_convolution_direct, c->src, c->weights,
                                                            c->bias, c->dst, c->stride, c->dilation, c->before, c->after);
    }
    return status ? status : dnnl_primitive_desc_create(result, &desc, attributes, engine, NULL);
}
#endif
