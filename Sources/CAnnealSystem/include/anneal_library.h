// Libraries that few commands need, loaded when the first of their functions is called: a linked library, with all of
// its own dependencies, takes time and memory at every start.
#ifndef ANNEAL_LIBRARY_H
#define ANNEAL_LIBRARY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A list of functions is a macro that applies another one to each function, with the prefix and the rest of its name:
/// `#define FUNCTIONS(EACH) EACH(TIFF, Open) EACH(TIFF, Close)`. ANNEAL_LIBRARY_MEMBERS defines the members of a
/// structure with a pointer to each function, named by the rest of its name. The library's own header declares the
/// functions.
#define ANNEAL_LIBRARY_MEMBERS(FUNCTIONS) FUNCTIONS(ANNEAL_LIBRARY_MEMBER)
#define ANNEAL_LIBRARY_MEMBER(prefix, name) __typeof__(prefix##name) *_Nonnull name;

/// ANNEAL_LIBRARY defines the function that returns the structure, `static const struct library *library(void)`: NULL
/// if the library is missing or too old.
#define ANNEAL_LIBRARY(library, file, FUNCTIONS)                                                                    \
    static const struct library *library(void) {                                                                    \
        static const char *const names[] = {FUNCTIONS(ANNEAL_LIBRARY_NAME)};                                        \
        static struct library functions;                                                                            \
        static int state;                                                                                           \
        return anneal_load_library(&state, file, names, sizeof names / sizeof *names, &functions) ? &functions : NULL; \
    }
#define ANNEAL_LIBRARY_NAME(prefix, name) #prefix #name,

/// Loads a library's functions at the first call; can be called on any thread.
/// state: 0 before the first call.
/// functions: as many pointers as names.
/// Returns 0 if the library or one of its functions is missing.
int anneal_load_library(
    int *_Nonnull state, const char *_Nonnull file, const char *_Nonnull const *_Nonnull names, size_t count,
    void *_Nonnull functions);

#ifdef __cplusplus
}
#endif
#endif
