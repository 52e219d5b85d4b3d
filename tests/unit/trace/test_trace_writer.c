/* What the writer asks of its queue, which this test stands in for. */
#include "trace_fixture.h"

#include "trace/trace_priv.h"
#include "trace/trace_writer.h"

struct spool {
    struct spool_options options; /* of the last one that was made */
    size_t pushed, size;          /* items, and the size of the last one */
};

static struct spool the_spool;

struct status spool_create(const struct spool_options *options, struct spool **ret) {
    the_spool = (struct spool){.options = *options};
    *ret = &the_spool;
    return status_ok();
}

struct status spool_start(struct spool *spool) {
    (void)spool;
    return status_ok();
}

void spool_push(struct spool *spool, struct spool_item *item) {
    spool->pushed++;
    spool->size = item->size;
    spool->options.destroy_item(item);
}

struct spool_counts spool_counts(struct spool *spool) {
    return (struct spool_counts){.written = spool->pushed};
}

void spool_destroy(struct spool *spool, uint64_t wait_ns) {
    (void)wait_ns;
    spool->options.destroy_user(spool->options.user);
}

static struct trace_writer *create(const struct trace_config *config) {
    struct trace_writer *writer = NULL;
    assert_good(trace_writer_create(config, "1.2.3", NULL, &writer));
    return writer;
}

static void files_are_written_one_by_one_and_at_once(void **state) {
    (void)state;
    struct trace_config config = trace_config_default();
    config.otlp.schedule_delay_ms = 5000;
    trace_writer_destroy(create(&config), 0);
    assert_int_equal(the_spool.options.batch, 1);
    assert_int_equal(the_spool.options.delay_ns, 0);
    assert_int_equal(the_spool.options.max_items, TRACE_QUEUE_MAX);
    assert_int_equal(the_spool.options.max_bytes, TRACE_QUEUE_MAX_BYTES);
}

/* The settings count spans, of which a trace has up to three. */
static void a_collector_gets_portions_of_traces(void **state) {
    (void)state;
    static const struct {
        uint32_t queue, batch, delay_ms;
        size_t max_items, portion;
        uint64_t delay_ns;
    } rows[] = {{2048, 512, 5000, 683, 170, 5 * NS_PER_S},
                {1, 1, 0, 1, 1, 0},
                {3, 3, 1, 1, 1, NS_PER_MS},
                {UINT32_MAX, UINT32_MAX, UINT32_MAX, 1431655765, 1431655765, UINT32_MAX * NS_PER_MS}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct trace_config config = trace_config_default();
        config.mode = TRACE_MODE_OPENTELEMETRY;
        config.otlp.max_queue_size = rows[i].queue;
        config.otlp.max_export_batch_size = rows[i].batch;
        config.otlp.schedule_delay_ms = rows[i].delay_ms;
        trace_writer_destroy(create(&config), 0);
        assert_int_equal(the_spool.options.max_items, rows[i].max_items);
        assert_int_equal(the_spool.options.max_bytes, TRACE_QUEUE_MAX_BYTES);
        assert_int_equal(the_spool.options.batch, rows[i].portion);
        assert_int_equal(the_spool.options.delay_ns, rows[i].delay_ns);
    }
}

/* What is recorded with a trace takes room in the queue, and so do its times. */
static void a_trace_is_as_large_as_its_memory(void **state) {
    (void)state;
    const struct trace_config config = trace_config_default();
    struct trace_writer *writer = create(&config);
    struct trace *trace = trace_create(slice_of("m"));
    assert_non_null(trace);
    trace->writer = writer;
    assert_non_null(arena_alloc(trace->arena, 100000));
    for (uint64_t i = 0; i < 100; i++)
        trace_stamp(trace, TRACE_RECV_START, i);
    size_t arena = arena_used(trace->arena), stamps = trace->stamp_capacity * sizeof *trace->stamps;
    assert_true(arena >= 100000 && stamps >= 100 * sizeof *trace->stamps);
    trace_end(trace);
    assert_int_equal(the_spool.pushed, 1);
    assert_int_equal(the_spool.size, arena + stamps);
    trace_writer_destroy(writer, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_written_one_by_one_and_at_once),
        cmocka_unit_test(a_collector_gets_portions_of_traces),
        cmocka_unit_test(a_trace_is_as_large_as_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
