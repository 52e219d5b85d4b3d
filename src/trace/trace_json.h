/* trace_json.h: a trace as the records of a trace file: JSON objects with commas between.
 *
 *   {"id":1,"model_name":"bert","model_version":1,"request_id":"x"},
 *   {"id":1,"timestamps":[{"name":"HTTP_RECV_START","ns":2356425054587444}]}, ...
 *   {"id":1,"activity":"TENSOR_QUEUE_INPUT","tensor":{"name":"input","data":"0.1,0.2","shape":"1,2","dtype":"FP32"}}
 *
 * "truncated":true stands in a tensor that was cut. Source: Triton's documentation, "JSON Trace Output". */
#ifndef INFERD_TRACE_TRACE_JSON_H
#define INFERD_TRACE_TRACE_JSON_H

#include "base/buf.h"
#include "trace/trace.h"

/* Sorts the stamps. Shortage of memory shows in buf_failed. */
void trace_json_write(struct trace *trace, struct buf *out);

#endif
