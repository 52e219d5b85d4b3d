/* normalizer_options.h: what a model's tokenizer wants done to a text before it is split into words: what Hugging
 * Face's BertNormalizer is told, but for its clean_text, which is always on.
 *
 * The three are independent of each other, though most models have accents go with the case: whoever reads options that
 * do not tell of accents takes `lowercase` for strip_accents.
 */
#ifndef INFERD_TEXT_NORMALIZER_OPTIONS_H
#define INFERD_TEXT_NORMALIZER_OPTIONS_H

#include <stdbool.h>

struct normalizer_options {
    bool lowercase;
    bool strip_accents; /* decompose canonically and drop marks; without it nothing is decomposed */
    bool split_cjk;     /* each CJK ideograph is a word: handle_chinese_chars */
};
#define NORMALIZER_UNCASED ((struct normalizer_options){.lowercase = true, .strip_accents = true, .split_cjk = true})
#define NORMALIZER_CASED ((struct normalizer_options){.lowercase = false, .strip_accents = false, .split_cjk = true})

#endif
