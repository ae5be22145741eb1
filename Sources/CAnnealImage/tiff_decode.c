// TIFF by libtiff: the first image of the file, as stored (its orientation is EXIF's, and read there).
#include "decoder.h"

#include <anneal_library.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

#define TIFF_FUNCTIONS(EACH) \
    EACH(TIFF, ClientOpenExt) EACH(TIFF, Close) EACH(TIFF, GetField) EACH(TIFF, GetFieldDefaulted) \
    EACH(TIFF, OpenOptionsAlloc) EACH(TIFF, OpenOptionsFree) EACH(TIFF, OpenOptionsSetErrorHandlerExtR) \
    EACH(TIFF, OpenOptionsSetMaxSingleMemAlloc) EACH(TIFF, OpenOptionsSetWarningHandlerExtR) EACH(TIFF, RGBAImageOK) \
    EACH(TIFF, ReadRGBAImageOriented)
struct libtiff {
    ANNEAL_LIBRARY_MEMBERS(TIFF_FUNCTIONS)
};
ANNEAL_LIBRARY(libtiff, "libtiff.so.6", TIFF_FUNCTIONS)

typedef struct {
    const uint8_t *bytes;
    toff_t length;
    toff_t at;
} stream;

static tmsize_t read_bytes(thandle_t handle, void *out, tmsize_t count) {
    stream *from = handle;
    if (count <= 0 || from->at >= from->length) return 0;
    toff_t left = from->length - from->at, taken = (toff_t)count < left ? (toff_t)count : left;
    memcpy(out, from->bytes + from->at, (size_t)taken);
    from->at += taken;
    return (tmsize_t)taken;
}

static tmsize_t write_nothing(thandle_t handle, void *bytes, tmsize_t count) {
    (void)handle;
    (void)bytes;
    (void)count;
    return 0;
}

static toff_t seek_to(thandle_t handle, toff_t offset, int whence) {
    stream *from = handle;
    toff_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? from->at : from->length;
    from->at = base + offset;
    return from->at;
}

static int close_nothing(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle) { return ((stream *)handle)->length; }

static int say(TIFF *tiff, void *message, const char *module, const char *format, va_list values) {
    (void)tiff;
    (void)module;
    char *text = message;
    // The first error message is the cause.
    if (!text[0]) {
        int start = snprintf(text, ANNEAL_IMAGE_MESSAGE, "not a whole TIFF image: ");
        vsnprintf(text + start, ANNEAL_IMAGE_MESSAGE - (size_t)start, format, values);
    }
    return 1;
}

static int be_quiet(TIFF *tiff, void *data, const char *module, const char *format, va_list values) {
    (void)tiff;
    (void)data;
    (void)module;
    (void)format;
    (void)values;
    return 1;
}

// `area`: the number of pixels that will be read. libtiff must not be made to allocate much more than the sizes of file
// and pixels.
static TIFF *open_image(stream *from, size_t area, char *message) {
    message[0] = 0;
    TIFFOpenOptions *options = libtiff()->OpenOptionsAlloc();
    if (!options) return NULL;
    libtiff()->OpenOptionsSetErrorHandlerExtR(options, say, message);
    libtiff()->OpenOptionsSetWarningHandlerExtR(options, be_quiet, NULL);
    tmsize_t most = ((tmsize_t)4 << 20) + 16 * (tmsize_t)from->length + 8 * (tmsize_t)area;
    libtiff()->OpenOptionsSetMaxSingleMemAlloc(options, most);
    // m: the bytes are already in memory and are not mapped.
    TIFF *tiff = libtiff()->ClientOpenExt(
        "image", "rm", from, read_bytes, write_nothing, seek_to, close_nothing, size_of, NULL, NULL, options);
    libtiff()->OpenOptionsFree(options);
    if (!tiff && !message[0]) snprintf(message, ANNEAL_IMAGE_MESSAGE, "not a whole TIFF image: it cannot be opened");
    return tiff;
}

int anneal_tiff_begin(
    anneal_image_source *source, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels,
        anneal_image_size *size, char *message) {
    if (!libtiff()) return anneal_image_lacks_library("TIFF", "libtiff6", message);
    stream from = {bytes, length, 0};
    TIFF *tiff = open_image(&from, 0, message);
    if (!tiff) return -1;
    uint32_t width = 0, height = 0;
    uint16_t photometric = PHOTOMETRIC_RGB;
    char reason[1024] = "";
    libtiff()->GetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
    libtiff()->GetField(tiff, TIFFTAG_IMAGELENGTH, &height);
    libtiff()->GetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric);
    int failed = 0;
    if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX) {
        snprintf(message, ANNEAL_IMAGE_MESSAGE, "not a whole TIFF image: it says it has no pixels");
        failed = -1;
    } else if ((int64_t)width > max_pixels / (int64_t)height) {
        failed = ANNEAL_IMAGE_TOO_LARGE;
    } else if (!libtiff()->RGBAImageOK(tiff, reason)) {
        snprintf(message, ANNEAL_IMAGE_MESSAGE, "a TIFF image of a kind that is not read: %.200s", reason);
        failed = -1;
    }
    size->width = width > INT32_MAX ? 0 : (int32_t)width;
    size->height = height > INT32_MAX ? 0 : (int32_t)height;
    int gray = photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
    size->channels = channels ? channels : gray ? 1 : 3;
    *source = (anneal_image_source){bytes, length, *size};
    libtiff()->Close(tiff);
    return failed;
}

int anneal_tiff_finish(const anneal_image_source *source, uint8_t *out, char *message) {
    stream from = {source->bytes, source->length, 0};
    size_t area = (size_t)source->size.width * (size_t)source->size.height;
    TIFF *tiff = open_image(&from, area, message);
    if (!tiff) return -1;
    int channels = source->size.channels;
    uint32_t *pixels = calloc(area, sizeof *pixels);
    uint16_t orientation = ORIENTATION_TOPLEFT, extra = 0, *kinds = NULL;
    // libtiff multiplies colours by unassociated alpha; here alpha leaves them unchanged.
    int has_extra = libtiff()->GetField(tiff, TIFFTAG_EXTRASAMPLES, &extra, &kinds) && extra > 0;
    int is_multiplied = has_extra && kinds[0] == EXTRASAMPLE_UNASSALPHA;
    libtiff()->GetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
    int failed = -1;
    if (!pixels) {
        snprintf(message, ANNEAL_IMAGE_MESSAGE, "no memory for a TIFF image");
    } else if (libtiff()->ReadRGBAImageOriented(
                   tiff, (uint32_t)source->size.width, (uint32_t)source->size.height, pixels, orientation, 1)) {
        failed = 0;
        for (size_t i = 0; i < area; i++) {
            uint8_t rgba[4] = {
                (uint8_t)TIFFGetR(pixels[i]), (uint8_t)TIFFGetG(pixels[i]), (uint8_t)TIFFGetB(pixels[i]),
                (uint8_t)TIFFGetA(pixels[i])};
            for (int c = 0; is_multiplied && rgba[3] > 0 && c < 3; c++) {
                int level = (rgba[c] * 255 + rgba[3] / 2) / rgba[3];
                rgba[c] = (uint8_t)(level > 255 ? 255 : level);
            }
            if (channels == 1) anneal_image_to_gray(rgba, 1, 4, out + i);
            else memcpy(out + i * (size_t)channels, rgba, (size_t)channels);
        }
    } else if (!message[0]) {
        snprintf(message, ANNEAL_IMAGE_MESSAGE, "not a whole TIFF image: its pixels are damaged or cut off");
    }
    free(pixels);
    libtiff()->Close(tiff);
    return failed;
}
