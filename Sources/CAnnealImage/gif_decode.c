// GIF by giflib: the first frame, on the animation's canvas. Where the frame leaves it free, the background is black,
// or transparent if alpha is requested. Only this frame is read, line by line.
#include "decoder.h"

#include <anneal_library.h>
#include <gif_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIF_FUNCTIONS(EACH) \
    EACH(DGif, CloseFile) EACH(DGif, GetExtension) EACH(DGif, GetExtensionNext) EACH(DGif, GetImageDesc) EACH(DGif, GetLine) \
    EACH(DGif, GetRecordType) EACH(DGif, Open)
struct libgif {
    ANNEAL_LIBRARY_MEMBERS(GIF_FUNCTIONS)
};
ANNEAL_LIBRARY(libgif, "libgif.so.7", GIF_FUNCTIONS)

typedef struct {
    const uint8_t *bytes;
    size_t left;
} stream;

static int read_bytes(GifFileType *gif, GifByteType *out, int count) {
    stream *from = gif->UserData;
    size_t taken = (size_t)count < from->left ? (size_t)count : from->left;
    memcpy(out, from->bytes, taken);
    from->bytes += taken;
    from->left -= taken;
    return (int)taken;
}

static int fail(char *message, const char *problem) {
    snprintf(message, ANNEAL_IMAGE_MESSAGE, "not a whole GIF image: %s", problem);
    return -1;
}

// Reads up to the first frame; stores its transparent colour, or -1, in `clear`.
static GifFileType *open_frame(stream *from, int *clear, char *message) {
    int code = 0;
    GifFileType *gif = libgif()->Open(from, read_bytes, &code);
    if (!gif) {
        fail(message, "its header is damaged or cut off");
        return NULL;
    }
    *clear = -1;
    GifRecordType type;
    while (libgif()->GetRecordType(gif, &type) == GIF_OK && type != TERMINATE_RECORD_TYPE) {
        if (type == IMAGE_DESC_RECORD_TYPE) {
            if (libgif()->GetImageDesc(gif) == GIF_OK) return gif;
            break;
        }
        if (type != EXTENSION_RECORD_TYPE) continue;
        int kind;
        GifByteType *block;
        int status = libgif()->GetExtension(gif, &kind, &block);
        // Graphics control: length 4, flags, delay, transparent colour.
        if (status == GIF_OK && kind == GRAPHICS_EXT_FUNC_CODE && block && block[0] >= 4 && (block[1] & 1)) {
            *clear = block[4];
        }
        while (status == GIF_OK && block) status = libgif()->GetExtensionNext(gif, &block);
        if (status != GIF_OK) break;
    }
    libgif()->CloseFile(gif, NULL);
    fail(message, "it has no frame, or is cut off before it");
    return NULL;
}

int anneal_gif_begin(
    anneal_image_source *source, const uint8_t *bytes, size_t length, int channels, int64_t max_pixels,
        anneal_image_size *size, char *message) {
    if (!libgif()) return anneal_image_lacks_library("GIF", "libgif7", message);
    if (length < 13) return fail(message, "its header is cut off");
    size->width = bytes[6] | bytes[7] << 8;
    size->height = bytes[8] | bytes[9] << 8;
    if (size->width == 0 || size->height == 0) return fail(message, "it says it has no pixels");
    if (size->width > max_pixels / size->height) return ANNEAL_IMAGE_TOO_LARGE;
    size->channels = channels ? channels : 3;
    *source = (anneal_image_source){bytes, length, *size};
    return 0;
}

static int draw(GifFileType *gif, const anneal_image_size *size, int clear, GifByteType *line, uint8_t *rgba,
                char *message) {
    const GifImageDesc *frame = &gif->Image;
    const ColorMapObject *colours = frame->ColorMap ? frame->ColorMap : gif->SColorMap;
    if (!colours) return fail(message, "it has no colours");
    static const int starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};
    int passes = frame->Interlace ? 4 : 1;
    for (int pass = 0; pass < passes; pass++) {
        int start = frame->Interlace ? starts[pass] : 0, step = frame->Interlace ? steps[pass] : 1;
        for (int y = start; y < frame->Height; y += step) {
            if (libgif()->GetLine(gif, line, frame->Width) != GIF_OK)
                return fail(message, "its pixels are damaged or cut off");
            int row = frame->Top + y;
            if (row < 0 || row >= size->height) continue;
            for (int x = 0; x < frame->Width; x++) {
                int column = frame->Left + x;
                if (column < 0 || column >= size->width || line[x] == clear) continue;
                if (line[x] >= colours->ColorCount) return fail(message, "a pixel has a colour that is not there");
                uint8_t *out = rgba + ((size_t)row * (size_t)size->width + (size_t)column) * 4;
                const GifColorType *colour = &colours->Colors[line[x]];
                out[0] = colour->Red;
                out[1] = colour->Green;
                out[2] = colour->Blue;
                out[3] = 255;
            }
        }
    }
    return 0;
}

int anneal_gif_finish(const anneal_image_source *source, uint8_t *out, char *message) {
    stream from = {source->bytes, source->length};
    int clear = -1;
    GifFileType *gif = open_frame(&from, &clear, message);
    if (!gif) return -1;
    size_t area = (size_t)source->size.width * (size_t)source->size.height;
    int width = gif->Image.Width > 0 ? gif->Image.Width : 1, channels = source->size.channels, failed = -1;
    GifByteType *line = malloc((size_t)width);
    uint8_t *rgba = calloc(area, 4);
    if (line && rgba) failed = draw(gif, &source->size, clear, line, rgba, message);
    else snprintf(message, ANNEAL_IMAGE_MESSAGE, "no memory for a GIF image");
    if (!failed && channels == 1) anneal_image_to_gray(rgba, area, 4, out);
    if (!failed && channels == 4) memcpy(out, rgba, area * 4);
    if (!failed && channels == 3) {
        for (size_t i = 0; i < area; i++) memcpy(out + 3 * i, rgba + 4 * i, 3);
    }
    free(line);
    free(rgba);
    libgif()->CloseFile(gif, NULL);
    return failed;
}
