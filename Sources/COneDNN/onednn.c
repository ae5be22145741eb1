#include <stdlib.h>

#include "private.h"

const char *onednn_status_text(int status) {
    switch (status) {
    case dnnl_success: return "success";
    case dnnl_out_of_memory: return "out of memory";
    case dnnl_invalid_arguments: return "invalid arguments";
    case dnnl_unimplemented: return "not implemented for these shapes";
    case dnnl_runtime_error: return "runtime error";
    default: return "unknown status";
    }
}

onednn_version_numbers onednn_version(void) {
    const dnnl_version_t *version = dnnl_version();
    return (onednn_version_numbers){version->major, version->minor, version->patch};
}

int onednn_engine_create(onednn_engine **out) {
    onednn_engine *engine = calloc(1, sizeof *engine);
    if (!engine) return dnnl_out_of_memory;
    int status = dnnl_engine_create(&engine->engine, dnnl_cpu, 0);
    if (!status) status = dnnl_stream_create(&engine->stream, engine->engine, dnnl_stream_default_flags);
    if (status) {
        onednn_engine_destroy(engine);
        return status;
    }
    *out = engine;
    return 0;
}

void onednn_engine_destroy(onednn_engine *engine) {
    if (!engine) return;
    if (engine->stream) dnnl_stream_destroy(engine->stream);
    if (engine->engine) dnnl_engine_destroy(engine->engine);
    free(engine);
}

size_t onednn_layout_elements(const onednn_layout *layout) {
    return dnnl_memory_desc_get_size(layout->desc) / sizeof(float);
}

int onednn_layout_equal(const onednn_layout *a, const onednn_layout *b) {
    return dnnl_memory_desc_equal(a->desc, b->desc);
}

void onednn_layout_destroy(onednn_layout *layout) {
    if (!layout) return;
    onednn_memory_desc_destroy(layout->desc);
    onednn_memory_desc_destroy(layout->plain);
    free(layout);
}

int onednn_reorder_create(onednn_engine *engine, const_memory_desc from, const_memory_desc to, dnnl_primitive_t *reorder) {
    dnnl_primitive_desc_t desc;
    int status = dnnl_reorder_primitive_desc_create(&desc, from, engine->engine, to, engine->engine, NULL);
    if (status) return status;
    status = dnnl_primitive_create(reorder, desc);
    dnnl_primitive_desc_destroy(desc);
    return status;
}

int onednn_reorder_execute(onednn_engine *engine, dnnl_primitive_t reorder, dnnl_memory_t from, dnnl_memory_t to) {
    dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return dnnl_primitive_execute(reorder, engine->stream, 2, arguments);
}

static int copy_once(onednn_engine *engine, const_memory_desc from, const float *source, const_memory_desc to,
                     float *target) {
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t source_memory = NULL, target_memory = NULL;
    int status = onednn_reorder_create(engine, from, to, &reorder);
    if (!status) status = dnnl_memory_create(&source_memory, from, engine->engine, (void *)source);
    if (!status) status = dnnl_memory_create(&target_memory, to, engine->engine, target);
    if (!status) status = onednn_reorder_execute(engine, reorder, source_memory, target_memory);
    if (!status) status = dnnl_stream_wait(engine->stream);
    if (source_memory) dnnl_memory_destroy(source_memory);
    if (target_memory) dnnl_memory_destroy(target_memory);
    if (reorder) dnnl_primitive_destroy(reorder);
    return status;
}

int onednn_layout_pack(onednn_engine *engine, const onednn_layout *layout, const float *plain, float *packed) {
    return copy_once(engine, layout->plain, plain, layout->desc, packed);
}

int onednn_layout_unpack(onednn_engine *engine, const onednn_layout *layout, const float *packed, float *plain) {
    return copy_once(engine, layout->desc, packed, layout->plain, plain);
}

int onednn_sgemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                 int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    return dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
