// A decoder's step and an encoder's layers for AVX2: Haswell, Zen and later.
#include "decoder.h"
#include "encoder.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

#include <immintrin.h>

// After all inline functions of others, which must not be compiled for this machine.
#pragma GCC target("avx2,fma,f16c,bmi2")
#define FW_WIDE 256

namespace {
#include "decoder_body.h"
#include "encoder_body.h"
const Form kForm = {run_step, run_multiply, kRunRows, share_bytes, encoding::run, encoding::kBits};
}  // namespace

const Form *form_avx2() { return &kForm; }

#else

const Form *form_avx2() { return nullptr; }

#endif
