// Tiles of outputs over a batch of images: 4 x 4 for 3 x 3 kernels, 2 x 2 for 5 x 5 kernels. Both read 6 x 6 inputs.
#ifndef ANNEAL_WINOGRAD_GRID_H
#define ANNEAL_WINOGRAD_GRID_H
#include <stdint.h>

enum {
    WINOGRAD_SIDE = 6, ///< inputs and points along a tile's side
    WINOGRAD_POINTS = 36,
    WINOGRAD_STRIP = 64 ///< columns of a row of tiles that are transformed together
};

typedef struct {
    int64_t h, w, ph, pw;      ///< of an image, and the padding of a transform's input
    int64_t step;              ///< outputs along a tile's side
    int64_t rows, columns;     ///< tiles of an image
    int64_t blocks;            ///< channel blocks of an image
    int64_t low, high;         ///< the channel blocks being processed; the transform holds only these
    int64_t first, count;      ///< tiles being processed
    int64_t tiles;             ///< tiles that the transform has room for
    int64_t stride;            ///< floats from one point's matrix to the next
} winograd_grid;

typedef struct {
    int64_t image, row, column;
} winograd_place;

/// The position of the t-th of the tiles being processed.
static inline winograd_place winograd_tile(const winograd_grid *grid, int64_t t) {
    // 32-bit divisions are much faster.
    uint32_t at = (uint32_t)(grid->first + t), columns = (uint32_t)grid->columns, all = (uint32_t)grid->rows * columns;
    uint32_t rest = at % all;
    return (winograd_place){at / all, rest / columns, rest % columns};
}

/// Room for `tiles` tiles of `blocks` blocks. Points are a cache line further apart than necessary: otherwise all 36 of
/// a tile would map to few sets of the first-level cache.
static inline void winograd_room(winograd_grid *grid, int64_t tiles, int64_t low, int64_t high, int64_t b) {
    grid->tiles = tiles;
    grid->low = low, grid->high = high;
    grid->stride = tiles * (high - low) * b + 16;
}

#endif
