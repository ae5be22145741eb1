// What the formats' files show to decoder.c.
#ifndef ANNEAL_IMAGE_DECODER_H
#define ANNEAL_IMAGE_DECODER_H

#include "anneal_image.h"

#define ANI_MESSAGE 256

typedef struct ani_jpeg ani_jpeg;
typedef struct ani_png ani_png;

ani_jpeg *ani_jpeg_new(char *message);
void ani_jpeg_free(ani_jpeg *jpeg);
int ani_jpeg_begin(
    ani_jpeg *jpeg, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels, ani_size *size);
int ani_jpeg_finish(ani_jpeg *jpeg, uint8_t *out);

ani_png *ani_png_new(char *message);
void ani_png_free(ani_png *png);
int ani_png_begin(ani_png *png, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels, ani_size *size);
int ani_png_finish(ani_png *png, uint8_t *out);

// Reads the pixels of a part of the image at 1/denominator, in the coordinates of the reduced image.
int ani_jpeg_finish_part(
    ani_jpeg *jpeg, int denominator, int32_t x, int32_t y, int32_t width, int32_t height, uint8_t *out);

// An image of the formats that keep no state from one image to the next: its bytes, and the size that was asked for.
typedef struct {
    const uint8_t *bytes;
    size_t length;
    ani_size size;
} ani_source;

#define ANI_FORMAT(name)                                                                                          \
    int ani_##name##_begin(                                                                                       \
        ani_source *source, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels, ani_size *size, \
        char *message);                                                                                           \
    int ani_##name##_finish(const ani_source *source, uint8_t *out, char *message)

ANI_FORMAT(webp);
ANI_FORMAT(gif);
ANI_FORMAT(tiff);
ANI_FORMAT(bmp);

// OpenCV's gray of RGB or RGBA pixels: 0.299 R + 0.587 G + 0.114 B in 14 bits after the point.
void ani_to_gray(const uint8_t *pixels, size_t count, int channels, uint8_t *out);

// 0 when `length` bytes can hold an image that takes at least `least`, else -1 with a message: a few bytes that promise
// a large image must not be given memory for it.
int ani_check_length(int64_t width, int64_t height, int64_t least, size_t length, char *message);

#endif
