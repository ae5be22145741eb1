#ifndef ADNN_PRIVATE_H
#define ADNN_PRIVATE_H
#include "adnn.h"
#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR != 2
#error "Anneal is written for oneDNN 2.x (Debian 12's libdnnl-dev); 3.x has another C interface"
#endif

#define DNNL_TEXT_(x) #x
#define DNNL_TEXT(x) DNNL_TEXT_(x)

struct adnn_engine {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

struct adnn_layout {
    dnnl_memory_desc_t desc;  ///< with a group axis first where there are groups
    dnnl_memory_desc_t plain; ///< MXNet's order, the same axes
};

int adnn_reorder_create(adnn_engine *engine, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                        dnnl_primitive_t *reorder);
int adnn_reorder_execute(adnn_engine *engine, dnnl_primitive_t reorder, dnnl_memory_t from, dnnl_memory_t to);
#endif
