// One decoder for both formats: the first bytes say which.
#include "decoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ani_decoder {
    char message[ANI_MESSAGE];
    ani_jpeg *jpeg;
    ani_png *png;
    enum { NOTHING, JPEG, PNG } pending;
    ani_size size;
};

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
        snprintf(d->message, ANI_MESSAGE, "%zu bytes that are neither a JPEG nor a PNG image", length);
        return -1;
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
    return format == JPEG ? ani_jpeg_finish(d->jpeg, out) : ani_png_finish(d->png, out);
}
