#include "api/token_file.h"

#include <string.h>

static bool is_token_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~+/", c));
}

bool token_is_well_formed(struct slice token) {
    while (token.size > 0 && token.data[token.size - 1] == '=')
        token.size--;
    for (size_t i = 0; i < token.size; i++)
        if (!is_token_char(token.data[i]))
            return false;
    return token.size > 0;
}

static struct status check_token(const char *path, size_t line, struct slice token) {
    if (token.size < TOKEN_MIN || token.size > TOKEN_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "%s:%zu: expected a token of %d to %d characters, got %zu", path,
                            line, (int)TOKEN_MIN, (int)TOKEN_MAX, token.size);
    if (!token_is_well_formed(token))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%s:%zu: expected a token of letters, digits and -._~+/ with '=' only at its end", path,
                            line);
    return status_ok();
}

struct status token_file_parse(const char *path, struct slice text,
                               struct status (*on_token)(void *user, struct slice token), void *user) {
    struct slice line;
    for (size_t number = 1; text.size > 0; number++) {
        slice_split(text, '\n', &line, &text);
        line = slice_trim(line);
        if (line.size == 0 || line.data[0] == '#')
            continue;
        STATUS_TRY(check_token(path, number, line));
        STATUS_TRY(on_token(user, line));
    }
    return status_ok();
}
