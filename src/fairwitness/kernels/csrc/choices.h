// What a choice of a token needs of its logits.
#pragma once

#include <cstdint>

// The first of the highest of `count` logits, and the log of the sum of all e to the logit; NaN for
// that if a logit is infinity or NaN.
void summarise(const float *logits, int64_t count, int64_t *likeliest, double *log_total);
