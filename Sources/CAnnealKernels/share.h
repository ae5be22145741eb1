// How work is divided among the threads of the pool.
#ifndef ANNEAL_SHARE_H
#define ANNEAL_SHARE_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "anneal_parallel.h"

/// Below this many elements, entering the pool costs more than it saves.
enum { ANNEAL_SMALL = 8192 };

enum {
    ANNEAL_MAX_PIECES = 16,
    ANNEAL_PIECE_TERMS = 512,      ///< terms of a sum per piece, so that adding the pieces costs little
    ANNEAL_PIECES_FLOATS = 1 << 18 ///< floats of all pieces' sums together; two pieces may be larger
};

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/// The number of channels rounded up to whole blocks.
static inline int64_t padded(int64_t channels, int64_t b) { return (channels + b - 1) / b * b; }

/// The biases of `count` channels, padded to whole blocks, in `room`; NULL for NULL.
static inline const float *padded_bias(const float *bias, int64_t count, int64_t b, float *room) {
    if (!bias) return NULL;
    memset(room, 0, sizeof(float) * (size_t)padded(count, b));
    memcpy(room, bias, sizeof(float) * (size_t)count);
    return room;
}

/// The number of pieces, at most `most`, into which sums of `terms` numbers are split; a piece has `floats` sums. Each
/// piece is summed by one thread, then the pieces are added in order. A power of two that depends only on the shape,
/// never on the number of threads, which must not affect any bit of a result.
static inline int64_t anneal_pieces(int64_t terms, int64_t most, int64_t floats) {
    int64_t limit = terms / ANNEAL_PIECE_TERMS, room = ANNEAL_PIECES_FLOATS / (floats > 0 ? floats : 1), pieces = 1;
    if (limit < 2 && terms * 4 >= ANNEAL_PIECE_TERMS) limit = 2;
    if (room < 2) room = 2;
    limit = smaller(smaller(limit, room), smaller(most, ANNEAL_MAX_PIECES));
    while (pieces * 2 <= limit) pieces *= 2;
    return pieces;
}

/// Whether a part has work if at most `most` parts share it: the rest of `parts` have none.
static inline int anneal_joins(int64_t most, int part, int *parts) {
    if (*parts > most) *parts = (int)most;
    return part < *parts;
}

/// Adds the numbers [low, high) of the pieces after the first to `sums`, in order; piece p is p * stride from the
/// first.
static inline void anneal_add_pieces(float *sums, const float *first, int64_t stride, int64_t pieces, int64_t low,
                                     int64_t high) {
    for (int64_t p = 1; p < pieces; p++)
        for (int64_t k = low; k < high; k++) sums[k] += first[p * stride + k];
}

static inline void anneal_run_parts(int64_t elements, void (*body)(void *, int, int), void *context) {
    if (elements < ANNEAL_SMALL)
        body(context, 0, 1);
    else
        anneal_parallel(body, context);
}

/// The bounds of part `part` when `count` items are divided in whole `grain`s.
static inline void anneal_bounds(int64_t count, int64_t grain, int64_t part, int64_t parts, int64_t *low, int64_t *high) {
    int64_t grains = (count + grain - 1) / grain;
    int64_t l = grains * part / parts * grain, h = grains * (part + 1) / parts * grain;
    *low = l < count ? l : count;
    *high = h < count ? h : count;
}

typedef struct {
    int64_t c0, c1; ///< channel blocks
    int64_t n0, n1; ///< samples
    int64_t piece;  ///< the index among `pieces` slices of the samples
    int64_t pieces;
} anneal_share;

/// Divides blocks x n among the parts. The samples are split (into at most `limit` slices) only if the blocks alone
/// would leave a thread idle. For sums over samples, pass the pieces of anneal_pieces as samples.
static inline anneal_share anneal_divide(int64_t blocks, int64_t n, int64_t limit, int part, int parts) {
    int64_t best = 0, columns = 1, pieces = 1;
    for (int64_t c = parts < blocks ? parts : blocks; c >= 1; c--) {
        int64_t p = parts / c;
        if (p > limit) p = limit;
        if (p > n) p = n;
        if (p < 1) p = 1;
        int64_t load = ((blocks + c - 1) / c) * ((n + p - 1) / p);
        if (best == 0 || load * 10 < best * 9) {
            best = load;
            columns = c;
            pieces = p;
        }
    }
    anneal_share share = {0, 0, 0, 0, part / columns, pieces};
    if (share.piece >= pieces) return share;
    anneal_bounds(blocks, 1, part % columns, columns, &share.c0, &share.c1);
    anneal_bounds(n, 1, share.piece, pieces, &share.n0, &share.n1);
    return share;
}

#endif
