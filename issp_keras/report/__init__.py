"""HTML pages with tables, plots and pictures to compare.

A page is one HTML file that makes no request. It does not depend on the
programs: they pass text, numbers and pixels.
"""

from typing import TYPE_CHECKING

from issp_keras.late import import_late

if TYPE_CHECKING:
    from issp_keras.report.axes import Axis
    from issp_keras.report.axes import axis_for
    from issp_keras.report.images import MOST_BYTES
    from issp_keras.report.images import Image
    from issp_keras.report.images import bounded_size
    from issp_keras.report.images import encode
    from issp_keras.report.images import encode_within
    from issp_keras.report.images import middle
    from issp_keras.report.markup import Html
    from issp_keras.report.markup import element
    from issp_keras.report.page import Figure
    from issp_keras.report.page import Page
    from issp_keras.report.page import Section
    from issp_keras.report.page import check_path
    from issp_keras.report.page import hint
    from issp_keras.report.plots import Dot
    from issp_keras.report.plots import Point
    from issp_keras.report.plots import dots
    from issp_keras.report.plots import key
    from issp_keras.report.plots import scatter
    from issp_keras.report.plots import side_by_side
    from issp_keras.report.sliders import slider
    from issp_keras.report.tables import table

__all__ = [
    "MOST_BYTES",
    "Axis",
    "Dot",
    "Figure",
    "Html",
    "Image",
    "Page",
    "Point",
    "Section",
    "axis_for",
    "bounded_size",
    "check_path",
    "dots",
    "element",
    "encode",
    "encode_within",
    "hint",
    "key",
    "middle",
    "scatter",
    "side_by_side",
    "slider",
    "table",
]

import_late(__name__)
