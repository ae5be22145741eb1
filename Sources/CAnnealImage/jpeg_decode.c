// JPEG by libjpeg-turbo with its defaults (accurate integer DCT, fancy upsampling), which OpenCV and MXNet use too.
#include "decoder.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>

struct anneal_jpeg {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    char *message;
    int channels;  // in the result: 1, 3 or 4
    int decoding;  // the header has been read
    int ended;     // the data ended before the end marker
};

static anneal_jpeg *owner(j_common_ptr info) { return info->client_data; }

static void fail(j_common_ptr info) {
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    snprintf(owner(info)->message, ANNEAL_IMAGE_MESSAGE, "not a whole JPEG image: %s", text);
    longjmp(owner(info)->escape, 1);
}

// Warnings that leave every pixel intact are ignored; the others mean lost pixels, filled with gray, and a half-gray
// training image should not go unnoticed. A missing end marker alone loses nothing: truncated entropy-coded data also
// gives JWRN_HIT_MARKER, and missing scans are found by has_all_scans.
static void warn(j_common_ptr info, int level) {
    if (level >= 0) return;
    switch (info->err->msg_code) {
        case JWRN_EXTRANEOUS_DATA:
        case JWRN_JFIF_MAJOR:
        case JWRN_ADOBE_XFORM:
            return;
        case JWRN_JPEG_EOF:
            if (!owner(info)->decoding) fail(info);
            owner(info)->ended = 1;
            return;
        default:
            fail(info);
    }
}

// A few kilobytes of progressive scans can take minutes; real files have about ten scans.
static void watch(j_common_ptr info) {
    if (((j_decompress_ptr)info)->input_scan_number > 200) {
        snprintf(owner(info)->message, ANNEAL_IMAGE_MESSAGE, "a JPEG image of more than 200 scans is refused");
        longjmp(owner(info)->escape, 1);
    }
}

anneal_jpeg *anneal_jpeg_new(char *message) {
    anneal_jpeg *jpeg = calloc(1, sizeof *jpeg);
    if (!jpeg) {
        snprintf(message, ANNEAL_IMAGE_MESSAGE, "no memory for a decoder");
        return NULL;
    }
    jpeg->message = message;
    jpeg->info.err = jpeg_std_error(&jpeg->errors);
    jpeg->errors.error_exit = fail;
    jpeg->errors.emit_message = warn;
    jpeg->info.client_data = jpeg;
    if (setjmp(jpeg->escape)) {
        free(jpeg);
        return NULL;
    }
    jpeg_create_decompress(&jpeg->info);
    jpeg->info.client_data = jpeg;
    jpeg->progress.progress_monitor = watch;
    jpeg->info.progress = &jpeg->progress;
    return jpeg;
}

void anneal_jpeg_free(anneal_jpeg *jpeg) {
    if (!jpeg) return;
    jpeg_destroy_decompress(&jpeg->info);
    free(jpeg);
}

int anneal_jpeg_begin(
    anneal_jpeg *jpeg, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels, anneal_image_size *size) {
    struct jpeg_decompress_struct *info = &jpeg->info;
    if (setjmp(jpeg->escape)) {
        jpeg_abort_decompress(info);
        return -1;
    }
    jpeg_abort_decompress(info);
    jpeg->decoding = jpeg->ended = 0;
    jpeg_mem_src(info, bytes, length);
    jpeg_read_header(info, TRUE);
    int64_t width = info->image_width, height = info->image_height;
    size->width = (int32_t)width;
    size->height = (int32_t)height;
    // A Huffman code has at least one bit, and each 8 x 8 block at least one code; halved, since components may be
    // subsampled.
    int refused = width > max_pixels / height
                      ? ANNEAL_IMAGE_TOO_LARGE
                      : anneal_image_check_length(width, height, width * height / (2 * 64 * 8), length, jpeg->message);
    if (refused) {
        jpeg_abort_decompress(info);
        return refused;
    }
    if (channels == 0) channels = info->jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
    if (info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK) {
        info->out_color_space = JCS_CMYK;
    } else {
        info->out_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_EXT_RGBA;
    }
    info->scale_num = info->scale_denom = 1;
    jpeg->channels = channels;
    size->channels = channels;
    return 0;
}

// Inverted CMYK, as Adobe's programs write it, to RGB or gray by OpenCV's formulas.
static void convert_cmyk(const uint8_t *row, size_t width, int channels, uint8_t *out) {
    for (size_t x = 0; x < width; x++, row += 4, out += channels) {
        int k = row[3];
        int r = k - ((255 - row[0]) * k >> 8);
        int g = k - ((255 - row[1]) * k >> 8);
        int b = k - ((255 - row[2]) * k >> 8);
        if (channels == 1) {
            out[0] = (uint8_t)((4899 * r + 9617 * g + 1868 * b + (1 << 13)) >> 14);
            continue;
        }
        out[0] = (uint8_t)r;
        out[1] = (uint8_t)g;
        out[2] = (uint8_t)b;
        if (channels == 4) out[3] = 255;
    }
}

