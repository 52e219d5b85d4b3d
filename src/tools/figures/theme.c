#include "tools/figures/theme.h"

#include <stddef.h>

struct colour_rule {
    const char *selector, *property, *light, *dark;
};

static const struct colour_rule picture_rules[] = {
    {".surface", "fill", "#ffffff", "#15181d"},
    {".ink", "fill", "#1a1e24", "#e7eaee"},
    {".muted", "fill", "#565f6b", "#a3adba"},
    {".grid", "stroke", "#e3e6ea", "#2a2f37"},
    {".axis", "stroke", "#9aa3ae", "#56606c"},
    {".halo", "stroke", "#ffffff", "#15181d"},
    {".line-halo", "stroke", "#ffffff", "#15181d"},
    {".throughput", "stroke", "#1a1e24", "#f2f4f7"},
    {".throughput-fill", "fill", "#1a1e24", "#f2f4f7"},
    {".mark-edge", "stroke", "#ffffff", "#15181d"},
    {".hollow", "fill", "#ffffff", "#15181d"},

    {".part-client-send", "fill", "#6f4ba8", "#9c7fd6"},
    {".part-network", "fill", "#009e73", "#1fb287"},
    {".part-server-queue", "fill", "#e69f00", "#e8a628"},
    {".part-compute", "fill", "#0b6bb3", "#3d97db"},
    {".part-compute-input", "fill", "#8fbce4", "#a9cdee"},
    {".part-compute-infer", "fill", "#0b6bb3", "#3d97db"},
    {".part-compute-output", "fill", "#06375f", "#2b638f"},
    {".part-cache-hit", "fill", "#7d858f", "#8b949f"},
    {".part-cache-miss", "fill", "#b9bec6", "#5d6670"},
    {".part-client-recv", "fill", "#cc79a7", "#dd94bd"},

    {".s0", "stroke", "#0072b2", "#4ba3dd"},
    {".s1", "stroke", "#d55e00", "#f07f3a"},
    {".s2", "stroke", "#009e73", "#2bbf93"},
    {".s3", "stroke", "#b5508f", "#e08fc0"},
    {".s4", "stroke", "#a67c00", "#e3b53c"},
    {".s5", "stroke", "#3f444b", "#c9cdd3"},
    {".s6", "stroke", "#5a3e9b", "#a590e8"},
    {".s7", "stroke", "#7a4b2a", "#c79a73"},
    {".s0-fill", "fill", "#0072b2", "#4ba3dd"},
    {".s1-fill", "fill", "#d55e00", "#f07f3a"},
    {".s2-fill", "fill", "#008562", "#2bbf93"},
    {".s3-fill", "fill", "#b5508f", "#e08fc0"},
    {".s4-fill", "fill", "#946e00", "#e3b53c"},
    {".s5-fill", "fill", "#3f444b", "#c9cdd3"},
    {".s6-fill", "fill", "#5a3e9b", "#a590e8"},
    {".s7-fill", "fill", "#7a4b2a", "#c79a73"},

    {".r0", "stroke", "#79b82f", "#7a6fd0"},
    {".r1", "stroke", "#2fae76", "#3d7fb8"},
    {".r2", "stroke", "#1b8189", "#2fa8a4"},
    {".r3", "stroke", "#2f6690", "#5ad695"},
    {".r4", "stroke", "#443983", "#a4d74a"},
    {".r5", "stroke", "#2a0a4a", "#fde725"},
    {".r0-fill", "fill", "#548a14", "#7a6fd0"},
    {".r1-fill", "fill", "#1c8055", "#3d7fb8"},
    {".r2-fill", "fill", "#1a7a7c", "#2fa8a4"},
    {".r3-fill", "fill", "#2f6690", "#5ad695"},
    {".r4-fill", "fill", "#443983", "#a4d74a"},
    {".r5-fill", "fill", "#2a0a4a", "#fde725"},
};

static const char picture_type[] =
    ".figure text{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,\"DejaVu Sans\","
    "sans-serif;font-variant-numeric:tabular-nums}\n"
    ".title{font-size:17px;font-weight:600}\n"
    ".subtitle{font-size:13px}\n"
    ".label{font-size:12px}\n"
    ".strong{font-size:12px;font-weight:600}\n"
    ".caption{font-size:11px}\n"
    ".halo{paint-order:stroke;stroke-width:3.5px;stroke-linejoin:round}\n"
    ".grid,.axis{stroke-width:1px;shape-rendering:crispEdges}\n"
    ".line{fill:none;stroke-width:2px;stroke-linejoin:round;stroke-linecap:round}\n"
    ".line-halo{fill:none;stroke-width:5px;stroke-linejoin:round;stroke-linecap:round}\n"
    ".leader{stroke-width:1px;opacity:.55}\n"
    ".mark-edge{stroke-width:1.5px}\n"
    ".hollow{stroke-width:2px}\n"
    ".dashed{stroke-dasharray:7 4}\n";

