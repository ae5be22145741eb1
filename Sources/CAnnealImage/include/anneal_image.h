// Image codecs and loops over pixels. libjpeg and libpng report errors by longjmp, which never leaves these files.
#ifndef ANNEAL_IMAGE_H
#define ANNEAL_IMAGE_H

#include <stddef.h>
#include <stdint.h>

// Decoding ---------------------------------------------------------------------------------------------------------

// Decodes JPEG, PNG, WebP, GIF (the first frame), TIFF and BMP from memory. A decoder is reused for many images, by one
// thread at a time.
typedef struct anneal_decoder anneal_decoder;

typedef struct {
    int32_t width;
    int32_t height;
    int32_t channels;
} anneal_image_size;

// NULL: out of memory.
anneal_decoder *anneal_decoder_new(void);
void anneal_decoder_free(anneal_decoder *decoder);

// The message of the last failed call.
const char *anneal_decoder_error(const anneal_decoder *decoder);

// anneal_decoder_begin: the image has more pixels than allowed.
enum { ANNEAL_IMAGE_TOO_LARGE = 1 };

// Reads the header. channels: 1 gray, 3 RGB, 4 RGBA, 0 as stored (1, 3 or 4). Images with more than max_pixels are
// refused before anything is allocated for them. The bytes must stay valid until anneal_decoder_finish. Returns 0;
// ANNEAL_IMAGE_TOO_LARGE with the image's size; or -1 with an error.
int anneal_decoder_begin(
    anneal_decoder *decoder, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels, anneal_image_size *size);

// Writes width*height*channels interleaved bytes, rows first. Returns 0, or -1 with an error.
int anneal_decoder_finish(anneal_decoder *decoder, uint8_t *out, size_t capacity);

// Whether the current image can be read in parts: JPEG can.
int anneal_decoder_can_finish_part(const anneal_decoder *decoder);

// Instead of anneal_decoder_finish: reads a rectangle of the image at 1/denominator (1, 2, 4 or 8; sides rounded up).
// At denominator 1 the pixels are the same as in the whole image. What comes below the rectangle is not checked.
int anneal_decoder_finish_part(
    anneal_decoder *decoder, int denominator, int32_t x, int32_t y, int32_t width, int32_t height, uint8_t *out,
    size_t capacity);

// Encoding ---------------------------------------------------------------------------------------------------------

typedef struct {
    uint8_t *data;  // free with anneal_image_bytes_free
    size_t length;
    char error[256];
} anneal_image_bytes;

void anneal_image_bytes_free(anneal_image_bytes *bytes);

// channels 1 or 3; quality 1...100; 4:2:0 chroma as OpenCV writes it. Returns 0, or -1 with an error.
int anneal_encode_jpeg(const uint8_t *pixels, int width, int height, int channels, int quality, anneal_image_bytes *out);

// channels 1, 3 or 4; level 0...9 of zlib. Returns 0, or -1 with an error.
int anneal_encode_png(const uint8_t *pixels, int width, int height, int channels, int level, anneal_image_bytes *out);

// Pixels -----------------------------------------------------------------------------------------------------------

// Interleaved (pixels, channels) to planes (channels, pixels), optionally mirroring each row of `width`.
void anneal_image_to_planes(const uint8_t *pixels, int width, int height, int channels, int mirrored, uint8_t *planes);

// out = (pixel - mean) * factor over one plane, in float32 and in this order, as MXNet's iterator computes it.
void anneal_image_normalize(const uint8_t *plane, size_t count, float mean, float factor, float *out);

// Resizes with two taps per axis, in OpenCV's fixed point (2048 is 1): for each new column (row) two positions and two
// weights, which are positive and sum to 2048. sums: room for 2*new_width*channels numbers and one more.
void anneal_image_resize_by_pairs(
    const uint8_t *pixels, int width, int channels, const int32_t *columns, const int32_t *column_weights,
    int new_width, const int32_t *rows, const int32_t *row_weights, int new_height, int16_t *sums, uint8_t *out);

// Gzip -------------------------------------------------------------------------------------------------------------

// Reads a plain or gzip-compressed file as its uncompressed bytes. NULL: see errno.
void *anneal_gzip_open(const char *path);
// Returns the bytes read, fewer than requested only at the end of the file; -1: corrupt or unreadable.
int64_t anneal_gzip_read(void *file, uint8_t *out, size_t count);
void anneal_gzip_close(void *file);

#endif
