// Quantised matrices: from the blocks of a GGUF file to tiles, and times a few vectors.

#include <algorithm>
#include <cstring>
#include <vector>

#include "decoder.h"
#include "kernel.h"

namespace {

const Form *best_form() {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                          __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi2");
    const bool has_avx512 =
        __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (has_avx2 && has_avx512 && form_avx512()) return form_avx512();
    if (has_avx2 && form_avx2()) return form_avx2();
#endif
    return form_plain();
}

}  // namespace

const Form *form_numbered(int64_t number) {
    const Form *best = best_form();
    if (number == 0) return best;
    if (number == 1) return form_plain();
    if (number == 2) return best == form_plain() ? nullptr : form_avx2();
    return best == form_avx512() ? best : nullptr;
}

// Turns rows of GGUF blocks into tiles; `out` has zeros for all panels.
FW_EXPORT void fw_tiles_pack(int64_t kind_number, int64_t rows, int64_t columns,
                             const uint8_t *source, uint8_t *out) {
    const auto kind = static_cast<int32_t>(kind_number);
    const int64_t blocks = columns / kColumns, scales = kind == kQ4_1 ? 2 : 1;
    const int64_t numbers = kind == kQ8_0 ? 32 : 16, block_bytes = 2 * scales + numbers;
    for (int64_t row = 0; row < rows; row++) {
        uint8_t *panel = out + row / kRows * panel_bytes(kind, blocks);
        const int64_t r = row % kRows;
        for (int64_t b = 0; b < blocks; b++) {
            const uint8_t *block = source + (row * blocks + b) * block_bytes;
            uint8_t *half = panel + blocks * tile_numbers(kind) + b * tile_scales(kind) + 2 * r;
            for (int64_t s = 0; s < scales; s++) std::memcpy(half + 32 * s, block + 2 * s, 2);
            uint8_t *tile = panel + b * tile_numbers(kind);
            const uint8_t flip = kind == kQ8_0 ? 128 : 0;
            for (int64_t i = 0; i < numbers; i++)
                tile[i / 4 * 64 + r * 4 + i % 4] = block[2 * scales + i] ^ flip;
        }
    }
}

// out[v][r] = row r of the matrix times vector v. False where this machine has no such form.
FW_EXPORT bool fw_matmul(int64_t form_number, int64_t kind, int64_t rows, int64_t columns,
                         const uint8_t *tiles, const float *x, int64_t count, float *out) {
    const Form *form = form_numbered(form_number);
    if (!form) return false;
    const int64_t panels = (rows + kRows - 1) / kRows, blocks = columns / kColumns;
    const Matrix matrix{static_cast<int32_t>(kind), panels * kRows, columns, tiles};
    std::vector<int8_t> numbers(static_cast<size_t>(count * blocks * kBlockBytes));
    std::vector<Scale> scales(static_cast<size_t>(count * blocks));
    std::vector<float> products(static_cast<size_t>(count * matrix.rows));
    const Vectors room{numbers.data(), scales.data(), count, columns};
    form->multiply(&matrix, x, count, &room, products.data());
    for (int64_t v = 0; v < count; v++)
        std::copy_n(products.data() + v * matrix.rows, rows, out + v * rows);
    return true;
}
