// The differences between the C interfaces of oneDNN 2 and 3, in the form of version 3: memory descriptors are handles,
// and a convolution's primitive is described in one call. version2.c and version3.c implement it; everything else is
// shared.
#ifndef ONEDNN_VERSIONS_H
#define ONEDNN_VERSIONS_H
#include <oneapi/dnnl/dnnl.h>

#include "anneal_conv.h"

#if DNNL_VERSION_MAJOR == 2
typedef dnnl_memory_desc_t *memory_desc;
typedef const dnnl_memory_desc_t *const_memory_desc;
#elif DNNL_VERSION_MAJOR == 3
typedef dnnl_memory_desc_t memory_desc;
typedef const_dnnl_memory_desc_t const_memory_desc;
#else
#error "Anneal is written for oneDNN 2 and 3 (libdnnl-dev of Debian 12 and 13)"
#endif

/// A descriptor for floats; the caller destroys it.
int onednn_memory_desc_create(memory_desc *desc, int axes, const dnnl_dims_t dims, dnnl_format_tag_t tag);
int onednn_memory_desc_clone(memory_desc *desc, const_memory_desc other);
void onednn_memory_desc_destroy(memory_desc desc); ///< NULL: nothing

int onednn_append_sum(dnnl_post_ops_t ops);
int onednn_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta);

/// A convolution with oneDNN's convention for dilation: 0 = none.
typedef struct {
    dnnl_prop_kind_t kind;
    const_memory_desc src, weights, bias, dst; ///< or their gradients; bias NULL: none
    dnnl_dims_t stride, dilation, before, after;
} onednn_conv_desc;

int onednn_conv_primitive_desc_create(dnnl_primitive_desc_t *result, dnnl_engine_t engine, const onednn_conv_desc *desc,
                                      const_dnnl_primitive_attr_t attributes);
#endif
