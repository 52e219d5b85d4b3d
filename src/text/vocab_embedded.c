/* vocab_embedded.c: the default vocabulary, taken into the program as it stands in models/minilm-squad/vocab.txt.
 * C17 has no #embed; the assembler's .incbin does the same. The build recompiles this file when the vocabulary changes.
 */
#include "text/vocab.h"

__asm__(".pushsection .rodata\n"
        ".globl inferd_vocab_begin\n"
        ".hidden inferd_vocab_begin\n"
        "inferd_vocab_begin:\n"
        ".incbin \"" INFERD_EMBEDDED_VOCAB "\"\n"
        ".globl inferd_vocab_end\n"
        ".hidden inferd_vocab_end\n"
        "inferd_vocab_end:\n"
        ".byte 0\n"
        ".popsection\n");

extern const char inferd_vocab_begin[] __attribute__((visibility("hidden")));
extern const char inferd_vocab_end[] __attribute__((visibility("hidden")));

struct slice vocab_embedded_text(void) {
    return (struct slice){inferd_vocab_begin, (size_t)(inferd_vocab_end - inferd_vocab_begin)};
}
