/* token_file.h: a file of bearer tokens: one a line; blank lines and lines that begin with '#' do not count.
 *
 * Source: RFC 6750, section 2.1, for what a token may consist of. */
#ifndef INFERD_API_TOKEN_FILE_H
#define INFERD_API_TOKEN_FILE_H

#include "base/slice.h"
#include "base/status.h"

enum {
    TOKEN_MIN = 16,            /* bytes of a token: shorter ones can be guessed */
    TOKEN_MAX = 1024,          /* and at most */
    TOKEN_FILE_MAX = 256 << 10 /* bytes of a file */
};

/* Whether the bytes may be a token: letters, digits and -._~+/, with '=' at the end; of any length but none. */
bool token_is_well_formed(struct slice token);

/* Calls on_token for each token of the text, until that returns an error. INVALID_ARGUMENT names file and line, and
 * never quotes them: they hold secrets. */
struct status token_file_parse(const char *path, struct slice text,
                               struct status (*on_token)(void *user, struct slice token), void *user) STATUS_MUST_CHECK;

#endif
