#include "codec/pb_text_scanner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

/* ---- errors ---- */

/* The column, in characters from 1. Walks back to the start of the line: for errors only, or a long line would cost its
 * square. */
static int column_of(const struct text_scanner *scanner, const char *at) {
    int column = 1;
    while (at > scanner->start && at[-1] != '\n') {
        at--;
        column += ((unsigned char)*at & 0xC0) != 0x80; /* characters, not bytes */
    }
    return column;
}

static bool STATUS_PRINTF(4, 0)
    fail_at(struct text_scanner *scanner, const char *at, int line, const char *format, va_list args) {
    struct status inner = status_verror(STATUS_INVALID_ARGUMENT, format, args);
    scanner->status = status_prefix(inner, "%.200s:%d:%d", scanner->file_name, line, column_of(scanner, at));
    return false;
}

bool text_fail(struct text_scanner *scanner, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_at(scanner, scanner->token.text.data, scanner->token.line, format, args);
    va_end(args);
    return false;
}

/* For the place where scanning stands, in the midst of a token. */
static bool STATUS_PRINTF(2, 3) fail_here(struct text_scanner *scanner, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_at(scanner, scanner->at, scanner->line, format, args);
    va_end(args);
    return false;
}

void text_describe(const struct text_scanner *scanner, char *text, size_t size) {
    const struct text_token *token = &scanner->token;
    struct slice shown = token->text;
    if (shown.size > 60)
        shown.size = 60;
    if (token->kind == TEXT_END)
        snprintf(text, size, "end of file");
    else if (token->kind == TEXT_STRING)
        snprintf(text, size, "string %.*s", SLICE_ARGS(shown));
    else if (token->kind == TEXT_INTEGER || token->kind == TEXT_FLOAT)
        snprintf(text, size, "%.*s", SLICE_ARGS(shown));
    else
        snprintf(text, size, "'%.*s'", SLICE_ARGS(shown));
}

/* ---- characters ---- */

static char peek(const struct text_scanner *scanner, size_t ahead) {
    return ahead < (size_t)(scanner->end - scanner->at) ? scanner->at[ahead] : '\0';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_octal_digit(char c) {
    return c >= '0' && c <= '7';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void skip_blanks_and_comments(struct text_scanner *scanner) {
    while (scanner->at < scanner->end) {
        char c = *scanner->at;
        if (c == '#') {
            const char *newline = memchr(scanner->at, '\n', (size_t)(scanner->end - scanner->at));
            scanner->at = newline ? newline : scanner->end;
        } else if (c == '\n') {
            scanner->line++;
            scanner->at++;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f') {
            scanner->at++;
        } else {
            return;
        }
    }
}

/* ---- tokens ---- */

static void scan_identifier(struct text_scanner *scanner) {
    while (is_letter(peek(scanner, 0)) || is_digit(peek(scanner, 0)))
        scanner->at++;
}

static void skip_digits(struct text_scanner *scanner) {
    while (is_digit(peek(scanner, 0)))
        scanner->at++;
}

static bool scan_hexadecimal(struct text_scanner *scanner) {
    scanner->at += 2;
    if (hex_value(peek(scanner, 0)) < 0)
        return fail_here(scanner, "expected hexadecimal digits after 0x");
    while (hex_value(peek(scanner, 0)) >= 0)
        scanner->at++;
    return true;
}

static bool scan_octal(struct text_scanner *scanner) {
    while (is_octal_digit(peek(scanner, 0)))
        scanner->at++;
    if (is_digit(peek(scanner, 0)))
        return fail_here(scanner, "a number that begins with 0 is octal and has digits 0 to 7 only");
    return true;
}

static bool scan_decimal(struct text_scanner *scanner) {
    skip_digits(scanner);
    if (peek(scanner, 0) == '.') {
        scanner->token.kind = TEXT_FLOAT;
        scanner->at++;
        skip_digits(scanner);
    }
    if (peek(scanner, 0) == 'e' || peek(scanner, 0) == 'E') {
        scanner->token.kind = TEXT_FLOAT;
        scanner->at++;
        if (peek(scanner, 0) == '+' || peek(scanner, 0) == '-')
            scanner->at++;
        if (!is_digit(peek(scanner, 0)))
            return fail_here(scanner, "expected digits in the exponent");
        skip_digits(scanner);
    }
    if (peek(scanner, 0) == 'f' || peek(scanner, 0) == 'F') {
        scanner->token.kind = TEXT_FLOAT;
        scanner->at++;
    }
    return true;
}

static bool scan_number(struct text_scanner *scanner) {
    bool zero = peek(scanner, 0) == '0';
    bool good = zero && (peek(scanner, 1) == 'x' || peek(scanner, 1) == 'X') ? scan_hexadecimal(scanner)
                : zero && is_digit(peek(scanner, 1))                         ? scan_octal(scanner)
                                                                             : scan_decimal(scanner);
    if (!good)
        return false;
    if (is_letter(peek(scanner, 0)))
        return fail_here(scanner, "expected a blank between a number and a name");
    if (peek(scanner, 0) == '.')
        return fail_here(scanner, "a '.' too many in a number");
    return true;
}

static bool scan_string(struct text_scanner *scanner) {
    char quote = *scanner->at++;
    while (peek(scanner, 0) != quote || scanner->at == scanner->end) {
        if (scanner->at == scanner->end || *scanner->at == '\n')
            return fail_here(scanner, "a string that is not closed on its line");
        if (*scanner->at == '\\' && scanner->end - scanner->at > 1 && scanner->at[1] != '\n')
            scanner->at++;
        scanner->at++;
    }
    scanner->at++;
    return true;
}

static bool scan_token(struct text_scanner *scanner) {
    struct text_token *token = &scanner->token;
    char c = *scanner->at;
    if (is_letter(c)) {
        token->kind = TEXT_IDENTIFIER;
        scan_identifier(scanner);
        return true;
    }
    if (is_digit(c) || (c == '.' && is_digit(peek(scanner, 1)))) {
        token->kind = TEXT_INTEGER;
        return scan_number(scanner);
    }
    if (c == '"' || c == '\'') {
        token->kind = TEXT_STRING;
        return scan_string(scanner);
    }
    if (c != '\0' && strchr("{}<>[]:;,-/.", c)) {
        token->kind = TEXT_SYMBOL;
        scanner->at++;
        return true;
    }
    if (c > ' ' && c < 0x7F)
        return fail_here(scanner, "unexpected character '%c'", c);
    return fail_here(scanner, "unexpected byte 0x%02X outside a string", (unsigned)(unsigned char)c);
}

bool text_next(struct text_scanner *scanner) {
    skip_blanks_and_comments(scanner);
    const char *from = scanner->at;
    scanner->token = (struct text_token){TEXT_END, {from, 0}, scanner->line};
    if (scanner->at == scanner->end)
        return true;
    if (!scan_token(scanner))
        return false;
    scanner->token.text.size = (size_t)(scanner->at - from);
    return true;
}

bool text_scanner_begin(struct text_scanner *scanner, struct slice text, const char *file_name) {
    const char *data = text.data ? text.data : "";
    *scanner = (struct text_scanner){.file_name = file_name, .start = data, .at = data, .line = 1};
    scanner->end = data + text.size;
    if (slice_starts_with(text, SLICE_LITERAL("\xEF\xBB\xBF"))) {
        scanner->at += 3;
        scanner->start = scanner->at;
    }
    return text_next(scanner);
}

bool text_is_symbol(const struct text_scanner *scanner, char symbol) {
    return scanner->token.kind == TEXT_SYMBOL && scanner->token.text.data[0] == symbol;
}

bool text_skip_symbol(struct text_scanner *scanner, char symbol, bool *ret_found) {
    *ret_found = text_is_symbol(scanner, symbol);
    return !*ret_found || text_next(scanner);
}

/* ---- values ---- */

bool text_integer_value(struct slice token, uint64_t *ret) {
    bool hexadecimal = token.size > 2 && (token.data[1] == 'x' || token.data[1] == 'X');
    uint64_t base = hexadecimal ? 16 : token.size > 1 && token.data[0] == '0' ? 8 : 10, value = 0;
    for (size_t i = hexadecimal ? 2 : 0; i < token.size; i++)
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, (uint64_t)hex_value(token.data[i]), &value))
            return false;
    *ret = value;
    return true;
}

