// Encodes JPEG and PNG to memory.
#include "anneal_image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <png.h>

void anneal_image_bytes_free(anneal_image_bytes *bytes) {
    free(bytes->data);
    bytes->data = NULL;
    bytes->length = 0;
}

typedef struct {
    struct jpeg_error_mgr errors;
    jmp_buf escape;
    anneal_image_bytes *out;
} jpeg_state;

static void jpeg_fail(j_common_ptr info) {
    jpeg_state *state = info->client_data;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    snprintf(state->out->error, sizeof state->out->error, "JPEG encoder: %s", text);
    longjmp(state->escape, 1);
}

static void jpeg_quiet(j_common_ptr info, int level) {
    (void)info;
    (void)level;
}

int anneal_encode_jpeg(const uint8_t *pixels, int width, int height, int channels, int quality, anneal_image_bytes *out) {
    struct jpeg_compress_struct info;
    jpeg_state state;
    unsigned long length = 0;
    unsigned char *written = NULL;
    memset(out, 0, sizeof *out);
    memset(&info, 0, sizeof info);
    state.out = out;
    info.err = jpeg_std_error(&state.errors);
    state.errors.error_exit = jpeg_fail;
    state.errors.emit_message = jpeg_quiet;
    info.client_data = &state;
    if (setjmp(state.escape)) {
        // `written` may be a buffer that libjpeg has replaced and freed: after a failure it is not used.
        jpeg_destroy_compress(&info);
        return -1;
    }
    jpeg_create_compress(&info);
    info.client_data = &state;
    jpeg_mem_dest(&info, &written, &length);
    info.image_width = (JDIMENSION)width;
    info.image_height = (JDIMENSION)height;
    info.input_components = channels;
    info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    size_t stride = (size_t)width * (size_t)channels;
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = (JSAMPROW)(pixels + stride * info.next_scanline);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    out->data = written;
    out->length = length;
    return 0;
}

typedef struct {
    anneal_image_bytes *out;
    size_t capacity;
} png_target;

static void png_fail(png_structp png, png_const_charp text) {
    png_target *target = png_get_error_ptr(png);
    snprintf(target->out->error, sizeof target->out->error, "PNG encoder: %s", text);
    png_longjmp(png, 1);
}

static void png_quiet(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void png_put(png_structp png, png_bytep bytes, size_t count) {
    png_target *target = png_get_io_ptr(png);
    anneal_image_bytes *out = target->out;
    if (count > target->capacity - out->length) {
        size_t capacity = (out->length + count) * 2;
        uint8_t *grown = realloc(out->data, capacity);
        if (!grown) png_error(png, "no memory");
        out->data = grown;
        target->capacity = capacity;
    }
    memcpy(out->data + out->length, bytes, count);
    out->length += count;
}

static void png_flush_nothing(png_structp png) { (void)png; }

int anneal_encode_png(const uint8_t *pixels, int width, int height, int channels, int level, anneal_image_bytes *out) {
    memset(out, 0, sizeof *out);
    png_target target = {out, 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &target, png_fail, png_quiet);
    png_infop info = NULL;
    if (png) info = png_create_info_struct(png);
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        snprintf(out->error, sizeof out->error, "PNG encoder: no memory");
        return -1;
    }
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        anneal_image_bytes_free(out);
        return -1;
    }
    png_set_write_fn(png, &target, png_put, png_flush_nothing);
    png_set_compression_level(png, level);
    // zlib clears its tables for every image: for tiny ones that costs more than their compression.
    if ((int64_t)width * height * channels <= 1 << 14) png_set_compression_mem_level(png, 3);
    int type = channels == 1 ? PNG_COLOR_TYPE_GRAY : channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGB_ALPHA;
    png_set_IHDR(
        png, info, (png_uint_32)width, (png_uint_32)height, 8, type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
        PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    size_t stride = (size_t)width * (size_t)channels;
    for (int y = 0; y < height; y++) png_write_row(png, pixels + (size_t)y * stride);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return 0;
}
