// One activation of a convolution as the rows of a matrix: row r belongs to the r-th output position of the batch.
#ifndef ANNEAL_DENSECONV_SIDE_H
#define ANNEAL_DENSECONV_SIDE_H
#include <stdint.h>

enum { DENSECONV_MAX_ROWS = 252 };

typedef struct {
    int64_t blocks;         ///< channel blocks
    int64_t plain;          ///< channels of a plain activation, whose columns are [channel][tap]; else 0
    int64_t h, w;           ///< of an image
    int64_t kh, kw;         ///< taps of a row: its columns are [tap][channel]
    int64_t sh, sw, ph, pw, dh, dw;
    int64_t rows, columns;  ///< output positions of an image
    int64_t b;
} denseconv_side;

/// The number of column blocks in a row.
static inline int64_t denseconv_columns(const denseconv_side *side) {
    int64_t taps = side->kh * side->kw;
    return side->plain ? (side->plain * taps + side->b - 1) / side->b : side->blocks * taps;
}

/// The number of floats in an image.
static inline int64_t denseconv_image(const denseconv_side *side) {
    return (side->plain ? side->plain : side->blocks * side->b) * side->h * side->w;
}

/// An output position of the batch.
typedef struct {
    int64_t n, y, x;
} denseconv_place;

static inline denseconv_place denseconv_at(const denseconv_side *side, int64_t row) {
    // 32-bit divisions are much faster.
    uint32_t at = (uint32_t)row, columns = (uint32_t)side->columns, image = (uint32_t)side->rows * columns;
    return (denseconv_place){at / image, at % image / columns, at % image % columns};
}

static inline void denseconv_next(const denseconv_side *side, denseconv_place *place) {
    if (++place->x < side->columns) return;
    place->x = 0;
    if (++place->y < side->rows) return;
    place->y = 0;
    place->n++;
}

/// The offset from the activation's start to the first block that each row reads at a tap; -1 in the padding.
static inline void denseconv_offsets(const denseconv_side *side, int64_t first, int64_t count, int64_t tap,
                                     int64_t *offset) {
    int64_t y0 = tap / side->kw * side->dh - side->ph, x0 = tap % side->kw * side->dw - side->pw;
    denseconv_place place = denseconv_at(side, first);
    for (int64_t r = 0; r < count; r++, denseconv_next(side, &place)) {
        int64_t y = place.y * side->sh + y0, x = place.x * side->sw + x0;
        int seen = y >= 0 && x >= 0 && y < side->h && x < side->w;
        offset[r] = seen ? ((place.n * side->blocks * side->h + y) * side->w + x) * side->b : -1;
    }
}

#endif
