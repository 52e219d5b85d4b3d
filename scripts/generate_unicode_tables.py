#!/usr/bin/env python3
"""Writes src/text/unicode_tables.inc: what BERT's tokenizer and SQuAD's evaluator ask about each code point.

    python3 scripts/generate_unicode_tables.py > src/text/unicode_tables.inc

Needs the PyPI package `tokenizers`. The tables are taken from the behaviour of the two programs that users compare with,
not from the Unicode standard, because each of them follows an older version of it in places:
  - Hugging Face's BertNormalizer and BertPreTokenizer (fast BERT tokenizer): cleaning, folding, punctuation;
  - Python's str.lower, str.split and the \\w of re (official SQuAD evaluators).
Run by hand when one of them changes; the tokenizer tests under tests/text compare every code point.
"""
import sys
import unicodedata

import tokenizers
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

PAGE_BITS = 7
CODE_POINTS = [cp for cp in range(0x110000) if not 0xD800 <= cp <= 0xDFFF]
HANGUL = range(0xAC00, 0xAC00 + 11172)
FOLD_SELF, FOLD_HANGUL, MAX_MAPPING = 14, 15, 4

CLEAN = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False)
FOLDS = [BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=strip, lowercase=lower)
         for strip, lower in ((True, False), (False, True), (True, True))]  # in the order of enum unicode_fold
PRE_TOKENIZER = BertPreTokenizer()
DECOMPOSE = NFD()


def bert_flags(c):
    cleaned = CLEAN.normalize_str(c)
    isolated = [text for text, _ in PRE_TOKENIZER.pre_tokenize_str("a" + c + "b")] == ["a", c, "b"]
    assert cleaned in ("", " ", c, f" {c} "), hex(ord(c))
    flags = []
    if cleaned == "":
        flags.append("UNICODE_DROPPED")
    elif cleaned == " ":
        flags.append("UNICODE_SPACE")
    elif cleaned != c:
        flags.append("UNICODE_CJK")
    if isolated and cleaned != "":
        flags.append("UNICODE_PUNCTUATION")
    return flags


def python_flags(c):
    flags = []
    if not ("a" + c + "a").split() == ["a" + c + "a"]:
        flags.append("UNICODE_PY_SPACE")
    if c.isalnum():
        flags.append("UNICODE_PY_ALNUM")
    # str.lower writes a final sigma after a cased letter, looking past case-ignorable characters.
    cased = (c + "\u03a3").lower().endswith("\u03c2")
    if cased:
        flags.append("UNICODE_PY_CASED")
    elif ("A" + c + "\u03a3").lower().endswith("\u03c2"):
        flags.append("UNICODE_PY_CASE_IGNORABLE")
    return flags


def bert_fold(c, normalizer, pool):
    """What becomes of a code point that cleaning keeps: how many code points, or the mark for itself, and where they are."""
    folded = normalizer.normalize_str(c)
    if folded == c:
        return FOLD_SELF, 0
    if ord(c) in HANGUL:
        return FOLD_HANGUL, 0
    assert len(folded) <= MAX_MAPPING, hex(ord(c))
    return len(folded), pool.add(folded) if folded else 0


def combining_class(c):
    """Canonical combining class as far as the oracle knows it: it must reorder by it."""
    if DECOMPOSE.normalize_str(c) != c:
        return 0
    known = DECOMPOSE.normalize_str(c + "\u0334") != c + "\u0334" or DECOMPOSE.normalize_str("\u0345" + c) != "\u0345" + c
    return unicodedata.combining(c) if known or c in "\u0334\u0345" else 0


class Pool:
    """Sequences of code points in one array; each is stored once."""

    def __init__(self):
        self.items, self.index = [], {}

    def add(self, text):
        if text not in self.index:
            self.index[text] = len(self.items)
            self.items.extend(ord(c) for c in text)
        return self.index[text]


def braced(numbers):
    return "{" + ", ".join(map(str, numbers)) + "}"


def record(cp, pool):
    c = chr(cp)
    flags = bert_flags(c) + python_flags(c)
    folds = [(FOLD_SELF, 0)] * len(FOLDS)
    if not {"UNICODE_DROPPED", "UNICODE_SPACE"} & set(flags):
        folds = [bert_fold(c, normalizer, pool) for normalizer in FOLDS]
    counts, places = zip(*folds)
    lowered = c.lower() if c != "\u03a3" else "\u03c3"
    lower_count, lower = (0, 0) if lowered == c else (len(lowered), pool.add(lowered))
    return (" | ".join(flags) or "0", combining_class(c), braced(counts), lower_count, braced(places), lower)


def array(kind, name, values, per_line):
    print(f"static const {kind} {name}[] = {{")
    for i in range(0, len(values), per_line):
        print("    " + ", ".join(str(v) for v in values[i:i + per_line]) + ",")
    print("};\n")


def main():
    pool, records, indexes = Pool(), {}, [0] * 0x110000
    records[("0", 0, braced([FOLD_SELF] * len(FOLDS)), 0, braced([0] * len(FOLDS)), 0)] = 0
    for cp in CODE_POINTS:
        indexes[cp] = records.setdefault(record(cp, pool), len(records))
    pages, page_of = {}, []
    for start in range(0, 0x110000, 1 << PAGE_BITS):
        page = tuple(indexes[start:start + (1 << PAGE_BITS)])
        page_of.append(pages.setdefault(page, len(pages)))
    assert len(pages) <= 256 and len(records) <= 65536 and len(pool.items) <= 65536
    print(f"""/* unicode_tables.inc: made by scripts/generate_unicode_tables.py; do not edit. Included by unicode.c alone.
 * Behaviour of tokenizers {tokenizers.__version__} and of Python {sys.version_info.major}.{sys.version_info.minor} \
(Unicode {unicodedata.unidata_version}). */
/* clang-format off */
enum {{ UNICODE_PAGE_BITS = {PAGE_BITS}, FOLD_SELF = {FOLD_SELF}, FOLD_HANGUL = {FOLD_HANGUL} }};
""")
    array("uint32_t", "unicode_pool", [f"0x{v:X}" for v in pool.items], 12)
    rows = [f"{{{flags}, {', '.join(str(v) for v in rest)}}}" for flags, *rest in records]
    array("struct unicode_record", "unicode_records", rows, 3)
    array("uint8_t", "unicode_page_of", page_of, 32)
    array("uint16_t", "unicode_pages", [v for page in pages for v in page], 16)
    print("/* clang-format on */")


if __name__ == "__main__":
    main()
