/* Tests of svg: what is written is XML whatever the texts are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "tools/figures/svg.h"

static void check(struct buf *out, const char *expected) {
    assert_false(buf_failed(out));
    assert_int_equal(out->size, strlen(expected));
    assert_memory_equal(out->data, expected, out->size);
    buf_free(out);
}

static void test_escaping(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    svg_escape(&out, SLICE_LITERAL("a<b>&\"c'\xC2\xB5"));
    check(&out, "a&lt;b&gt;&amp;&quot;c&#39;\xC2\xB5");
}

static void test_what_xml_forbids(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    /* a control, DEL, half a character, a lone continuation, a surrogate (three bytes), U+FFFF; a tab stays */
    svg_escape(&out, SLICE_LITERAL("\x01\x7F\xC3"
                                   "a\x80\xED\xA0\x80\xEF\xBF\xBF\t"));
    check(&out, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\t");
}

static void test_elements(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    svg_rect(&out, "bar", 1, 2.5, 3.333333, -0.001);
    svg_text(&out, "label", 0, 1e3, 'e', "p99 <1 ms>");
    svg_text(&out, "label", 0, 0, 's', "");
    check(&out, "<rect class=\"bar\" x=\"1\" y=\"2.5\" width=\"3.33\" height=\"0\"/>\n"
                "<text class=\"label\" x=\"0\" y=\"1000\" text-anchor=\"end\">p99 &lt;1 ms&gt;</text>\n");
}

static void test_data_is_exact(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    svg_open(&out, "circle", "mark");
    svg_number(&out, "cx", NAN);
    svg_data(&out, "us", 1234.5678901234);
    svg_data_text(&out, "part", "a\"b");
    svg_close_tooltip(&out, "circle", "4 & 5");
    check(&out, "<circle class=\"mark\" cx=\"0\" data-us=\"1234.5678901234\" data-part=\"a&quot;b\">"
                "<title>4 &amp; 5</title></circle>\n");
}

static void test_paths(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    svg_path_begin(&out, "line");
    svg_path_point(&out, 0, 1, true);
    svg_path_point(&out, 2.25, 3, false);
    svg_path_end(&out);
    svg_close(&out);
    check(&out, "<path class=\"line\" d=\"M0 1L2.25 3\"/>\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escaping), cmocka_unit_test(test_what_xml_forbids),
        cmocka_unit_test(test_elements), cmocka_unit_test(test_data_is_exact),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
