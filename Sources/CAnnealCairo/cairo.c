#include "anneal_cairo.h"

ANNEAL_LIBRARY(libcairo, "libcairo.so.2", ANNEAL_CAIRO_FUNCTIONS)

const struct libcairo *anneal_cairo(void) { return libcairo(); }
