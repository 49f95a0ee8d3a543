/* Instruction sets. The numeric folders (layers, losses, optim) are compiled
 * once per x86-64 level from the same files, and the tables of the level chosen at
 * start are used. A symbol of those folders that another file sees is written
 * NM_ISA(name), so that the copies do not clash:
 *
 *     const nm_layer_type NM_ISA(nm_layer_relu) = {...};
 *
 * Statics need nothing. -DNM_LEVEL=v3 comes from meson.build. */
#ifndef NORMA_ISA_H
#define NORMA_ISA_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef NM_LEVEL
#define NM_LEVEL base
#endif
#define NM_ISA_PASTE2(name, level) name##_##level
#define NM_ISA_PASTE(name, level) NM_ISA_PASTE2(name, level)
#define NM_ISA(name) NM_ISA_PASTE(name, NM_LEVEL)

/* Before a loop: no iteration reads what another one writes, so it may be vector code. */
#if defined(__clang__)
#define NM_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define NM_INDEPENDENT _Pragma("GCC ivdep")
#else
#define NM_INDEPENDENT
#endif

/* Numbers that a loop over many takes at a time, so that all of them are rounded alike. A compiler
 * makes two loops of one, vectors and a remainder, and may join a multiplication with an addition
 * in one of them only. Where the number of iterations is a multiple of NM_BLOCK, which every
 * vector's length divides, there is no remainder; whoever has one pads it. */
enum { NM_BLOCK = 64 };

/* A function that is compiled once, not inlined or copied for some of its callers: for the same
 * reason. */
#if defined(__GNUC__) && !defined(__clang__)
#define NM_COMPILED_ONCE __attribute__((noipa))
#else
#define NM_COMPILED_ONCE __attribute__((noinline))
#endif

/* Levels in the order in which they are tried. Index into the tables of each folder. */
enum { NM_ISA_BASE, NM_ISA_V3, NM_ISA_V4, NM_ISA_COUNT };

/* The level in use: the best that this CPU has, or NORMA_ISA=base|v3|v4 if that is not above it. */
NM_API int nm_isa_level(void);
NM_API const char *nm_isa_name(int level);

#ifdef __cplusplus
}
#endif

#endif
