// What tiles read and write, told to the address sanitizer. Their instructions are not the compiler's, so
// without this it would see nothing of them. In any other build there is nothing here.
#pragma once

#include "kernel.h"

#if FW_AMX && defined(__SANITIZE_ADDRESS__)

#include <cstring>

extern "C" void __asan_loadN(const volatile void *start, unsigned long size);
extern "C" void __asan_storeN(volatile void *start, unsigned long size);

struct WatchedShapes {
    uint16_t row_bytes[8];
    uint8_t rows[8];
};
static thread_local WatchedShapes watched;

static void watch(const uint16_t *row_bytes, const uint8_t *rows) {
    std::memcpy(watched.row_bytes, row_bytes, sizeof watched.row_bytes);
    std::memcpy(watched.rows, rows, sizeof watched.rows);
}

static void watch_read(int tile, const void *start, int64_t stride) {
    const char *row = static_cast<const char *>(start);
    for (int i = 0; i < watched.rows[tile]; i++) __asan_loadN(row + i * stride, watched.row_bytes[tile]);
}

static void watch_written(int tile, void *start, int64_t stride) {
    char *row = static_cast<char *>(start);
    for (int i = 0; i < watched.rows[tile]; i++) __asan_storeN(row + i * stride, watched.row_bytes[tile]);
}

#undef _tile_loadd
#undef _tile_stored
#define _tile_loadd(tile, start, stride)            \
    do {                                            \
        watch_read(tile, start, stride);            \
        _tile_loadd_internal(tile, start, stride);  \
    } while (false)
#define _tile_stored(tile, start, stride)           \
    do {                                            \
        watch_written(tile, start, stride);         \
        _tile_stored_internal(tile, start, stride); \
    } while (false)

#else

static inline void watch(const uint16_t *, const uint8_t *) {}

#endif
