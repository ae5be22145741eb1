// PNG by libpng, converted to 8 bits as in OpenCV: 16 bits keep the high byte, palettes become colours, alpha is
// dropped (not blended) unless requested, gray is 0.299 R + 0.587 G + 0.114 B.
#include "decoder.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <png.h>

struct anneal_png {
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t left;
    char *message;
    anneal_image_size size;
    int passes;
    int has_pixels;  // libpng has every row, and is reading to the end of the compressed data
    size_t surplus;  // bytes of compressed data read since then
    int stopped;     // more than the limit
};

// Limit of compressed data after the last pixel. libpng inflates it only to drop it, and a few kilobytes inflate to
// gigabytes.
static const size_t most_surplus = 16384;

static void fail(png_structp png, png_const_charp text) {
    anneal_png *self = png_get_error_ptr(png);
    snprintf(self->message, ANNEAL_IMAGE_MESSAGE, "not a whole PNG image: %s", text);
    png_longjmp(png, 1);
}

static void warn(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void read_bytes(png_structp png, png_bytep out, size_t count) {
    anneal_png *self = png_get_io_ptr(png);
    if (self->has_pixels && (self->surplus += count) > most_surplus) {
        self->stopped = 1;
        png_longjmp(png, 1);
    }
    if (count > self->left) png_error(png, "it ends early");
    memcpy(out, self->bytes, count);
    self->bytes += count;
    self->left -= count;
}

static int is_last_row(const anneal_png *self, int pass, size_t row) {
    return pass == self->passes - 1 && row == (size_t)self->size.height - 1;
}

// libpng calls it with each row of pixels, and searches for the end of the data only after that.
static void see_row(png_structp png, png_row_infop row, png_bytep pixels) {
    (void)row;
    (void)pixels;
    anneal_png *self = png_get_user_transform_ptr(png);
    if (is_last_row(self, png_get_current_pass_number(png), png_get_current_row_number(png))) self->has_pixels = 1;
}

static void close_image(anneal_png *self) {
    if (self->png) png_destroy_read_struct(&self->png, &self->info, NULL);
}

anneal_png *anneal_png_new(char *message) {
    anneal_png *self = calloc(1, sizeof *self);
    if (self) self->message = message;
    else snprintf(message, ANNEAL_IMAGE_MESSAGE, "no memory for a decoder");
    return self;
}

void anneal_png_free(anneal_png *self) {
    if (!self) return;
    close_image(self);
    free(self);
}

// Returns the number of passes: 1, or 7 for an interlaced image.
static int set_conversions(png_structp png, png_infop info, int channels) {
    int type = png_get_color_type(png, info);
    int depth = png_get_bit_depth(png, info);
    int coloured = (type & PNG_COLOR_MASK_COLOR) != 0;
    if (depth == 16) png_set_strip_16(png);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (!coloured && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (channels == 4) {
        if (png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
        else if (!(type & PNG_COLOR_MASK_ALPHA)) png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
    } else {
        png_set_strip_alpha(png);
    }
    if (channels == 1 && coloured) png_set_rgb_to_gray(png, PNG_ERROR_ACTION_NONE, 0.299, 0.587);
    if (channels != 1 && !coloured) png_set_gray_to_rgb(png);
    png_set_read_user_transform_fn(png, see_row);
    png_set_user_transform_info(png, png_get_error_ptr(png), 0, 0);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return passes;
}

// Text, palette histograms and the like do not affect the pixels, but libpng would inflate each text. The chunks about
// the colour space (used by libpng's conversion to gray) are kept; each occurs only once and is small.
static void skip_ancillary_chunks(png_structp png) {
    static const png_byte names[] =
        "tEXt\0zTXt\0iTXt\0sPLT\0eXIf\0hIST\0tIME\0pCAL\0sCAL\0pHYs\0oFFs\0bKGD";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, sizeof names / 5);
    png_set_chunk_cache_max(png, 64);
    png_set_chunk_malloc_max(png, 8000000);
}

int anneal_png_begin(
    anneal_png *self, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels, anneal_image_size *size) {
    close_image(self);
    self->bytes = bytes;
    self->left = length;
    self->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, self, fail, warn);
    if (!self->png) {
        snprintf(self->message, ANNEAL_IMAGE_MESSAGE, "no memory for a decoder");
        return -1;
    }
    if (setjmp(png_jmpbuf(self->png))) {
        close_image(self);
        return -1;
    }
    self->info = png_create_info_struct(self->png);
    if (!self->info) png_error(self->png, "no memory");
    // The number of pixels is checked below, before memory is allocated for them.
    png_set_user_limits(self->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    skip_ancillary_chunks(self->png);
    png_set_read_fn(self->png, self, read_bytes);
    png_read_info(self->png, self->info);
    png_uint_32 width = png_get_image_width(self->png, self->info);
    png_uint_32 height = png_get_image_height(self->png, self->info);
    size->width = (int32_t)width;
    size->height = (int32_t)height;
    int refused = width > max_pixels / height ? ANNEAL_IMAGE_TOO_LARGE : 0;
    if (!refused) {
        // zlib compresses at most 1032 bytes into one.
        int64_t packed = (int64_t)png_get_rowbytes(self->png, self->info) * height / 1032;
        refused = anneal_image_check_length(width, height, packed, length, self->message);
    }
    if (refused) {
        close_image(self);
        return refused;
    }
    if (channels == 0) {
        int type = png_get_color_type(self->png, self->info);
        int clear = (type & PNG_COLOR_MASK_ALPHA) || png_get_valid(self->png, self->info, PNG_INFO_tRNS);
        channels = clear ? 4 : (type & PNG_COLOR_MASK_COLOR) ? 3 : 1;
    }
    self->passes = set_conversions(self->png, self->info, channels);
    // It must match what the caller allocates.
    if (png_get_rowbytes(self->png, self->info) != (size_t)width * (size_t)channels) {
        png_error(self->png, "a combination of colour type and depth that is not supported");
    }
    self->size = (anneal_image_size){(int32_t)width, (int32_t)height, channels};
    self->has_pixels = self->stopped = 0;
    self->surplus = 0;
    *size = self->size;
    return 0;
}

int anneal_png_finish(anneal_png *self, uint8_t *out) {
    if (setjmp(png_jmpbuf(self->png))) {
        close_image(self);
        // All pixels have been read.
        return self->stopped ? 0 : -1;
    }
    size_t height = (size_t)self->size.height;
    size_t stride = (size_t)self->size.width * (size_t)self->size.channels;
    // Like png_read_image, without an array of pointers to rows, which takes more memory than the rows of a narrow
    // image.
    for (int pass = 0; pass < self->passes; pass++) {
        for (size_t y = 0; y < height; y++) {
            // The last pass of an interlaced image has only every second row.
            if (self->passes > 1 && y % 2 == 0 && is_last_row(self, pass, y)) self->has_pixels = 1;
            png_read_row(self->png, out + y * stride, NULL);
        }
    }
    // The rest is skipped, not inflated.
    self->has_pixels = 0;
    png_read_end(self->png, NULL);
    close_image(self);
    return 0;
}
