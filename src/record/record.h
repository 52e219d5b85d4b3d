/* record.h: one inference as a file of records holds it, and its form there: a line of JSON. docs/record.md tells of
 * the form for those who read it with other programs.
 *
 * Thread: none of its own. */
#ifndef INFERD_RECORD_RECORD_H
#define INFERD_RECORD_RECORD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

/* Of the whole form; a reader refuses others. */
enum { RECORD_FORM = 1 };

enum record_kind { RECORD_BOOL, RECORD_INT, RECORD_UINT, RECORD_DOUBLE, RECORD_STRING };

struct record_parameter {
    struct slice name;
    enum record_kind kind; /* as read, a number of 0 or more without a point is RECORD_UINT */
    union {
        bool boolean;
        int64_t integer;
        uint64_t unsigned_integer;
        double real;
        struct slice string;
    } value;
};

struct record_tensor {
    struct slice name;
    struct slice datatype; /* "FP32" */
    const int64_t *shape;  /* full, with the batch dimension */
    size_t rank;
    uint64_t size;     /* bytes of the data, recorded or not */
    bool shared;       /* it lay in a client's shared memory, and is not recorded */
    bool has_data;     /* it is */
    struct slice data; /* little-endian, row-major; BYTES elements each behind a 4-byte length */
};

struct record_output {
    struct slice name;
    uint32_t classification; /* classes wanted; 0: the tensor */
    bool shared;             /* to be put into a client's shared memory */
};

struct record_sequence {
    uint64_t number;   /* 0: none */
    struct slice text; /* in place of the number; empty: none */
    bool start, end;
};

struct record {
    uint64_t at_ns;        /* when it arrived, since the start of the record */
    uint64_t line;         /* in the file it was read from; 0: none */
    struct slice protocol; /* "v2-http" */
    struct slice model;
    struct slice version; /* as it was asked for; empty: none was */
    struct slice id;
    const struct record_tensor *inputs;
    size_t input_count;
    const struct record_output *outputs; /* asked for; none: all */
    size_t output_count;
    const struct record_parameter *parameters;
    size_t parameter_count;
    uint64_t priority, timeout_us; /* 0: none */
    struct record_sequence sequence;
};

/* Appends the line, with its line feed. */
void record_write(const struct record *record, struct buf *out);
/* Takes a line apart, without its line feed; what is unknown in it is passed over. All of *ret is the arena's. Errors
 * tell the member, or the byte where it is no JSON. */
struct status record_parse(struct slice line, struct arena *arena, struct record *ret) STATUS_MUST_CHECK;

/* The first line of a file. */
struct record_head {
    struct slice server;  /* "inferd 0.1.0" */
    struct slice started; /* "2026-11-22T20:03:25.829575000Z": at_ns counts from here */
    bool bodies;          /* data is recorded */
};
void record_head_write(const struct record_head *head, struct buf *out);
/* UNSUPPORTED for another form. */
struct status record_head_parse(struct slice line, struct arena *arena, struct record_head *ret) STATUS_MUST_CHECK;

/* The last line, when the record has come to an end in good order. */
struct record_end {
    struct slice reason; /* "stopped", "max-size" */
    uint64_t records, dropped, failed;
};
enum { RECORD_END_MAX = 160 }; /* bytes that it takes at most */
void record_end_write(const struct record_end *end, struct buf *out);
/* True when the line is one. *ret's text is the arena's. */
bool record_end_parse(struct slice line, struct arena *arena, struct record_end *ret);

#endif
