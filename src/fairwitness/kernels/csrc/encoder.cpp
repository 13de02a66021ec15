// Layers of an encoder over one text or some, all of them in one call: `layers.py` calls it, and
// `models/encoder.py` is the same in numpy. `encoder_body.h` has what a layer does.
#include "encoder.h"

#include <vector>

#include "decoder.h"
#include "kernel.h"

namespace {

// Floats that begin a line of the cache.
struct alignas(64) Line {
    float number[16];
};
std::vector<Line> lines(int64_t floats) { return std::vector<Line>(static_cast<size_t>(floats + 15) / 16); }

}  // namespace

// How many bits a weight of that form has: 16 of bfloat16, or 8. 0 where this machine has no such form.
FW_EXPORT int64_t fw_encoder_bits(int64_t form_number) {
    const Form *form = form_numbered(form_number);
    return form ? form->encoder_bits : 0;
}

// Takes the states of texts, whose tokens end at `ends`, through `count` layers, in place. No text sees another.
FW_EXPORT void fw_encode(int64_t form_number, const void *layers, int64_t count, const int64_t *ends,
                         int64_t texts, int64_t width, int64_t inner, int64_t heads, float epsilon, float *x) {
    Encoding told{static_cast<const EncoderLayer *>(layers), count, ends, texts, width, inner, heads, epsilon, x,
                  nullptr, nullptr, nullptr, nullptr};
    const int64_t rows = told.rows();
    std::vector<Line> found = lines(rows * width), wide = lines(rows * told.widest());
    std::vector<Line> taken = lines(rows * told.widest() / 2), looking = lines((kHead + kQueries) * rows);
    told.found = found.data()->number;
    told.wide = wide.data()->number;
    told.taken = reinterpret_cast<uint8_t *>(taken.data());
    told.looking = looking.data()->number;
    form_numbered(form_number)->encode(told);
}
