// BMP without compression: 1, 4 and 8 bits with a palette, 16, 24 and 32 bits, rows from the bottom or the top.
#include "decoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t word(const uint8_t *at, int size) {
    uint32_t value = 0;
    for (int i = size - 1; i >= 0; i--) value = value << 8 | at[i];
    return value;
}

static int fail(char *message, const char *problem) {
    snprintf(message, ANNEAL_IMAGE_MESSAGE, "not a whole BMP image: %s", problem);
    return -1;
}

typedef struct {
    int64_t width, height;
    int upright;  // rows start at the top
    int bits;
    const uint8_t *palette;  // blue, green, red, and in all but the oldest version a fourth byte
    size_t entry, colours;
    uint32_t masks[3];  // red, green, blue
    size_t start, stride;
} layout;

// Offsets: 2 file size, 10 start of the pixels, 14 the header's length, 18 width, 22 height, 28 bits, 30 compression,
// 46 colours, 54 masks.
static int read_layout(const uint8_t *b, size_t length, layout *image, char *message) {
    if (length < 26) return fail(message, "its header is cut off");
    uint32_t header = word(b + 14, 4), compression = 0, colours = 0;
    memset(image, 0, sizeof *image);
    if (header == 12) {
        image->width = word(b + 18, 2);
        image->height = word(b + 20, 2);
        image->bits = (int)word(b + 24, 2);
        image->entry = 3;
    } else if (header >= 40 && header < 1024 && length >= 54) {
        int32_t height = (int32_t)word(b + 22, 4);
        image->width = (int32_t)word(b + 18, 4);
        image->upright = height < 0;
        image->height = height < 0 ? -(int64_t)height : height;
        image->bits = (int)word(b + 28, 2);
        compression = word(b + 30, 4);
        colours = word(b + 46, 4);
        image->entry = 4;
    } else {
        return fail(message, "its header is damaged or cut off");
    }
    if (image->width <= 0 || image->height <= 0) return fail(message, "it says it has no pixels");
    int with_masks = compression == 3 && (image->bits == 16 || image->bits == 32);
    if (compression != 0 && !with_masks) {
        snprintf(message, ANNEAL_IMAGE_MESSAGE, "a compressed BMP image is not read");
        return -1;
    }
    size_t palette = 14 + (size_t)header;
    if (image->bits == 16) memcpy(image->masks, (uint32_t[3]){0x7c00, 0x3e0, 0x1f}, sizeof image->masks);
    if (image->bits == 32) memcpy(image->masks, (uint32_t[3]){0xff0000, 0xff00, 0xff}, sizeof image->masks);
    if (with_masks) {
        if (length < 66) return fail(message, "its header is cut off");
        for (int c = 0; c < 3; c++) image->masks[c] = word(b + 54 + 4 * c, 4);
        if (header == 40) palette += 12;
    }
    if (image->bits == 1 || image->bits == 4 || image->bits == 8) {
        size_t most = (size_t)1 << image->bits;
        image->colours = colours > 0 && colours < most ? colours : most;
        if (palette > length || image->colours * image->entry > length - palette) {
            return fail(message, "its palette is cut off");
        }
        image->palette = b + palette;
    } else if (image->bits != 16 && image->bits != 24 && image->bits != 32) {
        snprintf(message, ANNEAL_IMAGE_MESSAGE, "a BMP image of %d bits is not read", image->bits);
        return -1;
    }
    image->start = word(b + 10, 4);
    image->stride = (size_t)((image->width * image->bits + 31) / 32 * 4);
    return 0;
}

int anneal_bmp_begin(
    anneal_image_source *source, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels,
        anneal_image_size *size, char *message) {
    layout image;
    if (read_layout(bytes, length, &image, message)) return -1;
    if (image.width > INT32_MAX || image.height > INT32_MAX) return fail(message, "it says it is wider than any image");
    size->width = (int32_t)image.width;
    size->height = (int32_t)image.height;
    if (image.width > max_pixels / image.height) return ANNEAL_IMAGE_TOO_LARGE;
    if (image.start > length || image.stride > (length - image.start) / (size_t)image.height) {
        return fail(message, "it is cut off");
    }
    size->channels = channels ? channels : 3;
    *source = (anneal_image_source){bytes, length, *size};
    return 0;
}

// The bits under a mask, scaled to 0...255.
static uint8_t masked(uint32_t pixel, uint32_t mask) {
    if (!mask) return 0;
    while (!(mask & 1)) {
        mask >>= 1;
        pixel >>= 1;
    }
    return (uint8_t)(((uint64_t)(pixel & mask) * 255 + mask / 2) / mask);
}

int anneal_bmp_finish(const anneal_image_source *source, uint8_t *out, char *message) {
    layout image;
    if (read_layout(source->bytes, source->length, &image, message)) return -1;
    int channels = source->size.channels;
    for (int64_t y = 0; y < image.height; y++) {
        int64_t stored = image.upright ? y : image.height - 1 - y;
        const uint8_t *row = source->bytes + image.start + (size_t)stored * image.stride;
        for (int64_t x = 0; x < image.width; x++, out += channels) {
            uint8_t rgba[4] = {0, 0, 0, 255};
            if (image.palette) {
                int64_t bit = x * image.bits;
                uint32_t index = row[bit / 8] >> (8 - image.bits - bit % 8) & ((1u << image.bits) - 1);
                if (index >= image.colours) return fail(message, "a pixel has a colour that is not there");
                const uint8_t *entry = image.palette + index * image.entry;
                for (int c = 0; c < 3; c++) rgba[c] = entry[2 - c];
            } else if (image.bits == 24) {
                for (int c = 0; c < 3; c++) rgba[c] = row[3 * x + 2 - c];
            } else {
                uint32_t pixel = word(row + image.bits / 8 * x, image.bits / 8);
                for (int c = 0; c < 3; c++) rgba[c] = masked(pixel, image.masks[c]);
            }
            if (channels == 1) anneal_image_to_gray(rgba, 1, 4, out);
            else memcpy(out, rgba, (size_t)channels);
        }
    }
    return 0;
}
