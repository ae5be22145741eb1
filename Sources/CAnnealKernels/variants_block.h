// The block of the inclusion that follows (see variants.h).
#undef ANK_B
#undef vb
#undef ib
#undef vbu
#undef ibu
#ifdef ANK_BLOCK8
#define ANK_B 8
#define vb v8
#define ib i8
#define vbu v8u
#define ibu i8u
#else
#define ANK_B 16
#define vb v16
#define ib i16
#define vbu v16u
#define ibu i16u
#endif
