#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum terminal_kind terminal_kind_of(FILE *out) {
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    if (!isatty(fileno(out)) || term == NULL || strcmp(term, "dumb") == 0)
        return TERMINAL_NONE;
    return no_colour != NULL && no_colour[0] != '\0' ? TERMINAL_PLAIN : TERMINAL_COLOUR;
}

int terminal_width(FILE *out, int otherwise) {
    struct winsize size;
    int fd = fileno(out);
    if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return otherwise;
    return size.ws_col - 1;
}
