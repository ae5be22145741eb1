// The loops over pixels that every sample passes.
#include "decoder.h"

#pragma STDC FP_CONTRACT OFF

void anneal_image_to_planes(const uint8_t *pixels, int width, int height, int channels, int mirrored, uint8_t *planes) {
    size_t area = (size_t)width * (size_t)height;
    for (int y = 0; y < height; y++) {
        const uint8_t *row = pixels + (size_t)y * (size_t)width * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            uint8_t *out = planes + (size_t)c * area + (size_t)y * (size_t)width;
            if (mirrored) {
                for (int x = 0; x < width; x++) out[x] = row[(size_t)(width - 1 - x) * (size_t)channels + (size_t)c];
            } else {
                for (int x = 0; x < width; x++) out[x] = row[(size_t)x * (size_t)channels + (size_t)c];
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

// One row's weighted sums. The number of channels is a constant where it is usual, so that the loop is unrolled.
static inline void sum_row(
    const uint8_t *row, int channels, const int32_t *columns, const int32_t *weights, int new_width, int32_t *sums) {
    for (int x = 0; x < new_width; x++, sums += channels) {
        const uint8_t *a = row + columns[2 * x] * channels, *b = row + columns[2 * x + 1] * channels;
        int32_t weight_a = weights[2 * x], weight_b = weights[2 * x + 1];
        for (int c = 0; c < channels; c++) sums[c] = a[c] * weight_a + b[c] * weight_b;
    }
}

void anneal_image_resize_by_pairs(
    const uint8_t *pixels, int width, int channels, const int32_t *columns, const int32_t *column_weights,
    int new_width, const int32_t *rows, const int32_t *row_weights, int new_height, int32_t *sums, uint8_t *out) {
    size_t stride = (size_t)width * (size_t)channels, line = (size_t)new_width * (size_t)channels;
    int32_t *buffers[2] = {sums, sums + line};
    int held[2] = {-1, -1};
    for (int y = 0; y < new_height; y++, out += line) {
        const int32_t *needed[2];
        for (int k = 0; k < 2; k++) {
            int row = rows[2 * y + k];
            int at = held[0] == row ? 0 : held[1] == row ? 1 : -1;
            if (at < 0) {
                // The buffer that this row does not need goes.
                at = k == 0 ? (held[0] == rows[2 * y + 1] ? 1 : 0) : (held[0] == rows[2 * y] ? 1 : 0);
                const uint8_t *source = pixels + (size_t)row * stride;
                if (channels == 3) sum_row(source, 3, columns, column_weights, new_width, buffers[at]);
                else if (channels == 1) sum_row(source, 1, columns, column_weights, new_width, buffers[at]);
                else sum_row(source, channels, columns, column_weights, new_width, buffers[at]);
                held[at] = row;
            }
            needed[k] = buffers[at];
        }
        const int32_t *restrict a = needed[0], *restrict b = needed[1];
        int32_t weight_a = row_weights[2 * y], weight_b = row_weights[2 * y + 1];
        for (size_t i = 0; i < line; i++) {
            // OpenCV keeps 16 bits of each product here: its vector units have no more.
            int32_t sum = (((a[i] >> 4) * weight_a) >> 16) + (((b[i] >> 4) * weight_b) >> 16);
            int32_t level = (sum + 2) >> 2;
            out[i] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
        }
    }
}
