// One decoder for all formats, selected by the first bytes.
#include "decoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct anneal_decoder {
    char message[ANNEAL_IMAGE_MESSAGE];
    anneal_jpeg *jpeg;
    anneal_png *png;
    enum { NOTHING, JPEG, PNG, WEBP, GIF, TIFF, BMP } pending;
    anneal_image_source source;
    anneal_image_size size;
};

typedef int begin_function(
    anneal_image_source *source, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels,
        anneal_image_size *size, char *message);
typedef int finish_function(const anneal_image_source *source, uint8_t *out, char *message);

// Magic bytes at the beginning of an image of the format.
static const struct {
    const char *start;
    size_t length;
    const char *second;  // at byte 8
    int format;
    begin_function *begin;
    finish_function *finish;
} plain_formats[] = {
    {"RIFF", 4, "WEBP", WEBP, anneal_webp_begin, anneal_webp_finish},
    {"GIF8", 4, NULL, GIF, anneal_gif_begin, anneal_gif_finish},
    {"II\x2a\0", 4, NULL, TIFF, anneal_tiff_begin, anneal_tiff_finish},
    {"MM\0\x2a", 4, NULL, TIFF, anneal_tiff_begin, anneal_tiff_finish},
    {"BM", 2, NULL, BMP, anneal_bmp_begin, anneal_bmp_finish},
};
enum { PLAIN_FORMATS = sizeof plain_formats / sizeof plain_formats[0] };

anneal_decoder *anneal_decoder_new(void) {
    return calloc(1, sizeof(anneal_decoder));
}

void anneal_decoder_free(anneal_decoder *decoder) {
    if (!decoder) return;
    anneal_jpeg_free(decoder->jpeg);
    anneal_png_free(decoder->png);
    free(decoder);
}

const char *anneal_decoder_error(const anneal_decoder *decoder) { return decoder->message; }

int anneal_image_lacks_library(const char *format, const char *package, char *message) {
    snprintf(
        message, ANNEAL_IMAGE_MESSAGE, "a %s image, and the library that reads them is not there: install %s", format,
        package);
    return -1;
}

int anneal_image_check_length(int64_t width, int64_t height, int64_t least, size_t length, char *message) {
    if (least <= (int64_t)length) return 0;
    snprintf(
        message, ANNEAL_IMAGE_MESSAGE, "the image says it has %lld x %lld pixels, which %zu bytes cannot hold: it is cut off",
        (long long)width, (long long)height, length);
    return -1;
}

int anneal_decoder_begin(
    anneal_decoder *d, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels, anneal_image_size *size) {
    static const uint8_t png_signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    int failed;
    d->pending = NOTHING;
    d->message[0] = 0;
    memset(&d->size, 0, sizeof d->size);
    if (length >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff) {
        if (!d->jpeg && !(d->jpeg = anneal_jpeg_new(d->message))) return -1;
        failed = anneal_jpeg_begin(d->jpeg, bytes, length, channels, max_pixels, &d->size);
        if (!failed) d->pending = JPEG;
    } else if (length >= 8 && memcmp(bytes, png_signature, 8) == 0) {
        if (!d->png && !(d->png = anneal_png_new(d->message))) return -1;
        failed = anneal_png_begin(d->png, bytes, length, channels, max_pixels, &d->size);
        if (!failed) d->pending = PNG;
    } else {
        int i = 0;
        for (; i < PLAIN_FORMATS; i++) {
            if (length < 16 || memcmp(bytes, plain_formats[i].start, plain_formats[i].length) != 0) continue;
            if (!plain_formats[i].second || memcmp(bytes + 8, plain_formats[i].second, 4) == 0) break;
        }
        if (i == PLAIN_FORMATS) {
            snprintf(d->message, ANNEAL_IMAGE_MESSAGE, "%zu bytes that are no image of a format that is read", length);
            return -1;
        }
        failed = plain_formats[i].begin(&d->source, bytes, length, channels, max_pixels, &d->size, d->message);
        if (!failed) d->pending = plain_formats[i].format;
    }
    *size = d->size;
    return failed;
}

int anneal_decoder_finish(anneal_decoder *d, uint8_t *out, size_t capacity) {
    int format = d->pending;
    d->pending = NOTHING;
    if (format == NOTHING || capacity < (size_t)d->size.width * (size_t)d->size.height * (size_t)d->size.channels) {
        snprintf(d->message, ANNEAL_IMAGE_MESSAGE, "the decoder was not given room for an image");
        return -1;
    }
    if (format == JPEG) return anneal_jpeg_finish(d->jpeg, out);
    if (format == PNG) return anneal_png_finish(d->png, out);
    int i = 0;
    while (plain_formats[i].format != format) i++;
    return plain_formats[i].finish(&d->source, out, d->message);
}

int anneal_decoder_can_finish_part(const anneal_decoder *d) { return d->pending == JPEG; }

int anneal_decoder_finish_part(
    anneal_decoder *d, int denominator, int32_t x, int32_t y, int32_t width, int32_t height, uint8_t *out,
    size_t capacity) {
    int format = d->pending;
    d->pending = NOTHING;
    if (format != JPEG || width <= 0 || height <= 0 || x < 0 || y < 0
        || capacity < (size_t)width * (size_t)height * (size_t)d->size.channels) {
        snprintf(d->message, ANNEAL_IMAGE_MESSAGE, "the decoder was not given a part of a JPEG image");
        return -1;
    }
    return anneal_jpeg_finish_part(d->jpeg, denominator, x, y, width, height, out);
}
