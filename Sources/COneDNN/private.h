#ifndef ONEDNN_PRIVATE_H
#define ONEDNN_PRIVATE_H
#include "onednn.h"
#include "versions.h"

struct onednn_engine {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

struct onednn_layout {
    memory_desc desc;  ///< with a group axis first if there are groups
    memory_desc plain; ///< in MXNet's order, with the same axes
};

int onednn_reorder_create(onednn_engine *engine, const_memory_desc from, const_memory_desc to, dnnl_primitive_t *reorder);
int onednn_reorder_execute(onednn_engine *engine, dnnl_primitive_t reorder, dnnl_memory_t from, dnnl_memory_t to);
#endif
