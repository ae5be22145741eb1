// The loops over pixels that every sample passes.
#include "anneal_image.h"

#pragma STDC FP_CONTRACT OFF

void ani_to_planes(const uint8_t *pixels, int width, int height, int channels, int mirrored, uint8_t *planes) {
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

void ani_normalize(const uint8_t *restrict plane, size_t count, float mean, float factor, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = ((float)plane[i] - mean) * factor;
}
