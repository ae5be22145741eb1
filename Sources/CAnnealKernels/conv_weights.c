#include <string.h>

#include "anneal_conv.h"
#include "groupconv_plan.h"
#include "share.h"

int64_t anneal_conv_weights(const anneal_conv *c) {
    if (c->plain) return padded(c->kh * c->kw * c->ic, c->b) * padded(c->oc, c->b);
    if (c->groups == 1) return c->kh * c->kw * padded(c->ic, c->b) * padded(c->oc, c->b);
    return groupconv_units(c) * groupconv_unit_weights(c);
}

/// The index of a weight (output o of group g, input i, tap t).
static inline int64_t packed_index(const anneal_conv *c, int64_t g, int64_t o, int64_t i, int64_t t) {
    int64_t taps = c->kh * c->kw, b = c->b;
    if (c->plain) return (o / b * padded(taps * c->ic, b) + i * taps + t) * b + o % b;
    if (c->groups == 1) return ((o / b * taps + t) * padded(c->ic, b) + i) * b + o % b;
    int64_t lanes = groupconv_shared_lanes(c);
    if (lanes) {
        int64_t channel = g * c->oc + o;
        return ((channel / b * taps + t) * lanes + i) * b + channel % b;
    }
    return g * c->ic * c->oc * taps + ((o / b * taps + t) * c->ic + i) * b + o % b;
}

void anneal_conv_pack(const anneal_conv *c, const float *plain, float *packed) {
    int64_t taps = c->kh * c->kw;
    memset(packed, 0, sizeof(float) * (size_t)anneal_conv_weights(c));
    for (int64_t g = 0; g < c->groups; g++)
        for (int64_t o = 0; o < c->oc; o++)
            for (int64_t i = 0; i < c->ic; i++)
                for (int64_t t = 0; t < taps; t++) packed[packed_index(c, g, o, i, t)] = *plain++;
}

void anneal_conv_unpack(const anneal_conv *c, const float *packed, float *plain) {
    int64_t taps = c->kh * c->kw;
    for (int64_t g = 0; g < c->groups; g++)
        for (int64_t o = 0; o < c->oc; o++)
            for (int64_t i = 0; i < c->ic; i++)
                for (int64_t t = 0; t < taps; t++) *plain++ = packed[packed_index(c, g, o, i, t)];
}
