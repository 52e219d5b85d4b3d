/* h1_parser.c: the head of a request: scanning for its end, the request line, the fields and what they mean together.
 */
#include "http/h1_parser.h"

#include <string.h>

#include "http/http_text.h"

static const struct h1_error H1_GOOD = {0, NULL};

static struct h1_error bad_request(const char *text) {
    return (struct h1_error){400, text};
}

/* ---- the end of the head ---- */

static struct h1_error too_long(const struct h1_scan *scan) {
    if (scan->lines == 0)
        return (struct h1_error){414, "the request line is longer than the limit for a request head"};
    return (struct h1_error){431, "the request head is longer than the limit"};
}

/* A CR LF ends at `at`. True when it makes the empty line that ends the head; empty lines before a request are skipped.
 */
static bool end_line(struct h1_scan *scan, size_t at) {
    bool empty = at - scan->line == 1;
    scan->line = at + 1;
    if (!empty) {
        scan->lines++;
        return false;
    }
    if (scan->lines == 0)
        scan->start = at + 1;
    return scan->lines > 0;
}

size_t h1_scan_head(struct h1_scan *scan, const char *data, size_t n, const struct http_limits *limits,
                    struct h1_error *reterr) {
    size_t limit = n < limits->max_head_bytes ? n : limits->max_head_bytes;
    for (size_t i = scan->at; i < limit; i++) {
        while (!scan->cr && i < limit && http_char_class[(unsigned char)data[i]] & HTTP_CHAR_VALUE)
            i++; /* most of a head */
        if (i == limit)
            break;
        unsigned char c = (unsigned char)data[i];
        if (scan->cr) {
            scan->cr = false;
            if (c != '\n') {
                *reterr = bad_request("a CR without LF in the request head");
                return 0;
            }
            if (end_line(scan, i))
                return i + 1;
        } else if (c == '\r') {
            scan->cr = true;
        } else {
            *reterr = c == '\n' ? bad_request("an LF without CR in the request head")
                                : bad_request("a control character in the request head");
            return 0;
        }
    }
    scan->at = limit;
    if (limit == limits->max_head_bytes)
        *reterr = too_long(scan);
    return 0;
}

/* ---- request line ---- */

static bool parse_version(struct slice text, int *ret) {
    static const struct slice prefix = {"HTTP/", 5};
    if (text.size != 8 || !slice_starts_with(text, prefix) || text.data[6] != '.')
        return false;
    char major = text.data[5], minor = text.data[7];
    if (major < '0' || major > '9' || minor < '0' || minor > '9')
        return false;
    /* A later 1.x is answered as 1.1. */
    *ret = major == '1' ? (minor == '0' ? 10 : 11) : 10 * (major - '0') + (minor - '0');
    return true;
}

static struct h1_error parse_request_line(struct slice line, struct http_request *request) {
    struct slice rest, target, version;
    if (!slice_split(line, ' ', &request->method, &rest) || !slice_split(rest, ' ', &target, &version))
        return bad_request("the request line is not: method, blank, target, blank, HTTP/1.1");
    if (!http_is_token(request->method))
        return bad_request("the method is not a token");
    if (!parse_version(version, &request->version))
        return bad_request("the request line does not end in an HTTP version");
    if (request->version < 10 || request->version > 11)
        return (struct h1_error){505, "only HTTP/1.0, HTTP/1.1 and HTTP/2 are served"};
    if (slice_equal_text(request->method, "CONNECT"))
        return (struct h1_error){501, "CONNECT is not implemented"};
    if (!http_split_target(target, request))
        return bad_request("the request target is not a path or an http URL of visible ASCII characters");
    return H1_GOOD;
}

/* ---- fields ---- */

/* What the fields that frame a message say, collected over all of them. */
struct framing {
    struct http_request *request;
    struct h1_head *head;
    struct slice host;
    unsigned hosts, lengths, codings;
    bool close, keep_alive;
};

static struct h1_error take_host(struct framing *framing, struct slice value) {
    if (framing->hosts++ > 0)
        return bad_request("more than one Host field");
    if (!http_all_chars(value, HTTP_CHAR_HOST))
        return bad_request("the Host field is not a host and port");
    framing->host = value;
    return H1_GOOD;
}

static struct h1_error take_content_length(struct framing *framing, struct slice value) {
    uint64_t length;
    if (framing->lengths++ > 0)
        return bad_request("more than one Content-Length field");
    if (!slice_to_u64(value, &length) || length > INT64_MAX)
        return bad_request("Content-Length is not a number of bytes");
    framing->request->content_length = (int64_t)length;
    return H1_GOOD;
}

/* Empty elements of the list count for nothing (RFC 9110, section 5.6.1.2). */
static struct h1_error take_transfer_encoding(struct framing *framing, struct slice value) {
    size_t chunked = 0, others = 0;
    if (framing->codings++ > 0)
        return bad_request("more than one Transfer-Encoding field");
    for (struct slice coding, rest = value; rest.size > 0;) {
        slice_split(rest, ',', &coding, &rest);
        coding = slice_trim(coding);
        bool is_chunked = slice_equal_nocase(coding, SLICE_LITERAL("chunked"));
        chunked += is_chunked;
        others += !is_chunked && coding.size > 0;
    }
    if (chunked != 1 || others > 0)
        return (struct h1_error){501, "the only transfer coding that is implemented is chunked"};
    framing->head->chunked = true;
    return H1_GOOD;
}

