"""The tokenizer against Hugging Face's fast BERT tokenizer: all of SQuAD's dev set, every code point, hostile text."""
import gzip
import json
import random
import unicodedata

import pytest
from oracle import VOCAB, pack, run, shared
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

CASED, UNCASED = "c", "lsc"
OPTIONS = ("-", "l", "s", "ls", CASED, "lc", "sc", UNCASED)  # lower case, stripped accents, CJK ideographs as words
CODE_POINTS = [cp for cp in range(0x110000) if not 0xD800 <= cp <= 0xDFFF]
PLANES_IN_USE = [cp for cp in CODE_POINTS if cp < 0x40000 or cp >> 16 == 14]


def code_points(options):
    """All of them for what most models have, else those of the planes that have characters."""
    return map(chr, CODE_POINTS if options in (CASED, UNCASED) else PLANES_IN_USE)


def reference(options, vocab=VOCAB):
    """The pipeline of BertWordPieceTokenizer, without special tokens being recognised inside the text."""
    tokenizer = Tokenizer(WordPiece.from_file(str(vocab), unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars="c" in options, strip_accents="s" in options,
                                          lowercase="l" in options)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def reference_lines(tokenizer, texts):
    for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
        yield " ".join(f"{i}:{b}:{e}" for i, (b, e) in zip(encoding.ids, encoding.offsets))


def compare(options, texts, vocab=VOCAB):
    """Ids and offsets of every text equal the reference's; the first differences are shown."""
    tokenizer = reference(options, vocab)
    ours = run("text_tokenize", "ids", options, vocab, stdin=pack(texts)).decode().split("\n")[:-1]
    assert len(ours) == len(texts)
    different = []
    for first in range(0, len(texts), 65536):
        part = texts[first:first + 65536]
        for text, want, got in zip(part, reference_lines(tokenizer, part), ours[first:]):
            if want != got:
                different.append((text, want, got))
    assert not different, f"{len(different)} differ, such as {different[:5]}"


def compare_words(options, texts):
    """Normalised words, which show what an [UNK] would hide."""
    tokenizer = reference(options)
    ours = run("text_tokenize", "words", options, stdin=pack(texts)).decode().split("\n")[:-1]
    assert len(ours) == len(texts)
    different = []
    for text, got in zip(texts, ours):
        words = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        want = " ".join(word for word, _ in words)
        if want != got:
            different.append((text, want, got))
    assert not different, f"{len(different)} differ, such as {different[:5]}"


def squad_texts():
    data = json.loads(gzip.decompress(shared("data/squad/dev-v1.1.json.gz").read_bytes()))
    for article in data["data"]:
        for paragraph in article["paragraphs"]:
            yield paragraph["context"]
            for question in paragraph["qas"]:
                yield question["question"]


@pytest.mark.parametrize("options", OPTIONS)
def test_squad_dev_ids_and_offsets(options):
    texts = list(squad_texts())
    assert len(texts) > 12000
    compare(options, texts)


@pytest.mark.parametrize("options", OPTIONS)
def test_every_code_point_alone(options):
    compare(options, list(code_points(options)))


@pytest.mark.parametrize("options", OPTIONS)
def test_every_code_point_between_letters(options):
    compare(options, [f"a{c}b" for c in code_points(options)])


@pytest.mark.parametrize("options", OPTIONS)
def test_every_code_point_as_normalised_word(options):
    compare_words(options, [f"a{c}B" for c in code_points(options)])


@pytest.mark.parametrize("options", OPTIONS)
def test_random_mixtures(options):
    rng = random.Random(7)
    pools = [range(0x20, 0x7F), range(0x20, 0x7F), range(0, 0x250), range(0x300, 0x370), range(0x370, 0x700),
             range(0x4E00, 0x4F00), range(0xAC00, 0xAD00), range(0x1D100, 0x1D200), range(0x2000, 0x2070)]
    texts = []
    for _ in range(20000):
        pool = rng.choice(pools)
        mix = [rng.choice(pool if rng.random() < 0.7 else rng.choice(pools)) for _ in range(rng.randrange(30))]
        texts.append("".join(map(chr, mix)))
    compare_words(options, texts)
    # Marks that change places keep their own offsets with us; everything else is equal to the last offset.
    compare(options, [text for text in texts if not any(0x1D100 <= ord(c) < 0x1D200 or 0x300 <= ord(c) < 0x370 for c in text)])


@pytest.mark.parametrize("options", OPTIONS)
def test_marks_are_put_into_canonical_order(options):
    """Marks that stripping keeps (they are not of category Mn, or newer than the oracle's tables) still change places."""
    rng = random.Random(8)
    marks = "\U0001E944\U0001E94A\u302E\U0001D165\U0001D16D\uA953\u0301\u0323\u05B0\U0001133B\u0B56"
    texts = ["a" + "".join(rng.choice(marks + "b") for _ in range(rng.randrange(12))) for _ in range(5000)]
    compare_words(options, texts)


STRANGE = """\
Ünlü bir Türk şairi İSTANBUL'da, ılık ve İyi; IĞDIR
Straße, STRAẞE und Ärger über ÖL: naïve Café-Gäste
Việt Nam: TIẾNG VIỆT có nhiều DẤU, ﬁ ﬂ ﬃ
ΟΔΥΣΣΕΥΣ Ὀδυσσεύς ᾈδης ᾳ Ά Ά ; · ΐ
Ёлка ЙОД Їжак ў Ґ ѐ Ѝ
שָׁלוֹם עוֹלָם ﬡ שּׁ
السَّلَامُ عَلَيْكُمْ آأؤإ ﷺ ﻻ
हिन्दी क़ख़ग़ज़ की ऩऱऴ বাংলা ো ৌ ড় தமிழ் கொ
ภาษาไทย น้ำ ລາວ ຳ བོད་ཡིག གྷ ཱི
がぎぐげご ガギグ ｶﾞ ヷ 東京タワー、中国（北京）。豈更車賈 𠮷野家 丽
한국어 각 가 각 ㄱㄴ ꥠ
ǄǅǆǇ ŉ ß ẖ ẗ Å Ω K Å Ω ≠ ≮ ⫝̸ ´ ` ῭
😀👩‍👩‍👧 🇹🇷 1️⃣ 𝔘𝔫𝔦 ⓐⒶ Ⅷⅷ ℌ Ꭰꭰ Ა ა 𐐀𐐨 𞤀𞤢
a\u0301\u0327b E\u0323\u0302 \u0301x o\u0308\u0304 I\u0307 q\u0307\u0323 a\u20ddb a\u0488c
a\u00adb\u200bc\u200d\ufeffd \u2028x\u3000y\u1680z\x1fw [SEP] ##x""".split("\n")


def strange_texts():
    """Those lines, and pieces of them in any order."""
    rng = random.Random(9)
    yield from STRANGE
    for _ in range(4000):
        lines = [rng.choice(STRANGE) for _ in range(rng.randrange(1, 5))]
        yield "".join(line[at:at + rng.randrange(12)] for line in lines for at in [rng.randrange(len(line))])


@pytest.fixture(name="letters", scope="module")
def letters_fixture(tmp_path_factory):
    """A vocabulary of single characters, in which an offset is told for each of them."""
    forms = {form(c) for c in "".join(STRANGE) for form in
             (str, str.lower, lambda c: unicodedata.normalize("NFD", c), lambda c: unicodedata.normalize("NFD", c).lower())}
    letters = sorted(set("".join(forms)) - set(" "))
    path = tmp_path_factory.mktemp("letters") / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *("##" + c for c in letters)]))
    return path


