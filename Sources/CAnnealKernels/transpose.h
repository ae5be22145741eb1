// 8 x 8 floats.
#ifndef ANNEAL_TRANSPOSE_H
#define ANNEAL_TRANSPOSE_H
#include "vectors.h"

/// rows[r * stride + k] -> columns[k * width + r] for 8 x 8 elements.
INLINE void transpose8(const float *rows, int64_t stride, float *columns, int64_t width) {
    v8 a[8], t[8];
    for (int r = 0; r < 8; r++) a[r] = *(const v8u *)(rows + r * stride);
    for (int r = 0; r < 4; r++) { // pairs of rows, interleaved
        t[2 * r] = __builtin_shufflevector(a[2 * r], a[2 * r + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        t[2 * r + 1] = __builtin_shufflevector(a[2 * r], a[2 * r + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int r = 0; r < 2; r++) // fours
        for (int h = 0; h < 2; h++) {
            a[4 * r + h] = __builtin_shufflevector(t[4 * r + h], t[4 * r + 2 + h], 0, 1, 8, 9, 4, 5, 12, 13);
            a[4 * r + 2 + h] = __builtin_shufflevector(t[4 * r + h], t[4 * r + 2 + h], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int h = 0; h < 4; h++) {
        *(v8u *)(columns + h * width) = __builtin_shufflevector(a[h], a[4 + h], 0, 1, 2, 3, 8, 9, 10, 11);
        *(v8u *)(columns + (h + 4) * width) = __builtin_shufflevector(a[h], a[4 + h], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

#endif
