// The script and the likeliest language of each of some texts; language.h says how they are told.

#include "language.h"

// texts: `count` of them in `blob`, each up to its end. Writes into `told` how many characters the
// words of each are; behind these their scripts; behind these the model's labels, -1 where it was
// not asked; and into `scores` how likely it thinks them.
FW_EXPORT void fw_language(const uint8_t *blob, const int64_t *ends, int64_t count,
                           const uint8_t *letters, const uint32_t *lowered, const uint8_t *settled,
                           const language::Model *model, int32_t *told, float *scores) {
    const language::Looker looker({letters, lowered, settled}, model);
    const uint8_t *at = blob;
    for (int64_t i = 0; i < count; i++) {
        const language::Told each = looker.look(at, blob + ends[i]);
        at = blob + ends[i];
        told[i] = each.chars;
        told[count + i] = each.script;
        told[2 * count + i] = each.guess.label;
        scores[i] = each.guess.score;
    }
}
