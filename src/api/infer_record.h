/* infer_record.h: what a file of records keeps of an inference: what was asked, never who asked.
 *
 * Left out: headers and metadata of the exchange, also those that were made parameters, and parameters whose name says
 * that they are a secret. */
#ifndef INFERD_API_INFER_RECORD_H
#define INFERD_API_INFER_RECORD_H

#include "api/infer_call.h"
#include "record/recorder.h"

/* A copy of the request as it is just before its submission, for recorder_commit. NULL where there is no room for it.
 * The call's context has a recorder. Thread: the exchange's loop. */
struct recorded *infer_record_make(const struct infer_call *call);

#endif
