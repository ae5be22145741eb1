// What jpeg_decode.c and png_decode.c show to decoder.c.
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

// 0 when `length` bytes can hold an image that takes at least `least`, else -1 with a message: a few bytes that promise
// a large image must not be given memory for it.
int ani_check_length(int64_t width, int64_t height, int64_t least, size_t length, char *message);

#endif
