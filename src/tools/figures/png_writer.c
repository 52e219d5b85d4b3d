#include "tools/figures/png_writer.h"

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static struct status run(char *const *words) {
    pid_t child;
    int error = posix_spawnp(&child, words[0], NULL, NULL, words, environ);
    if (error == ENOENT)
        return status_error(STATUS_NOT_FOUND, "%s is not installed", words[0]);
    if (error != 0)
        return status_error(STATUS_INTERNAL, "cannot run %s: %s", words[0], strerror(error));
    int state;
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR)
            return status_error(STATUS_INTERNAL, "%s: %s", words[0], strerror(errno));
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return status_ok();
    return status_error(STATUS_INTERNAL, "%s failed with %s %d", words[0], WIFEXITED(state) ? "exit code" : "signal",
                        WIFEXITED(state) ? WEXITSTATUS(state) : WTERMSIG(state));
}

struct status png_writer_convert(struct arena *arena, const char *svg_path) {
    struct slice stem = slice_of(svg_path);
    if (slice_ends_with(stem, SLICE_LITERAL(".svg")))
        stem.size -= 4;
    char *source = arena_strdup(arena, slice_of(svg_path));
    char *target = arena_printf(arena, "%.*s.png", (int)stem.size, stem.data);
    if (source == NULL || target == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    char program[] = "rsvg-convert", zoom[] = "--zoom=2", output[] = "--output", end[] = "--";
    char *const words[] = {program, zoom, output, target, end, source, NULL};
    return run(words);
}