static const struct colour_rule page_rules[] = {
    {"body", "background", "#f4f5f7", "#0d0f12"},
    {"body", "color", "#1a1e24", "#e7eaee"},
    {"header p,figcaption,.note,th", "color", "#565f6b", "#a3adba"},
    {"section", "background", "#ffffff", "#15181d"},
    {"section,th,td,h3.model", "border-color", "#dfe3e8", "#2a2f37"},
    {".answer", "background", "#eaf3fb", "#14283a"},
    {".answer", "border-color", "#0072b2", "#4ba3dd"},
    {"a", "color", "#0064a0", "#6db6e8"},
    {"tbody tr:hover", "background", "#f4f6f9", "#1c2128"},
};

static const char page_type[] =
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\n"
    "body{margin:0;font:16px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,\"DejaVu Sans\","
    "sans-serif}\n"
    "main,header,footer{max-width:64rem;margin:0 auto;padding:0 1.25rem}\n"
    "header{padding-top:2.5rem}\n"
    "h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem}\n"
    "h2{font-size:1.25rem;margin:0 0 .5rem}\n"
    "h3{font-size:1rem;margin:1.75rem 0 .25rem}\n"
    "h3.model{font-size:1.125rem;margin:2.25rem 0 .75rem;padding-top:1.25rem;border-top:1px solid}\n"
    "h2+h3.model{margin-top:1rem;padding-top:0;border-top:0}\n"
    "nav{margin:1rem 0 0}nav a{margin-right:1rem;white-space:nowrap}\n"
    "section{border:1px solid;border-radius:10px;padding:1.5rem;margin:1.5rem 0}\n"
    "figure{margin:1.25rem -1.5rem;overflow-x:auto}figure "
    "svg{max-width:100%;min-width:38rem;height:auto;display:block}\n"
    "p{max-width:46rem}\n"
    ".answer{border-left:4px solid;border-radius:4px;padding:.75rem 1rem;max-width:none}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:.8125rem;font-variant-numeric:tabular-nums;margin:.5rem 0 0}\n"
    "th,td{padding:.3rem .5rem;text-align:right;border-bottom:1px solid;white-space:nowrap}\n"
    "th{font-weight:600;vertical-align:bottom;white-space:normal;max-width:12rem}\n"
    "th:first-child,td:first-child,td.text,th.text{text-align:left}\n"
    "td.text{white-space:normal;min-width:9rem}\n"
    "summary{cursor:pointer;margin-top:1rem}\n"
    "footer{padding-bottom:3rem;font-size:.8125rem}\n"
    "@media print{section{break-inside:avoid}}\n";

static const char *const part_classes[PART_COUNT] = {
    [PART_CLIENT_SEND] = "part-client-send",       [PART_NETWORK] = "part-network",
    [PART_SERVER_QUEUE] = "part-server-queue",     [PART_COMPUTE] = "part-compute",
    [PART_COMPUTE_INPUT] = "part-compute-input",   [PART_COMPUTE_INFER] = "part-compute-infer",
    [PART_COMPUTE_OUTPUT] = "part-compute-output", [PART_CACHE_HIT] = "part-cache-hit",
    [PART_CACHE_MISS] = "part-cache-miss",         [PART_CLIENT_RECV] = "part-client-recv",
};

static void write_colours(struct buf *out, const struct colour_rule *rules, size_t count, bool dark) {
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s{%s:%s}\n", rules[i].selector, rules[i].property, dark ? rules[i].dark : rules[i].light);
}

static void write_rules(struct buf *out, const struct colour_rule *rules, size_t count, enum theme theme) {
    write_colours(out, rules, count, theme == THEME_DARK);
    if (theme != THEME_AUTO)
        return;
    buf_append_text(out, "@media (prefers-color-scheme:dark){\n");
    write_colours(out, rules, count, true);
    buf_append_text(out, "}\n");
}

void theme_write_css(struct buf *out, enum theme theme) {
    buf_append_text(out, picture_type);
    write_rules(out, picture_rules, sizeof picture_rules / sizeof picture_rules[0], theme);
}

void theme_write_page_css(struct buf *out, enum theme theme) {
    const char *schemes[] = {[THEME_AUTO] = "light dark", [THEME_LIGHT] = "light", [THEME_DARK] = "dark"};
    buf_printf(out, ":root{color-scheme:%s}\n", schemes[theme]);
    buf_append_text(out, page_type);
    write_rules(out, page_rules, sizeof page_rules / sizeof page_rules[0], theme);
}

const char *theme_part_class(enum latency_part part) {
    return part_classes[part];
}
