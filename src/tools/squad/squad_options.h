/* squad_options.h: the command line of `inferd squad`, parsed and checked for contradictions. */
#ifndef INFERD_TOOLS_SQUAD_SQUAD_OPTIONS_H
#define INFERD_TOOLS_SQUAD_SQUAD_OPTIONS_H

#include "base/arena.h"
#include "base/options.h"
#include "client/infer_client.h"

enum squad_padding { SQUAD_PAD_NONE, SQUAD_PAD_LONGEST, SQUAD_PAD_MAX };

struct squad_options {
    const char *url;      /* [https://]HOST:PORT; filled in from the protocol when not given */
    struct infer_tls tls; /* files only */
    const char *protocol;
    const char *model;
    const char *model_version; /* "": the server's choice */
    const char *data;
    const char *output_dir; /* NULL: no prediction files */
    const char *json;       /* NULL: none */
    const char *evaluate;   /* a predictions file: score only */
    const char *null_odds;  /* with evaluate */
    const char *vocab;      /* NULL: the embedded one */
    const char *pad;
    int64_t batch_size;
    int64_t concurrency;
    int64_t max_seq_length; /* 0: the model says */
    int64_t doc_stride;
    int64_t max_query_length;
    int64_t n_best_size;
    int64_t max_answer_length;
    double null_score_diff_threshold;
    bool do_lower_case;
    double wait_ready;      /* seconds */
    double request_timeout; /* seconds; 0: none */

    bool is_http;
    enum squad_padding padding;
    bool padding_given;
    bool do_lower_case_given;
    bool threshold_given;
};

/* Errors: INVALID_ARGUMENT, to be answered with exit code 2. On OPTIONS_HELP the help has been printed. */
struct status squad_options_parse(int argc, char **argv, struct arena *arena, struct squad_options *ret,
                                  enum options_outcome *ret_outcome) STATUS_MUST_CHECK;

#endif
