// Libraries that few commands need, loaded when the first of their functions is called: a library that is linked takes time
// and memory of every start, with all that it needs itself.
#ifndef ANNEAL_LIBRARY_H
#define ANNEAL_LIBRARY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A list of functions is a macro that applies another one to each, to its prefix and the rest of its name:
/// `#define FUNCTIONS(EACH) EACH(TIFF, Open) EACH(TIFF, Close)`. With it this is the body of a structure with a pointer to
/// each, by the rest of the name. The library's own header declares the functions.
#define ANNEAL_LIBRARY_MEMBERS(FUNCTIONS) FUNCTIONS(ANNEAL_LIBRARY_MEMBER)
#define ANNEAL_LIBRARY_MEMBER(prefix, name) __typeof__(prefix##name) *_Nonnull name;

/// And this defines what gives the structure, `static const struct library *library(void)`: NULL if the library is not there,
/// or is an older one.
#define ANNEAL_LIBRARY(library, file, FUNCTIONS)                                                                    \
    static const struct library *library(void) {                                                                    \
        static const char *const names[] = {FUNCTIONS(ANNEAL_LIBRARY_NAME)};                                        \
        static struct library functions;                                                                            \
        static int state;                                                                                           \
        return anneal_load_library(&state, file, names, sizeof names / sizeof *names, &functions) ? &functions : NULL; \
    }
#define ANNEAL_LIBRARY_NAME(prefix, name) #prefix #name,

/// Loads a library's functions at the first call; any thread may call it.
/// state: 0 before the first call.
/// functions: as many pointers as names.
/// Gives 0 if the library or one of its functions is not there.
int anneal_load_library(
    int *_Nonnull state, const char *_Nonnull file, const char *_Nonnull const *_Nonnull names, size_t count,
    void *_Nonnull functions);

#ifdef __cplusplus
}
#endif
#endif
