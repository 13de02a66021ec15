// The step for any machine.
#include "decoder.h"

#define FW_WIDE 0

namespace {
#include "decoder_body.h"
const Form kForm = {run_step, run_multiply, kRunRows, share_bytes};
}  // namespace

const Form *form_plain() { return &kForm; }
