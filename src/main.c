/* main.c: picks the subcommand. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cpu.h"
#include "base/options.h"
#include "tools/engines/engines.h"
#include "tools/export/export.h"
#include "tools/figures/figures.h"
#include "tools/perf/perf.h"
#include "tools/serve/serve.h"
#include "tools/squad/squad.h"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int run_serve(int argc, char **argv) {
    return serve_main(INFERD_VERSION, argc, argv);
}

static const struct subcommand {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
} subcommands[] = {
    {"serve", "serve the models of a repository over HTTP and gRPC", run_serve},
    {"export", "write a model repository from a BERT checkpoint", export_main},
    {"squad", "ask a server SQuAD questions and score its answers", squad_main},
    {"figures", "draw what a load generator measured, and write a report", figures_main},
    {"perf", "load a server and tell its throughput and latency", perf_main},
};

enum { SUBCOMMAND_COUNT = sizeof subcommands / sizeof subcommands[0] };

static void print_help(FILE *out) {
    fprintf(out, "Usage: inferd COMMAND [options]\n\nServes trained models over the network.\n\nCommands:\n");
    for (int i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(out, "  %-8s %s\n", subcommands[i].name, subcommands[i].summary);
    fprintf(
        out,
        "\n'inferd COMMAND --help' shows the options of a command; 'inferd --version' shows the build, the engines\n"
        "and the CPU.\n");
}

static int print_version(void) {
    struct arena *arena = arena_create(0);
    const char *directory = arena ? engines_default_directory(arena) : NULL;
    if (!directory) {
        arena_destroy(arena);
        fprintf(stderr, "inferd: out of memory\n");
        return EXIT_FAILED;
    }
    printf("inferd %s\nbuild: %s, %s\n", INFERD_VERSION, INFERD_BUILD_TYPE, COMPILER);
    engines_print(directory, stdout);
    char features[256];
    cpu_feature_text(features, sizeof features);
    printf("cpu: %d available, features: %s\n", cpu_available_count(), features[0] ? features : "none known");
    arena_destroy(arena);
    return EXIT_GOOD;
}

static int unknown_command(const char *word) {
    const char *names[SUBCOMMAND_COUNT];
    for (int i = 0; i < SUBCOMMAND_COUNT; i++)
        names[i] = subcommands[i].name;
    const char *near = nearest_name(slice_of(word), names, SUBCOMMAND_COUNT);
    fprintf(stderr, "inferd: unknown command \"%.100s\"", word);
    if (near)
        fprintf(stderr, "; did you mean \"%s\"?", near);
    fprintf(stderr, "\nTry 'inferd --help'.\n");
    return EXIT_USAGE;
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return EXIT_GOOD;
    }
    if (strcmp(word, "--version") == 0)
        return print_version();
    for (int i = 0; i < SUBCOMMAND_COUNT; i++)
        if (strcmp(word, subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
    return unknown_command(word);
}

/* A descriptor of 0 to 2 that is closed would be the next connection's or file's, and what is printed would go there.
 * /dev/null for reading takes its place, which, as nothing there would, refuses what is printed. */
static void fill_standard_descriptors(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* What was printed must have gone out, whoever printed it. */
int main(int argc, char **argv) {
    fill_standard_descriptors();
    int code = run(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "inferd: the output could not be written to the standard output\n");
    return code == EXIT_GOOD ? EXIT_FAILED : code;
}
