#include "anneal_layout.h"

#include <string.h>

#include "share.h"
#include "transpose.h"

typedef struct {
    const float *source;
    float *target;
    int64_t sb, tb, n, c, s;
} relayout_job;

static inline int64_t blocks(int64_t c, int64_t b) { return (c + b - 1) / b; }

/// Copies `used` (<= b) plain channels of s positions to one block, and back.
static void to_block(const float *plain, float *block, int64_t b, int64_t used, int64_t s) {
    for (int64_t lane = 0; lane < b; lane += 8) {
        int64_t k = 0;
        if (lane + 8 <= used)
            for (; k + 8 <= s; k += 8) transpose8(plain + lane * s + k, s, block + k * b + lane, b);
        for (; k < s; k++)
            for (int64_t j = lane; j < lane + 8; j++) block[k * b + j] = j < used ? plain[j * s + k] : 0;
    }
}

static void from_block(const float *block, float *plain, int64_t b, int64_t used, int64_t s) {
    for (int64_t lane = 0; lane < used; lane += 8) {
        int64_t k = 0;
        if (lane + 8 <= used)
            for (; k + 8 <= s; k += 8) transpose8(block + k * b + lane, b, plain + lane * s + k, s);
        for (; k < s; k++)
            for (int64_t j = lane; j < lane + 8 && j < used; j++) plain[j * s + k] = block[k * b + j];
    }
}

/// One target block of `tb` channels from blocks of `sb` != tb, both 8 or more: pieces of the smaller block.
static void between_blocks(const relayout_job *job, int64_t i, int64_t t, float *block) {
    int64_t scb = blocks(job->c, job->sb), tb = job->tb, sb = job->sb, s = job->s;
    int64_t piece = sb < tb ? sb : tb;
    for (int64_t lane = 0; lane < tb; lane += piece) {
        int64_t channel = t * tb + lane, j = channel / sb;
        const float *from = job->source + (i * scb + j) * s * sb + channel % sb;
        for (int64_t k = 0; k < s; k++) {
            if (j < scb)
                memcpy(block + k * tb + lane, from + k * sb, sizeof(float) * (size_t)piece);
            else
                memset(block + k * tb + lane, 0, sizeof(float) * (size_t)piece);
        }
    }
}

static void relayout_body(void *context, int part, int parts) {
    const relayout_job *job = context;
    // One work item: a sample's group of channels that both layouts keep together.
    int64_t group = job->sb > job->tb ? job->sb : job->tb, items = blocks(job->c, group), low, high, s = job->s;
    int64_t scb = blocks(job->c, job->sb), tcb = blocks(job->c, job->tb);
    anneal_bounds(job->n * items, 1, part, parts, &low, &high);
    for (int64_t item = low; item < high; item++) {
        int64_t i = item / items, first = item % items * group;
        int64_t used = job->c - first < group ? job->c - first : group;
        if (job->sb == 1) {
            to_block(job->source + (i * job->c + first) * s, job->target + (i * tcb + first / group) * s * group, group,
                     used, s);
        } else if (job->tb == 1) {
            from_block(job->source + (i * scb + first / group) * s * group, job->target + (i * job->c + first) * s,
                       group, used, s);
        } else {
            for (int64_t t = first / job->tb; t < tcb && t * job->tb < first + group; t++)
                between_blocks(job, i, t, job->target + (i * tcb + t) * s * job->tb);
        }
    }
}

void anneal_relayout(const float *source, int64_t source_block, float *target, int64_t target_block, int64_t n, int64_t c,
                     int64_t s) {
    relayout_job job = {source, target, source_block, target_block, n, c, s};
    if (source_block == target_block) {
        anneal_dims dims = {n, c, s, source_block};
        memcpy(target, source, sizeof(float) * (size_t)anneal_elements(dims));
        return;
    }
    anneal_run_parts(n * c * s, relayout_body, &job);
}
