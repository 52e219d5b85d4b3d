#include "tools/perf/profile.h"

#include <string.h>

#include "base/clock.h"
#include "codec/json_element.h"
#include "codec/json_write.h"

void profile_begin(struct profile *profile, const char *service_kind, const char *endpoint, const char *version,
                   const struct workload *workload) {
    *profile = (struct profile){.service_kind = service_kind,
                                .endpoint = endpoint,
                                .version = version,
                                .workload = workload,
                                .values_max = PROFILE_VALUES_MAX};
    profile->epoch_ns = clock_realtime_ns() - clock_monotonic_ns();
}

void profile_free(struct profile *profile) {
    buf_free(&profile->json);
    buf_free(&profile->records);
    buf_free(&profile->responses);
    buf_free(&profile->boundaries);
    buf_free(&profile->values);
}

/* {"OUT":[1,2]} */
static void write_tensors(struct buf *out, const struct infer_tensor *tensors, size_t count) {
    struct json_writer json = json_writer_on(out);
    json_begin_object(&json);
    for (size_t i = 0; i < count; i++) {
        json_key_slice(&json, tensors[i].name);
        json_append_elements(out, tensors[i].datatype, tensors[i].data);
        json.comma = true;
    }
    json_end_object(&json);
}

/* Whether the values from `before` on are kept; else they are gone from `out`. */
static bool keep_values(struct profile *profile, struct buf *out, size_t before) {
    size_t size = out->size - before;
    profile->full = profile->full || size > profile->values_max - profile->values_size;
    if (profile->full)
        out->size = before;
    else
        profile->values_size += size;
    return !profile->full;
}

void profile_add_record(struct profile *profile, const struct generator_record *record) {
    struct profile_request request = {record->due_ns, record->sequence_id, record->response_count, record->entry, 0,
                                      false};
    if (profile->records.size / sizeof request >= PROFILE_RECORDS_MAX) {
        profile->dropped++;
        return;
    }
    if (profile->workload != NULL && record->response_count > 0) {
        size_t before = profile->values.size;
        if (!profile->full)
            write_tensors(&profile->values, record->outputs, record->output_count);
        request.cut = !keep_values(profile, &profile->values, before);
        request.values_size = profile->values.size - before;
    }
    buf_append(&profile->records, &request, sizeof request);
    buf_append(&profile->responses, record->response_ns, record->response_count * sizeof *record->response_ns);
}

void profile_add_boundary(struct profile *profile, uint64_t time_ns) {
    buf_append(&profile->boundaries, &time_ns, sizeof time_ns);
}

/* Times in `from`, which may not be aligned, as an array. */
static void write_times(const struct profile *profile, struct json_writer *json, const char *from, size_t count) {
    json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        uint64_t ns;
        memcpy(&ns, from + i * sizeof ns, sizeof ns);
        json_u64(json, profile->epoch_ns + ns);
    }
    json_end_array(json);
}

/* Returns whether they are there. */
static bool write_inputs(struct profile *profile, struct buf *out, const struct workload_entry *entry) {
    size_t before = out->size;
    if (!profile->full)
        write_tensors(out, entry->inputs, entry->input_count);
    bool kept = keep_values(profile, out, before);
    if (!kept)
        buf_append_text(out, "{}");
    return kept;
}

static void write_request(struct profile *profile, struct json_writer *json, const struct profile_request *request,
                          const char *responses, const char *values) {
    json_begin_object(json);
    json_key(json, "timestamp");
    json_u64(json, profile->epoch_ns + request->due_ns);
    if (request->sequence_id != 0) {
        json_key(json, "sequence_id");
        json_u64(json, request->sequence_id);
    }
    json_key(json, "request_inputs");
    bool cut = request->cut;
    if (profile->workload != NULL)
        cut = !write_inputs(profile, json->out, &profile->workload->entries[request->entry]) || cut;
    else
        buf_append_text(json->out, "{}");
    profile->cut += cut;
    json->comma = true;
    json_key(json, "response_timestamps");
    write_times(profile, json, responses, request->response_count);
    json_key(json, "response_outputs");
    json_begin_array(json);
    for (size_t i = 0; i < request->response_count; i++) {
        bool kept = i + 1 == request->response_count && request->values_size > 0;
        json_raw(json, kept ? (struct slice){values, request->values_size} : SLICE_LITERAL("{}"));
    }
    json_end_array(json);
    json_end_object(json);
}

static void write_requests(struct profile *profile, struct json_writer *json) {
    const char *responses = profile->responses.data, *values = profile->values.data;
    json_begin_array(json);
    for (size_t at = 0; at < profile->records.size; at += sizeof(struct profile_request)) {
        struct profile_request request;
        memcpy(&request, profile->records.data + at, sizeof request);
        write_request(profile, json, &request, responses, values);
        responses += request.response_count * sizeof(uint64_t);
        if (request.values_size > 0)
            values += request.values_size;
    }
    json_end_array(json);
}

void profile_end_experiment(struct profile *profile, const char *mode, double value, bool valid) {
    struct json_writer json = json_writer_on(&profile->json);
    bool lost = buf_failed(&profile->records) || buf_failed(&profile->responses) || buf_failed(&profile->boundaries) ||
                buf_failed(&profile->values);
    if (profile->experiment_count++ > 0)
        buf_append_char(&profile->json, ',');
    json_begin_object(&json);
    json_key(&json, "experiment");
    json_begin_object(&json);
    json_key(&json, "mode");
    json_text(&json, mode);
    json_key(&json, "value");
    if (value == (double)(uint64_t)value)
        json_u64(&json, (uint64_t)value);
    else
        json_double(&json, value);
    if (!valid) { /* our own: readers of perf_analyzer's files see it only where it matters */
        json_key(&json, "generator_limited");
        json_bool(&json, true);
    }
    json_end_object(&json);
    json_key(&json, "requests");
    write_requests(profile, &json);
    json_key(&json, "window_boundaries");
    write_times(profile, &json, profile->boundaries.data, profile->boundaries.size / sizeof(uint64_t));
    json_end_object(&json);
    profile->json.failed = profile->json.failed || lost;
    buf_clear(&profile->records);
    buf_clear(&profile->responses);
    buf_clear(&profile->boundaries);
    buf_clear(&profile->values);
}

void profile_write(const struct profile *profile, struct buf *out) {
    struct json_writer json = json_writer_on(out);
    out->failed = out->failed || buf_failed(&profile->json);
    json_begin_object(&json);
    json_key(&json, "experiments");
    buf_append_char(out, '[');
    buf_append_slice(out, buf_slice(&profile->json));
    buf_append_char(out, ']');
    json.comma = true;
    json_key(&json, "version");
    json_text(&json, profile->version);
    json_key(&json, "service_kind");
    json_text(&json, profile->service_kind);
    json_key(&json, "endpoint");
    json_text(&json, profile->endpoint);
    json_end_object(&json);
}
