/* workload_text.h: --text FILE: the questions and paragraphs of a SQuAD file as the load of a BERT model, tokenized
 * here, so that the lengths are those of real use. */
#ifndef INFERD_TOOLS_PERF_WORKLOAD_TEXT_H
#define INFERD_TOOLS_PERF_WORKLOAD_TEXT_H

#include "tools/perf/workload.h"

struct workload_text {
    const char *path;
    const char *vocab;       /* NULL: the one compiled in */
    uint32_t max_seq_length; /* 0: the model's config says, or 384 */
    uint32_t doc_stride;
    uint32_t max_query_length;
    bool pad; /* every window to max_seq_length */
};

/* Whether the model has an input of token ids, so that --text is worth a try. */
bool workload_text_suits(const struct infer_model_info *model);

/* One stream of all windows, in the order of the file. Errors: FAILED_PRECONDITION for a model that is no BERT model;
 * what the readers of vocabulary and file say; RESOURCE_EXHAUSTED. */
struct status workload_read_text(struct arena *arena, const struct workload_config *config,
                                 struct workload_items *ret) STATUS_MUST_CHECK;

#endif