static char *put_utf8(char *to, uint32_t code) {
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
    *to++ = (char)(unsigned char)(leads[more] | code >> (6 * more));
    while (more-- > 0)
        *to++ = (char)(unsigned char)(0x80 | (code >> (6 * more) & 0x3F));
    return to;
}

/* Reads up to `most` hexadecimal digits, at least `least`. */
static bool read_hex(const char **at, const char *end, int least, int most, uint32_t *ret) {
    uint32_t value = 0;
    int count = 0;
    while (count < most && *at < end && hex_value(**at) >= 0) {
        value = value << 4 | (uint32_t)hex_value(**at);
        (*at)++;
        count++;
    }
    *ret = value;
    return count >= least;
}

static bool read_unicode(const char **at, const char *end, int digits, uint32_t *ret) {
    uint32_t code, low;
    if (!read_hex(at, end, digits, digits, &code))
        return false;
    bool is_high = code >= 0xD800 && code < 0xDC00;
    if (is_high && end - *at > 2 && (*at)[0] == '\\' && ((*at)[1] == 'u' || (*at)[1] == 'U')) {
        int low_digits = (*at)[1] == 'u' ? 4 : 8;
        *at += 2;
        if (!read_hex(at, end, low_digits, low_digits, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *ret = code;
    return code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

static uint32_t read_octal(const char **at, const char *end) {
    uint32_t value = 0;
    for (int count = 0; count < 3 && *at < end && is_octal_digit(**at); count++)
        value = value << 3 | (uint32_t)(*(*at)++ - '0');
    return value;
}

/* The escape behind a backslash; *at stands on its letter. */
static bool unescape_one(const char **at, const char *end, char **to) {
    static const char letters[] = "abfnrtv\\'\"?", values[] = "\a\b\f\n\r\t\v\\'\"?";
    char letter = **at;
    uint32_t code;
    if (is_octal_digit(letter)) {
        code = read_octal(at, end);
        *(*to)++ = (char)(unsigned char)code;
        return code <= 0xFF;
    }
    (*at)++;
    if (letter == 'x' || letter == 'X') {
        bool good = read_hex(at, end, 1, 2, &code);
        *(*to)++ = (char)(unsigned char)code;
        return good;
    }
    if (letter == 'u' || letter == 'U') {
        if (!read_unicode(at, end, letter == 'u' ? 4 : 8, &code))
            return false;
        *to = put_utf8(*to, code);
        return true;
    }
    const char *known = letter ? strchr(letters, letter) : NULL;
    if (known)
        *(*to)++ = values[known - letters];
    return known != NULL;
}

char *text_unescape(struct text_scanner *scanner, char *to) {
    const char *at = scanner->token.text.data + 1, *end = at + scanner->token.text.size - 2;
    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        const char *escape = at++;
        if (at == end || !unescape_one(&at, end, &to)) {
            struct slice shown = {escape, (size_t)(at < end ? at + 1 - escape : end - escape)};
            text_fail(scanner, "invalid escape sequence %.*s in a string", SLICE_ARGS(shown));
            return NULL;
        }
    }
    return to;
}
