// A decoder's step and an encoder's layers for AVX-512 with VNNI: Cascade Lake, Zen 4 and later.
#include "decoder.h"
#include "encoder.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

#include <immintrin.h>

// After all inline functions of others, which must not be compiled for this machine.
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,bmi2")
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // inside immintrin.h
#define FW_WIDE 512

namespace {
#include "decoder_body.h"
#include "encoder_body.h"
const Form kForm = {run_step, run_multiply, kRunRows, share_bytes, encoding::run, encoding::kBits};
}  // namespace

const Form *form_avx512() { return &kForm; }

#else

const Form *form_avx512() { return nullptr; }

#endif
