#include <string.h>

#include "ank_conv.h"
#include "groupconv_plan.h"
#include "share.h"

int64_t ank_conv_weights(const ank_conv *c) {
    if (c->plain) return filled(c->kh * c->kw * c->ic, c->b) * filled(c->oc, c->b);
    if (c->groups == 1) return c->kh * c->kw * filled(c->ic, c->b) * filled(c->oc, c->b);
    return gc_units(c) * gc_unit_weights(c);
}

/// Where weight (output o of group g, input i, tap t) is.
static inline int64_t packed_index(const ank_conv *c, int64_t g, int64_t o, int64_t i, int64_t t) {
    int64_t taps = c->kh * c->kw, b = c->b;
    if (c->plain) return (o / b * filled(taps * c->ic, b) + i * taps + t) * b + o % b;
    if (c->groups == 1) return ((o / b * taps + t) * filled(c->ic, b) + i) * b + o % b;
    int64_t lanes = gc_shared_lanes(c);
    if (lanes) {
        int64_t channel = g * c->oc + o;
        return ((channel / b * taps + t) * lanes + i) * b + channel % b;
    }
    return g * c->ic * c->oc * taps + ((o / b * taps + t) * c->ic + i) * b + o % b;
}

void ank_conv_pack(const ank_conv *c, const float *plain, float *packed) {
    int64_t taps = c->kh * c->kw;
    memset(packed, 0, sizeof(float) * (size_t)ank_conv_weights(c));
    for (int64_t g = 0; g < c->groups; g++)
        for (int64_t o = 0; o < c->oc; o++)
            for (int64_t i = 0; i < c->ic; i++)
                for (int64_t t = 0; t < taps; t++) packed[packed_index(c, g, o, i, t)] = *plain++;
}

void ank_conv_unpack(const ank_conv *c, const float *packed, float *plain) {
    int64_t taps = c->kh * c->kw;
    for (int64_t g = 0; g < c->groups; g++)
        for (int64_t o = 0; o < c->oc; o++)
            for (int64_t i = 0; i < c->ic; i++)
                for (int64_t t = 0; t < taps; t++) *plain++ = packed[packed_index(c, g, o, i, t)];
}
