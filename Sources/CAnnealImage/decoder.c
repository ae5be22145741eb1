// One decoder for all formats: the first bytes say which.
#include "decoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ani_decoder {
    char message[ANI_MESSAGE];
    ani_jpeg *jpeg;
    ani_png *png;
    enum { NOTHING, JPEG, PNG, WEBP, GIF, TIFF, BMP } pending;
    ani_source source;
    ani_size size;
};

typedef int begin_function(
    ani_source *source, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels, ani_size *size,
    char *message);
typedef int finish_function(const ani_source *source, uint8_t *out, char *message);

// By what an image of the format begins with.
static const struct {
    const char *start;
    size_t length;
    const char *second;  // at byte 8
    int format;
    begin_function *begin;
    finish_function *finish;
} plain_formats[] = {
    {"RIFF", 4, "WEBP", WEBP, ani_webp_begin, ani_webp_finish},
    {"GIF8", 4, NULL, GIF, ani_gif_begin, ani_gif_finish},
    {"II\x2a\0", 4, NULL, TIFF, ani_tiff_begin, ani_tiff_finish},
    {"MM\0\x2a", 4, NULL, TIFF, ani_tiff_begin, ani_tiff_finish},
    {"BM", 2, NULL, BMP, ani_bmp_begin, ani_bmp_finish},
};
enum { PLAIN_FORMATS = sizeof plain_formats / sizeof plain_formats[0] };

ani_decoder *ani_decoder_new(void) {
    return calloc(1, sizeof(ani_decoder));
}

void ani_decoder_free(ani_decoder *decoder) {
    if (!decoder) return;
    ani_jpeg_free(decoder->jpeg);
    ani_png_free(decoder->png);
    free(decoder);
}

const char *ani_decoder_error(const ani_decoder *decoder) { return decoder->message; }

int ani_check_length(int64_t width, int64_t height, int64_t least, size_t length, char *message) {
    if (least <= (int64_t)length) return 0;
    snprintf(
        message, ANI_MESSAGE, "the image says it has %lld x %lld pixels, which %zu bytes cannot hold: it is cut off",
        (long long)width, (long long)height, length);
    return -1;
}

int ani_decoder_begin(
    ani_decoder *d, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels, ani_size *size) {
    static const uint8_t png_signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    int failed;
    d->pending = NOTHING;
    d->message[0] = 0;
    memset(&d->size, 0, sizeof d->size);
    if (length >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff) {
        if (!d->jpeg && !(d->jpeg = ani_jpeg_new(d->message))) return -1;
        failed = ani_jpeg_begin(d->jpeg, bytes, length, channels, max_pixels, &d->size);
        if (!failed) d->pending = JPEG;
    } else if (length >= 8 && memcmp(bytes, png_signature, 8) == 0) {
        if (!d->png && !(d->png = ani_png_new(d->message))) return -1;
        failed = ani_png_begin(d->png, bytes, length, channels, max_pixels, &d->size);
        if (!failed) d->pending = PNG;
    } else {
        int i = 0;
        for (; i < PLAIN_FORMATS; i++) {
            if (length < 16 || memcmp(bytes, plain_formats[i].start, plain_formats[i].length) != 0) continue;
            if (!plain_formats[i].second || memcmp(bytes + 8, plain_formats[i].second, 4) == 0) break;
        }
        if (i == PLAIN_FORMATS) {
            snprintf(d->message, ANI_MESSAGE, "%zu bytes that are no image of a format that is read", length);
            return -1;
        }
        failed = plain_formats[i].begin(&d->source, bytes, length, channels, max_pixels, &d->size, d->message);
        if (!failed) d->pending = plain_formats[i].format;
    }
    *size = d->size;
    return failed;
}

int ani_decoder_finish(ani_decoder *d, uint8_t *out, size_t capacity) {
    int format = d->pending;
    d->pending = NOTHING;
    if (format == NOTHING || capacity < (size_t)d->size.width * (size_t)d->size.height * (size_t)d->size.channels) {
        snprintf(d->message, ANI_MESSAGE, "the decoder was not given room for an image");
        return -1;
    }
    if (format == JPEG) return ani_jpeg_finish(d->jpeg, out);
    if (format == PNG) return ani_png_finish(d->png, out);
    int i = 0;
    while (plain_formats[i].format != format) i++;
    return plain_formats[i].finish(&d->source, out, d->message);
}

int ani_decoder_can_finish_part(const ani_decoder *d) { return d->pending == JPEG; }

int ani_decoder_finish_part(
    ani_decoder *d, int denominator, int32_t x, int32_t y, int32_t width, int32_t height, uint8_t *out,
    size_t capacity) {
    int format = d->pending;
    d->pending = NOTHING;
    if (format != JPEG || width <= 0 || height <= 0 || x < 0 || y < 0
        || capacity < (size_t)width * (size_t)height * (size_t)d->size.channels) {
        snprintf(d->message, ANI_MESSAGE, "the decoder was not given a part of a JPEG image");
        return -1;
    }
    return ani_jpeg_finish_part(d->jpeg, denominator, x, y, width, height, out);
}