static struct h1_error take_connection(struct framing *framing, struct slice value) {
    struct slice option, rest = value;
    while (rest.size > 0) {
        slice_split(rest, ',', &option, &rest);
        option = slice_trim(option);
        framing->close |= slice_equal_nocase(option, SLICE_LITERAL("close"));
        framing->keep_alive |= slice_equal_nocase(option, SLICE_LITERAL("keep-alive"));
    }
    return H1_GOOD;
}

static struct h1_error take_expect(struct framing *framing, struct slice value) {
    if (framing->request->version == 10)
        return H1_GOOD;
    if (!slice_equal_nocase(value, SLICE_LITERAL("100-continue")))
        return (struct h1_error){417, "the only expectation that is met is 100-continue"};
    framing->head->expect_continue = true;
    return H1_GOOD;
}

static const struct {
    struct slice name;
    struct h1_error (*take)(struct framing *framing, struct slice value);
} framing_fields[] = {
    {{"host", 4}, take_host},
    {{"content-length", 14}, take_content_length},
    {{"transfer-encoding", 17}, take_transfer_encoding},
    {{"connection", 10}, take_connection},
    {{"expect", 6}, take_expect},
};

static struct h1_error take_framing(struct framing *framing, const struct http_header *field) {
    for (size_t i = 0; i < sizeof framing_fields / sizeof framing_fields[0]; i++)
        if (slice_equal(field->name, framing_fields[i].name))
            return framing_fields[i].take(framing, field->value);
    return H1_GOOD;
}

/* "Name: value" -> name in lower case, value without surrounding blanks. */
static struct h1_error parse_field(char *line, size_t size, struct http_header *ret) {
    size_t colon = 0;
    while (colon < size && http_char_class[(unsigned char)line[colon]] & HTTP_CHAR_TOKEN) {
        if (line[colon] >= 'A' && line[colon] <= 'Z')
            line[colon] = (char)(line[colon] + ('a' - 'A'));
        colon++;
    }
    if (colon == 0 && http_is_blank(line[0]))
        return bad_request("a folded header line");
    if (colon == 0 || colon == size || line[colon] != ':')
        return bad_request("a header line is not: name, colon, value");
    size_t begin = colon + 1, end = size;
    while (begin < end && http_is_blank(line[begin]))
        begin++;
    while (end > begin && http_is_blank(line[end - 1]))
        end--;
    ret->name = (struct slice){line, colon};
    ret->value = (struct slice){line + begin, end - begin};
    return H1_GOOD;
}

/* What the fields mean together. */
static struct h1_error conclude(struct framing *framing) {
    struct http_request *request = framing->request;
    struct h1_head *head = framing->head;
    if (request->version == 11 && framing->hosts == 0)
        return bad_request("HTTP/1.1 wants a Host field");
    if (head->chunked && framing->lengths > 0)
        return bad_request("both Transfer-Encoding and Content-Length");
    if (head->chunked && request->version == 10)
        return bad_request("Transfer-Encoding in HTTP/1.0");
    if (request->authority.size == 0)
        request->authority = framing->host;
    head->keep_alive = !framing->close && (request->version == 11 || framing->keep_alive);
    return H1_GOOD;
}

/* The line at *at without its CR LF, which the scan has seen to be there. */
static struct slice next_line(const char *head, size_t size, size_t *at) {
    const char *lf = memchr(head + *at, '\n', size - *at);
    struct slice line = {head + *at, (size_t)(lf - (head + *at)) - 1};
    *at += line.size + 2;
    return line;
}

struct h1_error h1_parse_head(const struct h1_scan *scan, char *head, size_t size, struct arena *arena,
                              const struct http_limits *limits, struct http_request *ret_request,
                              struct h1_head *ret_head) {
    struct framing framing = {.request = ret_request, .head = ret_head};
    *ret_head = (struct h1_head){false, false, false};
    size_t at = scan->start;
    struct h1_error error = parse_request_line(next_line(head, size, &at), ret_request);
    if (error.status)
        return error;
    size_t count = scan->lines - 1;
    if (count > limits->max_header_count)
        return (struct h1_error){431, "more header fields than the limit"};
    struct http_header *fields = arena_calloc(arena, count, sizeof *fields);
    if (!fields)
        return (struct h1_error){503, "no memory for the request head"};
    for (size_t i = 0; i < count; i++) {
        char *line = head + at;
        error = parse_field(line, next_line(head, size, &at).size, &fields[i]);
        if (!error.status)
            error = take_framing(&framing, &fields[i]);
        if (error.status)
            return error;
    }
    ret_request->headers = fields;
    ret_request->header_count = count;
    return conclude(&framing);
}
