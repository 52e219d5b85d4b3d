/* gpu_speed: is the engine right on a device, and how fast is it there.
 *
 *   gpu_speed check   results of a device beside those of the CPU in fp32, on ragged batches; fails beyond tolerances
 *   gpu_speed layers  the errors of a device's hidden states after each layer
 *   gpu_speed offline sequences a second, and useful floating point operations, over a file of real lengths
 *   gpu_speed latency one batch of 1 or 8 sequences at a time: median and 99th percentile
 *
 * `gpu_speed COMMAND --help` lists the options. Models: `--checkpoint random:1 --bert-config
 * models/bert-base/bert_config.json`, the same of bert-large, and `--checkpoint models/minilm-squad`. `--device cpu`
 * tries the program out where there is no GPU.
 *
 * Operations are those of the matrices of the layers and of attention at the real lengths of sequences (what a
 * device rounds a batch up by is not counted): layers * (2 n (4 h^2 + 2 h f) + 4 n^2 h) for n tokens, hidden size h and
 * intermediate size f. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "speed_commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"check", speed_check}, {"layers", speed_layers}, {"offline", speed_offline}, {"latency", speed_latency}};

bool speed_options(const struct option_table *table, int argc, char **argv, struct arena *arena, void *ret,
                   int *ret_code) {
    enum options_outcome outcome;
    struct status status = options_parse(table, argc, argv, arena, ret, NULL, &outcome);
    *ret_code = 0;
    if (!status_is_ok(&status)) {
        fprintf(stderr, "%s: %s\n", table->program, status.message);
        *ret_code = 2;
        return false;
    }
    if (outcome == OPTIONS_HELP)
        options_print_help(table, stdout);
    return outcome == OPTIONS_RUN;
}

int speed_fail(const char *command, const struct status *status) {
    fflush(stdout);
    fprintf(stderr, "gpu_speed %s: %s\n", command, status->message);
    return 1;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "usage: gpu_speed check|layers|offline|latency [options]; --help lists them\n");
    return 2;
}