// Whether every component was read at full precision although the data ended before the end marker.
static int has_all_scans(j_decompress_ptr info) {
    // The arithmetic decoder reads missing data as zeros without a warning.
    if (info->arith_code) return 0;
    for (int c = 0; c < info->num_components; c++) {
        // It is kept from a component's first scan on.
        if (!info->comp_info[c].quant_table) return 0;
        if (!info->progressive_mode) continue;
        // 0: all bits of the coefficient have been read.
        for (int k = 0; k < DCTSIZE2; k++) {
            if (!info->coef_bits || info->coef_bits[c][k] != 0) return 0;
        }
    }
    return 1;
}

// Pixels beyond the edges of a part affect it, since chroma is interpolated.
enum { MARGIN = 16 };

int anneal_jpeg_finish_part(
    anneal_jpeg *jpeg, int denominator, int32_t x, int32_t y, int32_t width, int32_t height, uint8_t *out) {
    struct jpeg_decompress_struct *info = &jpeg->info;
    if (setjmp(jpeg->escape)) {
        jpeg_abort_decompress(info);
        return -1;
    }
    jpeg->decoding = 1;
    info->scale_num = 1;
    info->scale_denom = (unsigned)denominator;
    jpeg_start_decompress(info);
    if (jpeg->ended && !has_all_scans(info)) {
        snprintf(jpeg->message, ANNEAL_IMAGE_MESSAGE, "not a whole JPEG image: it ends before its last scan");
        jpeg_abort_decompress(info);
        return -1;
    }
    int64_t right = (int64_t)x + width, bottom = (int64_t)y + height;
    if (right > info->output_width || bottom > info->output_height) {
        snprintf(jpeg->message, ANNEAL_IMAGE_MESSAGE, "the part lies outside the JPEG image");
        jpeg_abort_decompress(info);
        return -1;
    }
    JDIMENSION left = x > MARGIN ? (JDIMENSION)(x - MARGIN) : 0, columns = info->output_width - left;
    if ((int64_t)columns > right + MARGIN - left) columns = (JDIMENSION)(right + MARGIN - left);
    int is_cmyk = info->out_color_space == JCS_CMYK;
    size_t components = is_cmyk ? 4 : (size_t)jpeg->channels;
    // It begins at a block boundary.
    jpeg_crop_scanline(info, &left, &columns);
    JSAMPARRAY row =
        info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, columns * (JDIMENSION)components, 1);
    size_t skipped = (size_t)((JDIMENSION)x - left) * components;
    JDIMENSION above = y > MARGIN ? (JDIMENSION)(y - MARGIN) : 0;
    if (above > 0) jpeg_skip_scanlines(info, above);
    while (info->output_scanline < (JDIMENSION)bottom) {
        int wanted = info->output_scanline >= (JDIMENSION)y;
        jpeg_read_scanlines(info, row, 1);
        if (!wanted) continue;
        if (is_cmyk) convert_cmyk(row[0] + skipped, (size_t)width, jpeg->channels, out);
        else memcpy(out, row[0] + skipped, (size_t)width * components);
        out += (size_t)width * (size_t)jpeg->channels;
    }
    jpeg_abort_decompress(info);
    return 0;
}

int anneal_jpeg_finish(anneal_jpeg *jpeg, uint8_t *out) {
    struct jpeg_decompress_struct *info = &jpeg->info;
    if (setjmp(jpeg->escape)) {
        jpeg_abort_decompress(info);
        return -1;
    }
    jpeg->decoding = 1;
    jpeg_start_decompress(info);
    // Multiple scans have all been read by now. A single scan is read row by row and gives a warning if it is
    // truncated.
    if (jpeg->ended && !has_all_scans(info)) {
        snprintf(jpeg->message, ANNEAL_IMAGE_MESSAGE, "not a whole JPEG image: it ends before its last scan");
        jpeg_abort_decompress(info);
        return -1;
    }
    size_t stride = (size_t)info->output_width * (size_t)jpeg->channels;
    JSAMPARRAY cmyk = NULL;
    if (info->out_color_space == JCS_CMYK) {
        cmyk = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->output_width * 4, 1);
    }
    enum { ROWS = 16 };
    while (info->output_scanline < info->output_height) {
        JSAMPROW rows[ROWS];
        JDIMENSION left = info->output_height - info->output_scanline, count = left < ROWS ? left : ROWS;
        for (JDIMENSION i = 0; i < count; i++) rows[i] = out + stride * (info->output_scanline + i);
        if (cmyk) {
            jpeg_read_scanlines(info, cmyk, 1);
            convert_cmyk(cmyk[0], info->output_width, jpeg->channels, rows[0]);
        } else {
            jpeg_read_scanlines(info, rows, count);
        }
    }
    jpeg_finish_decompress(info);
    return 0;
}
