// Plain or compressed files by zlib.
#include "anneal_image.h"

#include <zlib.h>

void *anneal_gzip_open(const char *path) {
    gzFile file = gzopen(path, "rbe");
    if (file) gzbuffer(file, 1 << 17);
    return file;
}

int64_t anneal_gzip_read(void *file, uint8_t *out, size_t count) {
    size_t done = 0;
    while (done < count) {
        size_t rest = count - done;
        int got = gzread(file, out + done, rest > (1u << 30) ? 1u << 30 : (unsigned)rest);
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    // A truncated compressed file reads as a short one; zlib reports it only here.
    int code = Z_OK;
    gzerror(file, &code);
    return code == Z_OK || code == Z_STREAM_END ? (int64_t)done : -1;
}

void anneal_gzip_close(void *file) { gzclose(file); }
