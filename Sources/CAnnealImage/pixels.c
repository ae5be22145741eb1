// The loops over pixels that every sample goes through.
#include "decoder.h"

#include <anneal_processor.h>
#include <string.h>
#ifdef __x86_64__
#include <tmmintrin.h>
#endif

#pragma STDC FP_CONTRACT OFF

#ifdef __x86_64__
// The source of byte i of channel c of 16 pixels in the part-th 16 of their 48 bytes; negative: in another part.
#define FROM(c, part, i) ((3 * (i) + (c)) / 16 == (part) ? (3 * (i) + (c)) % 16 : -128)
#define MASK(c, part)                                                                                         \
    {FROM(c, part, 0),  FROM(c, part, 1),  FROM(c, part, 2),  FROM(c, part, 3),  FROM(c, part, 4),            \
     FROM(c, part, 5),  FROM(c, part, 6),  FROM(c, part, 7),  FROM(c, part, 8),  FROM(c, part, 9),            \
     FROM(c, part, 10), FROM(c, part, 11), FROM(c, part, 12), FROM(c, part, 13), FROM(c, part, 14), FROM(c, part, 15)}
static const int8_t masks[3][3][16] = {
    {MASK(0, 0), MASK(0, 1), MASK(0, 2)}, {MASK(1, 0), MASK(1, 1), MASK(1, 2)}, {MASK(2, 0), MASK(2, 1), MASK(2, 2)}};

// Splits the first pixels of an RGB row into planes, 16 at a time. Returns the number of pixels done.
__attribute__((target("ssse3"))) static int split_row(
    const uint8_t *row, int width, int mirrored, uint8_t *planes, size_t area) {
    const __m128i reversed = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int x = 0;
    for (; x + 16 <= width; x += 16, row += 48) {
        int target = mirrored ? width - 16 - x : x;
        for (size_t c = 0; c < 3; c++) {
            __m128i plane = _mm_setzero_si128();
            for (int part = 0; part < 3; part++) {
                __m128i bytes = _mm_loadu_si128((const __m128i *)(row + 16 * part));
                __m128i mask = _mm_loadu_si128((const __m128i *)masks[c][part]);
                plane = _mm_or_si128(plane, _mm_shuffle_epi8(bytes, mask));
            }
            if (mirrored) plane = _mm_shuffle_epi8(plane, reversed);
            _mm_storeu_si128((__m128i *)(planes + c * area + target), plane);
        }
    }
    return x;
}

#else
static int split_row(const uint8_t *row, int width, int mirrored, uint8_t *planes, size_t area) { return 0; }
#endif

void anneal_image_to_planes(const uint8_t *pixels, int width, int height, int channels, int mirrored, uint8_t *planes) {
    size_t area = (size_t)width * (size_t)height;
    int is_split = channels == 3 && anneal_has_ssse3();
    for (int y = 0; y < height; y++, planes += width) {
        const uint8_t *row = pixels + (size_t)y * (size_t)width * (size_t)channels;
        int done = is_split ? split_row(row, width, mirrored, planes, area) : 0;
        for (int c = 0; c < channels; c++) {
            uint8_t *out = planes + (size_t)c * area;
            const uint8_t *from = row + c;
            if (mirrored) {
                for (int x = done; x < width; x++) out[width - 1 - x] = from[(size_t)x * (size_t)channels];
            } else {
                for (int x = done; x < width; x++) out[x] = from[(size_t)x * (size_t)channels];
            }
        }
    }
}

void anneal_image_normalize(const uint8_t *restrict plane, size_t count, float mean, float factor, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = ((float)plane[i] - mean) * factor;
}

void anneal_image_to_gray(const uint8_t *pixels, size_t count, int channels, uint8_t *out) {
    for (size_t i = 0; i < count; i++, pixels += channels) {
        out[i] = (uint8_t)((4899 * pixels[0] + 9617 * pixels[1] + 1868 * pixels[2] + (1 << 13)) >> 14);
    }
}

// The weighted sums of one row, truncated to 15 bits, as in OpenCV's vector units.
static inline void sum_row(
    const uint8_t *row, int width, int channels, const int32_t *columns, const int32_t *weights, int new_width,
    int16_t *sums) {
    int x = 0;
#ifdef __x86_64__
    // Four bytes are read for a pixel of three: not for the row's last pixel, which nothing may follow.
    for (; channels == 3 && x + 1 < new_width && columns[2 * x + 1] + 1 < width; x++, sums += 3) {
        int32_t a, b;
        memcpy(&a, row + columns[2 * x] * 3, 4);
        memcpy(&b, row + columns[2 * x + 1] * 3, 4);
        __m128i pairs = _mm_unpacklo_epi8(_mm_cvtsi32_si128(a), _mm_cvtsi32_si128(b));
        __m128i both = _mm_set1_epi32(weights[2 * x] | weights[2 * x + 1] << 16);
        __m128i sum = _mm_madd_epi16(_mm_unpacklo_epi8(pairs, _mm_setzero_si128()), both);
        // The next pixel overwrites the fourth number.
        sum = _mm_srai_epi32(sum, 4);
        _mm_storel_epi64((__m128i *)sums, _mm_packs_epi32(sum, sum));
    }
#endif
    for (; x < new_width; x++, sums += channels) {
        const uint8_t *a = row + columns[2 * x] * channels, *b = row + columns[2 * x + 1] * channels;
        int32_t weight_a = weights[2 * x], weight_b = weights[2 * x + 1];
        for (int c = 0; c < channels; c++) sums[c] = (int16_t)((a[c] * weight_a + b[c] * weight_b) >> 4);
    }
}

void anneal_image_resize_by_pairs(
    const uint8_t *pixels, int width, int channels, const int32_t *columns, const int32_t *column_weights,
    int new_width, const int32_t *rows, const int32_t *row_weights, int new_height, int16_t *sums, uint8_t *out) {
    size_t stride = (size_t)width * (size_t)channels, line = (size_t)new_width * (size_t)channels;
    int16_t *buffers[2] = {sums, sums + line};
    int held[2] = {-1, -1};
    for (int y = 0; y < new_height; y++, out += line) {
        const int16_t *needed[2];
        for (int k = 0; k < 2; k++) {
            int row = rows[2 * y + k];
            int at = held[0] == row ? 0 : held[1] == row ? 1 : -1;
            if (at < 0) {
                // The buffer that this row does not need is replaced.
                at = k == 0 ? (held[0] == rows[2 * y + 1] ? 1 : 0) : (held[0] == rows[2 * y] ? 1 : 0);
                const uint8_t *source = pixels + (size_t)row * stride;
                // Common numbers of channels are constants, so that loops are unrolled.
                if (channels == 3) sum_row(source, width, 3, columns, column_weights, new_width, buffers[at]);
                else if (channels == 1) sum_row(source, width, 1, columns, column_weights, new_width, buffers[at]);
                else sum_row(source, width, channels, columns, column_weights, new_width, buffers[at]);
                held[at] = row;
            }
            needed[k] = buffers[at];
        }
        const int16_t *restrict a = needed[0], *restrict b = needed[1];
        int16_t weight_a = (int16_t)row_weights[2 * y], weight_b = (int16_t)row_weights[2 * y + 1];
        for (size_t i = 0; i < line; i++) {
            // OpenCV keeps 16 bits of each product here, the most that its vector units have.
            int16_t level = (int16_t)(a[i] * weight_a >> 16) + (int16_t)(b[i] * weight_b >> 16);
            level = (int16_t)((level + 2) >> 2);
            out[i] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
        }
    }
}
