// WebP by libwebp; animations are refused.
#include "decoder.h"

#include <anneal_library.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>

#define WEBP_FUNCTIONS(EACH) EACH(WebP, DecodeRGBAInto) EACH(WebP, DecodeRGBInto) EACH(WebP, GetFeaturesInternal)
struct libwebp {
    ANNEAL_LIBRARY_MEMBERS(WEBP_FUNCTIONS)
};
ANNEAL_LIBRARY(libwebp, "libwebp.so.7", WEBP_FUNCTIONS)

int anneal_webp_begin(
    anneal_image_source *source, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels,
        anneal_image_size *size, char *message) {
    WebPBitstreamFeatures features;
    if (!libwebp()) return anneal_image_lacks_library("WebP", "libwebp7", message);
    // WebPGetFeatures is an inline function.
    if (libwebp()->GetFeaturesInternal(bytes, length, &features, WEBP_DECODER_ABI_VERSION) != VP8_STATUS_OK) {
        snprintf(message, ANNEAL_IMAGE_MESSAGE, "not a whole WebP image: its header is damaged or cut off");
        return -1;
    }
    size->width = features.width;
    size->height = features.height;
    if (features.has_animation) {
        snprintf(message, ANNEAL_IMAGE_MESSAGE, "an animated WebP image is not read");
        return -1;
    }
    if (features.height <= 0 || features.width > max_pixels / features.height) return ANNEAL_IMAGE_TOO_LARGE;
    size->channels = channels ? channels : features.has_alpha ? 4 : 3;
    *source = (anneal_image_source){bytes, length, *size};
    return 0;
}

int anneal_webp_finish(const anneal_image_source *source, uint8_t *out, char *message) {
    size_t area = (size_t)source->size.width * (size_t)source->size.height;
    int channels = source->size.channels, read = channels == 1 ? 3 : channels;
    uint8_t *pixels = channels == 1 ? malloc(area * 3) : out;
    if (!pixels) {
        snprintf(message, ANNEAL_IMAGE_MESSAGE, "no memory for a WebP image");
        return -1;
    }
    size_t capacity = area * (size_t)read;
    int stride = source->size.width * read;
    uint8_t *done = read == 4 ? libwebp()->DecodeRGBAInto(source->bytes, source->length, pixels, capacity, stride)
                              : libwebp()->DecodeRGBInto(source->bytes, source->length, pixels, capacity, stride);
    if (done && channels == 1) anneal_image_to_gray(pixels, area, 3, out);
    if (channels == 1) free(pixels);
    if (done) return 0;
    snprintf(message, ANNEAL_IMAGE_MESSAGE, "not a whole WebP image: its data is damaged or cut off");
    return -1;
}
