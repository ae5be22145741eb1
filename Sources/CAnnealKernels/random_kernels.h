// The loops of random.c for one variant (see variants.h).

/// Words of BLOCK counters: out[word][lane].
INLINE void VARIANT(philox)(anneal_random_key key, const uint32_t *counters, uint32_t out[4][BLOCK]) {
    uint32_t c0[BLOCK], c1[BLOCK], c2[BLOCK], c3[BLOCK];
    for (int l = 0; l < BLOCK; l++) {
        c0[l] = counters[l];
        c1[l] = key.stream;
        c2[l] = key.step;
        c3[l] = key.purpose;
    }
    uint32_t k0 = (uint32_t)key.seed, k1 = (uint32_t)(key.seed >> 32);
    for (int round = 0; round < 10; round++) {
        for (int l = 0; l < BLOCK; l++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[l], p1 = (uint64_t)0xCD9E8D57u * c2[l];
            c0[l] = (uint32_t)(p1 >> 32) ^ c1[l] ^ k0;
            c1[l] = (uint32_t)p1;
            c2[l] = (uint32_t)(p0 >> 32) ^ c3[l] ^ k1;
            c3[l] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int l = 0; l < BLOCK; l++) {
        out[0][l] = c0[l];
        out[1][l] = c1[l];
        out[2][l] = c2[l];
        out[3][l] = c3[l];
    }
}

/// Counters [low, high): each gives four channels of one position.
static void VARIANT(uniform)(anneal_random_key key, float *y, anneal_dims d, int64_t low, int64_t high) {
    int64_t groups = (d.c + 3) / 4, blocks = (d.c + d.b - 1) / d.b;
    uint32_t before = key.sample * (uint32_t)(groups * d.s);
    for (int64_t first = low; first < high; first += BLOCK) {
        uint32_t counters[BLOCK], words[4][BLOCK];
        for (int l = 0; l < BLOCK; l++) counters[l] = before + (uint32_t)(first + l);
        VARIANT(philox)(key, counters, words);
        int64_t used = high - first < BLOCK ? high - first : BLOCK;
        int64_t k = first % d.s, group = first / d.s % groups, i = first / d.s / groups;
        for (int64_t l = 0; l < used; l++) {
            for (int64_t w = 0; w < 4; w++) {
                int64_t j = group * 4 + w;
                if (j >= d.c) break;
                y[((i * blocks + j / d.b) * d.s + k) * d.b + j % d.b] = (float)(words[w][l] >> 8) * 0x1p-24f;
            }
            if (++k == d.s) {
                k = 0;
                if (++group == groups) {
                    group = 0;
                    i++;
                }
            }
        }
    }
}
