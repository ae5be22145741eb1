// Cairo, loaded when the first picture is drawn, since it depends on X11.
#ifndef ANNEAL_CAIRO_H
#define ANNEAL_CAIRO_H

#include <anneal_library.h>
#include <cairo/cairo-pdf.h>
#include <cairo/cairo-svg.h>
#include <cairo/cairo.h>

#define ANNEAL_CAIRO_FUNCTIONS(EACH) \
    EACH(cairo_, arc) EACH(cairo_, clip) EACH(cairo_, close_path) EACH(cairo_, create) EACH(cairo_, destroy) \
    EACH(cairo_, fill) EACH(cairo_, fill_preserve) EACH(cairo_, font_options_create) \
    EACH(cairo_, font_options_destroy) EACH(cairo_, font_options_set_antialias) \
    EACH(cairo_, font_options_set_hint_metrics) EACH(cairo_, font_options_set_hint_style) EACH(cairo_, get_source) \
    EACH(cairo_, image_surface_create) EACH(cairo_, image_surface_create_from_png) \
    EACH(cairo_, image_surface_get_data) EACH(cairo_, image_surface_get_height) EACH(cairo_, image_surface_get_stride) \
    EACH(cairo_, image_surface_get_width) EACH(cairo_, line_to) EACH(cairo_, move_to) EACH(cairo_, new_path) \
    EACH(cairo_, paint) EACH(cairo_, pattern_set_filter) EACH(cairo_, pdf_surface_create_for_stream) \
    EACH(cairo_, rectangle) EACH(cairo_, restore) EACH(cairo_, rotate) EACH(cairo_, save) EACH(cairo_, scale) \
    EACH(cairo_, select_font_face) EACH(cairo_, set_dash) EACH(cairo_, set_font_options) EACH(cairo_, set_font_size) \
    EACH(cairo_, set_line_cap) EACH(cairo_, set_line_join) EACH(cairo_, set_line_width) EACH(cairo_, set_source_rgba) \
    EACH(cairo_, set_source_surface) EACH(cairo_, show_text) EACH(cairo_, status) EACH(cairo_, status_to_string) \
    EACH(cairo_, stroke) EACH(cairo_, surface_destroy) EACH(cairo_, surface_finish) EACH(cairo_, surface_flush) \
    EACH(cairo_, surface_mark_dirty) EACH(cairo_, surface_status) EACH(cairo_, surface_write_to_png_stream) \
    EACH(cairo_, svg_surface_create_for_stream) EACH(cairo_, svg_surface_set_document_unit) EACH(cairo_, text_extents) \
    EACH(cairo_, translate)

/// The functions that are used.
struct libcairo {
    ANNEAL_LIBRARY_MEMBERS(ANNEAL_CAIRO_FUNCTIONS)
};

/// NULL if the library is not there.
const struct libcairo *_Nullable anneal_cairo(void);

#endif
