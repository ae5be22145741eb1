// One activation of a convolution as the rows of a matrix: row r belongs to the r-th output position of the batch.
#ifndef ANK_DENSECONV_SIDE_H
#define ANK_DENSECONV_SIDE_H
#include <stdint.h>

enum { DC_MAX_ROWS = 252 };

typedef struct {
    int64_t blocks;         ///< channel blocks
    int64_t h, w;           ///< of an image
    int64_t kh, kw;         ///< taps that a row sees: its columns are [tap][channel]
    int64_t sh, sw, ph, pw, dh, dw;
    int64_t rows, columns;  ///< output positions of an image
    int64_t b;
} dc_side;

/// Floats from the activation's start to the first block of what each row sees at a tap; -1 in the padding.
static inline void dc_offsets(const dc_side *side, int64_t first, int64_t count, int64_t tap, int64_t *offset) {
    uint32_t columns = (uint32_t)side->columns, image = (uint32_t)side->rows * columns;
    int64_t y0 = tap / side->kw * side->dh - side->ph, x0 = tap % side->kw * side->dw - side->pw;
    uint32_t n = (uint32_t)first / image, y = (uint32_t)first % image / columns, x = (uint32_t)first % image % columns;
    for (int64_t r = 0; r < count; r++) {
        int64_t yy = y * side->sh + y0, xx = x * side->sw + x0;
        int seen = yy >= 0 && xx >= 0 && yy < side->h && xx < side->w;
        offset[r] = seen ? ((n * side->blocks * side->h + yy) * side->w + xx) * side->b : -1;
        if (++x < columns) continue;
        x = 0;
        if (++y < side->rows) continue;
        y = 0;
        n++;
    }
}

#endif
