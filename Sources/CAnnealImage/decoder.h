// What the files of the formats provide to decoder.c.
#ifndef ANNEAL_IMAGE_DECODER_H
#define ANNEAL_IMAGE_DECODER_H

#include "anneal_image.h"

#define ANNEAL_IMAGE_MESSAGE 256

typedef struct anneal_jpeg anneal_jpeg;
typedef struct anneal_png anneal_png;

anneal_jpeg *anneal_jpeg_new(char *message);
void anneal_jpeg_free(anneal_jpeg *jpeg);
int anneal_jpeg_begin(
    anneal_jpeg *jpeg, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels, anneal_image_size *size);
int anneal_jpeg_finish(anneal_jpeg *jpeg, uint8_t *out);

anneal_png *anneal_png_new(char *message);
void anneal_png_free(anneal_png *png);
int anneal_png_begin(anneal_png *png, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels,
                     anneal_image_size *size);
int anneal_png_finish(anneal_png *png, uint8_t *out);

// Reads the pixels of a part of the image at 1/denominator, in the coordinates of the reduced image.
int anneal_jpeg_finish_part(
    anneal_jpeg *jpeg, int denominator, int32_t x, int32_t y, int32_t width, int32_t height, uint8_t *out);

// An image of a format that keeps no state between images: its bytes, and the requested size.
typedef struct {
    const uint8_t *bytes;
    size_t length;
    anneal_image_size size;
} anneal_image_source;

#define ANNEAL_IMAGE_FORMAT(name)                                                                                   \
    int anneal_##name##_begin(                                                                                      \
        anneal_image_source *source, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels,         \
        anneal_image_size *size, char *message);                                                                    \
    int anneal_##name##_finish(const anneal_image_source *source, uint8_t *out, char *message)

ANNEAL_IMAGE_FORMAT(webp);
ANNEAL_IMAGE_FORMAT(gif);
ANNEAL_IMAGE_FORMAT(tiff);
ANNEAL_IMAGE_FORMAT(bmp);

// OpenCV's gray from RGB or RGBA pixels: 0.299 R + 0.587 G + 0.114 B with 14 fractional bits.
void anneal_image_to_gray(const uint8_t *pixels, size_t count, int channels, uint8_t *out);

// Reports that images of a format cannot be read without the package of its library; returns -1.
int anneal_image_lacks_library(const char *format, const char *package, char *message);

// 0 if `length` bytes can hold an image that takes at least `least`, else -1 with a message: no memory must be
// allocated for a large image that only a few bytes promise.
int anneal_image_check_length(int64_t width, int64_t height, int64_t least, size_t length, char *message);

#endif
