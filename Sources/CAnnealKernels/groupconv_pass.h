// One pass of the grouped convolution as seen by its loops. The data's gradient is a pass too: from dy to dx, with each
// group's weights transposed.
#ifndef ANNEAL_GROUPCONV_PASS_H
#define ANNEAL_GROUPCONV_PASS_H
#include <stdint.h>

enum {
    GROUPCONV_MAX_KERNEL = 16,     ///< along an axis
    GROUPCONV_MAX_RUNS = 128,
    GROUPCONV_MAX_ENTRIES = 4096,  ///< entries of the pixels' table
    GROUPCONV_MAX_PIXELS = 144,    ///< pixels of an image whose tiles take several samples
    GROUPCONV_MAX_WEIGHTS = 65536, ///< floats of the transposed weights of two blocks, on the stack
    GROUPCONV_MAX_TAPS = 256,
    GROUPCONV_MAX_TILE = 13, ///< the most positions that any variant processes together
    GROUPCONV_GATHER = 8192  ///< floats of a tile's gathered sources
};

/// Output positions start, start + step .. that have the same taps; each position's sources are `shift` after the one
/// before.
typedef struct {
    int32_t start, count, taps;
    int16_t k[GROUPCONV_MAX_KERNEL];  ///< the taps' places in the kernel
    int32_t at[GROUPCONV_MAX_KERNEL]; ///< and their sources for the first position
} groupconv_run;

typedef struct {
    int64_t in_w, out_h, out_w;
    int64_t in_blocks, out_blocks;        ///< of a unit: a group, or one block that contains several groups
    int64_t lanes;                        ///< channels per group if a block contains several groups, else 0
    int64_t x_image, x_block, y_image, y_block; ///< strides, in floats
    int64_t w_tap, w_block;               ///< strides of the weights between taps and between output blocks
    int64_t kw;
    int64_t step_h, shift_h, step_w, shift_w; ///< for runs: 1 and the stride forward, the stride and 1 backward
    int64_t tile;                         ///< positions that are processed together
    int batched;                          ///< tiles take one position of several samples instead of a run of one sample
    int gather;                           ///< copy a tile's sources together first
    int32_t runs_h, runs_w;
    groupconv_run run_h[GROUPCONV_MAX_RUNS], run_w[GROUPCONV_MAX_RUNS];
    // batched: for each output pixel its taps' offsets in x and in the weights.
    int32_t first[GROUPCONV_MAX_PIXELS + 1];
    int32_t x_offset[GROUPCONV_MAX_ENTRIES], w_offset[GROUPCONV_MAX_ENTRIES];
} groupconv_pass;

/// Three nested loops over x and dy with their strides.
typedef struct {
    int64_t count[3], x[3], y[3];
} groupconv_nest;

#endif
