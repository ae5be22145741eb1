// The geometry of a pass: the taps of each output position, and the positions of its tiles.
#ifndef ANNEAL_GROUPCONV_PLAN_H
#define ANNEAL_GROUPCONV_PLAN_H
#include "anneal_groupconv.h"
#include "groupconv_pass.h"

typedef struct {
    int64_t in, out, kernel, stride, pad, dilation;
    int backward;
} groupconv_axis;

/// The taps of position `o` of an axis, and their sources.
static inline groupconv_run groupconv_taps(const groupconv_axis *axis, int64_t o) {
    groupconv_run run = {.start = (int32_t)o, .count = 1};
    for (int64_t k = 0; k < axis->kernel; k++) {
        int64_t source;
        if (axis->backward) {
            int64_t reach = o + axis->pad - k * axis->dilation;
            if (reach < 0 || reach % axis->stride) continue;
            source = reach / axis->stride;
        } else {
            source = o * axis->stride - axis->pad + k * axis->dilation;
        }
        if (source < 0 || source >= axis->in) continue;
        run.k[run.taps] = (int16_t)k;
        run.at[run.taps++] = (int32_t)source;
    }
    return run;
}

/// Whether `next` continues `run`: the same taps, each source `shift` further per position.
static inline int groupconv_continues(const groupconv_run *run, const groupconv_run *next, int64_t shift) {
    if (next->taps != run->taps) return 0;
    for (int t = 0; t < run->taps; t++)
        if (next->k[t] != run->k[t] || next->at[t] != run->at[t] + run->count * shift) return 0;
    return 1;
}

/// An upper bound for the runs of an axis: within each residue each tap begins and ends once.
static inline int64_t groupconv_run_bound(int64_t out, int64_t kernel, int64_t step) {
    int64_t bound = step * (2 * kernel + 1);
    return out < bound ? out : bound;
}

static inline groupconv_axis groupconv_axis_h(const anneal_conv *c, int backward) {
    return backward ? (groupconv_axis){c->oh, c->ih, c->kh, c->sh, c->ph, c->dh, 1}
                    : (groupconv_axis){c->ih, c->oh, c->kh, c->sh, c->ph, c->dh, 0};
}

static inline groupconv_axis groupconv_axis_w(const anneal_conv *c, int backward) {
    return backward ? (groupconv_axis){c->ow, c->iw, c->kw, c->sw, c->pw, c->dw, 1}
                    : (groupconv_axis){c->iw, c->ow, c->kw, c->sw, c->pw, c->dw, 0};
}

/// Whether several groups share a block.
static inline int64_t groupconv_shared_lanes(const anneal_conv *c) { return c->ic < c->b ? c->ic : 0; }

/// The number of groups, or blocks of several groups: what is processed independently.
static inline int64_t groupconv_units(const anneal_conv *c) {
    return groupconv_shared_lanes(c) ? c->groups * c->ic / c->b : c->groups;
}

/// Floats of a unit's weights.
static inline int64_t groupconv_unit_weights(const anneal_conv *c) {
    int64_t lanes = groupconv_shared_lanes(c), taps = c->kh * c->kw;
    return lanes ? taps * lanes * c->b : taps * c->ic * c->oc;
}

static inline int32_t groupconv_runs(groupconv_run *runs, const groupconv_axis *axis, int64_t step, int64_t shift) {
    int32_t count = 0;
    for (int64_t residue = 0; residue < step; residue++)
        for (int64_t o = residue; o < axis->out; o += step) {
            groupconv_run next = groupconv_taps(axis, o);
            if (o != residue && groupconv_continues(runs + count - 1, &next, shift))
                runs[count - 1].count++;
            else
                runs[count++] = next;
        }
    return count;
}

static inline void groupconv_plan(groupconv_pass *pass, const anneal_conv *c, int backward) {
    groupconv_axis h = groupconv_axis_h(c, backward), w = groupconv_axis_w(c, backward);
    int64_t lanes = groupconv_shared_lanes(c), b = c->b;
    int64_t in = backward ? c->oc : c->ic, out = backward ? c->ic : c->oc;
    pass->in_w = w.in, pass->out_h = h.out, pass->out_w = w.out;
    pass->lanes = lanes;
    pass->in_blocks = lanes ? 1 : in / b, pass->out_blocks = lanes ? 1 : out / b;
    pass->x_block = h.in * w.in * b, pass->y_block = h.out * w.out * b;
    pass->x_image = c->groups * in * h.in * w.in, pass->y_image = c->groups * out * h.out * w.out;
    pass->w_tap = lanes ? lanes * b : in * b, pass->w_block = c->kh * c->kw * in * b;
    pass->kw = c->kw;
    pass->step_h = backward ? c->sh : 1, pass->shift_h = backward ? 1 : c->sh;
    pass->step_w = backward ? c->sw : 1, pass->shift_w = backward ? 1 : c->sw;
    pass->runs_h = groupconv_runs(pass->run_h, &h, pass->step_h, pass->shift_h);
    pass->runs_w = groupconv_runs(pass->run_w, &w, pass->step_w, pass->shift_w);

    // Small images: one position of several samples gives full tiles everywhere.
    pass->batched = pass->gather = 0;
    if (h.out * w.out > GROUPCONV_MAX_PIXELS || c->n < 4 || h.out * w.out * c->kh * c->kw > GROUPCONV_MAX_ENTRIES) return;
    pass->batched = 1;
    int32_t entries = 0;
    for (int64_t o = 0; o < h.out; o++) {
        groupconv_run row = groupconv_taps(&h, o);
        for (int64_t r = 0; r < w.out; r++) {
            groupconv_run column = groupconv_taps(&w, r);
            pass->first[o * w.out + r] = entries;
            for (int a = 0; a < row.taps; a++)
                for (int t = 0; t < column.taps; t++, entries++) {
                    pass->x_offset[entries] = (int32_t)((row.at[a] * w.in + column.at[t]) * b);
                    pass->w_offset[entries] = (int32_t)((row.k[a] * c->kw + column.k[t]) * pass->w_tap);
                }
        }
    }
    pass->first[h.out * w.out] = entries;
    // Samples a multiple of 2 KB apart map to few sets of the first-level cache (8 ways of 4 KB): a tile's sources
    // would evict each other between the taps.
    int64_t sample = pass->in_blocks * pass->x_block;
    pass->gather = pass->x_image * (int64_t)sizeof(float) % 2048 == 0 && h.in * w.in > 1 &&
                   (sample + 16) * GROUPCONV_MAX_TILE <= GROUPCONV_GATHER;
}

#endif
