// A decoder's step and an encoder's layers for any machine.
#include "decoder.h"
#include "encoder.h"

#define FW_WIDE 0

namespace {
#include "decoder_body.h"
#include "encoder_body.h"
const Form kForm = {run_step, run_multiply, kRunRows, share_bytes, encoding::run, encoding::kBits};
}  // namespace

const Form *form_plain() { return &kForm; }
