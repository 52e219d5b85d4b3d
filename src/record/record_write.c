#include "codec/base64.h"
#include "codec/json_write.h"
#include "record/record.h"

static void write_text(struct json_writer *writer, const char *name, struct slice text) {
    json_key(writer, name);
    json_string(writer, text);
}

static void write_optional(struct json_writer *writer, const char *name, struct slice text) {
    if (text.size > 0)
        write_text(writer, name, text);
}

static void write_number(struct json_writer *writer, const char *name, uint64_t value) {
    json_key(writer, name);
    json_u64(writer, value);
}

static void write_flag(struct json_writer *writer, const char *name, bool set) {
    if (!set)
        return;
    json_key(writer, name);
    json_bool(writer, true);
}

static void write_base64(struct json_writer *writer, struct slice data) {
    json_key(writer, "b64");
    buf_append_char(writer->out, '"');
    base64_append(writer->out, data);
    buf_append_char(writer->out, '"');
}

static void write_input(struct json_writer *writer, const struct record_tensor *input) {
    json_begin_object(writer);
    write_text(writer, "name", input->name);
    write_text(writer, "datatype", input->datatype);
    json_key(writer, "shape");
    json_begin_array(writer);
    for (size_t i = 0; i < input->rank; i++)
        json_i64(writer, input->shape[i]);
    json_end_array(writer);
    write_number(writer, "size", input->size);
    write_flag(writer, "shared", input->shared);
    if (input->has_data)
        write_base64(writer, input->data);
    json_end_object(writer);
}

static void write_inputs(struct json_writer *writer, const struct record *record) {
    json_key(writer, "inputs");
    json_begin_array(writer);
    for (size_t i = 0; i < record->input_count; i++)
        write_input(writer, &record->inputs[i]);
    json_end_array(writer);
}

static void write_outputs(struct json_writer *writer, const struct record *record) {
    if (record->output_count == 0)
        return;
    json_key(writer, "outputs");
    json_begin_array(writer);
    for (size_t i = 0; i < record->output_count; i++) {
        const struct record_output *output = &record->outputs[i];
        json_begin_object(writer);
        write_text(writer, "name", output->name);
        if (output->classification > 0)
            write_number(writer, "classification", output->classification);
        write_flag(writer, "shared", output->shared);
        json_end_object(writer);
    }
    json_end_array(writer);
}

static void write_parameters(struct json_writer *writer, const struct record *record) {
    if (record->parameter_count == 0)
        return;
    json_key(writer, "parameters");
    json_begin_object(writer);
    for (size_t i = 0; i < record->parameter_count; i++) {
        const struct record_parameter *parameter = &record->parameters[i];
        json_key_slice(writer, parameter->name);
        switch (parameter->kind) {
        case RECORD_BOOL:
            json_bool(writer, parameter->value.boolean);
            break;
        case RECORD_INT:
            json_i64(writer, parameter->value.integer);
            break;
        case RECORD_UINT:
            json_u64(writer, parameter->value.unsigned_integer);
            break;
        case RECORD_DOUBLE:
            json_double(writer, parameter->value.real);
            break;
        case RECORD_STRING:
            json_string(writer, parameter->value.string);
            break;
        }
    }
    json_end_object(writer);
}

static void write_sequence(struct json_writer *writer, const struct record_sequence *sequence) {
    bool known = sequence->number > 0 || sequence->text.size > 0;
    if (!known && !sequence->start && !sequence->end)
        return;
    json_key(writer, "sequence");
    json_begin_object(writer);
    if (sequence->text.size > 0)
        write_text(writer, "id", sequence->text);
    else if (sequence->number > 0)
        write_number(writer, "id", sequence->number);
    write_flag(writer, "start", sequence->start);
    write_flag(writer, "end", sequence->end);
    json_end_object(writer);
}

static void end_line(struct json_writer *writer) {
    json_end_object(writer);
    buf_append_char(writer->out, '\n');
}

void record_write(const struct record *record, struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    json_begin_object(&writer);
    write_number(&writer, "at_ns", record->at_ns);
    write_text(&writer, "protocol", record->protocol);
    write_text(&writer, "model", record->model);
    write_optional(&writer, "version", record->version);
    write_optional(&writer, "id", record->id);
    if (record->priority > 0)
        write_number(&writer, "priority", record->priority);
    if (record->timeout_us > 0)
        write_number(&writer, "timeout_us", record->timeout_us);
    write_sequence(&writer, &record->sequence);
    write_parameters(&writer, record);
    write_outputs(&writer, record);
    write_inputs(&writer, record);
    end_line(&writer);
}

void record_head_write(const struct record_head *head, struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    json_begin_object(&writer);
    write_number(&writer, "inferd_record", RECORD_FORM);
    write_text(&writer, "server", head->server);
    write_text(&writer, "started", head->started);
    json_key(&writer, "bodies");
    json_bool(&writer, head->bodies);
    end_line(&writer);
}

void record_end_write(const struct record_end *end, struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    json_begin_object(&writer);
    write_text(&writer, "end", end->reason);
    write_number(&writer, "records", end->records);
    write_number(&writer, "dropped", end->dropped);
    write_number(&writer, "failed", end->failed);
    end_line(&writer);
}