@pytest.mark.parametrize("options", OPTIONS)
def test_strange_texts_letter_by_letter(options, letters):
    texts = list(strange_texts())
    compare(options, texts, letters)
    compare_words(options, texts)


@pytest.mark.parametrize("options", OPTIONS)
def test_long_words_and_edges(options):
    words = ["a" * n for n in (1, 99, 100, 101, 500)] + ["\u00e9" * n for n in (99, 100, 101)]
    words += ["\uac01" * n for n in (33, 34)] + ["\U00010400" * 100, "\U00010400" * 101, "x" * 100000]
    compare(options, ["", " ", "\n", "[CLS] [SEP] [MASK] [PAD] [UNK]", "##ing", "##", "#", *words, " ".join(words)])


def test_other_vocabulary_with_crlf_duplicates_and_blanks(tmp_path):
    vocab = tmp_path / "vocab.txt"
    vocab.write_bytes("[PAD]\r\n[UNK]\n[CLS]\n[SEP]\n\na\nb\na\n##b\n##\n##\u00e9c\n\u00e9\nab \u3000\nabc\t\n##c\n\n".encode())
    texts = ["a", "b", "ab", "abb", "abc", "abcb", "bb", "\u00e9", "a\u00e9c", "a\u00e9b", "##", "# b", "abcc a"]
    for options in OPTIONS:
        compare(options, texts, vocab)


def test_bytes_that_are_no_utf8_are_dropped():
    """As U+FFFD would be, wherever they stand; nothing else is disturbed."""
    bad = [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xe2\x82", b"\xf0\x9f\x98", b"\x80\x80"]
    got = run("text_tokenize", "words", UNCASED, stdin=pack([b"one" + b + b" two" + b for b in bad])).decode()
    assert got == "one two\n" * len(bad)
