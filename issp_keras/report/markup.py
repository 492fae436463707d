"""Makes HTML elements. All text is escaped."""

import html

_VOID = ("br", "img", "input", "link", "meta")


class Html(str):
    """Text that is already HTML and is not escaped."""


def element(tag: str, *children, **attributes) -> Html:
    """Makes an element.

    Args:
        tag: String, the name of the element.
        *children: Elements, or values whose text is escaped. None is ignored.
        **attributes: Values of attributes. `class_` becomes `class`, and
            `data_value` becomes `data-value`. None is ignored, and True gives
            an attribute without value.

    Returns:
        `Html`.
    """
    opening = f"<{tag}{''.join(map(_attribute, attributes.items()))}>"
    if tag in _VOID:
        return Html(opening)
    return Html(f"{opening}{fragment(*children)}</{tag}>")


def fragment(*children) -> Html:
    """Joins elements and text, see the children of `element`."""
    return Html("".join(_text(child) for child in children))


def _text(child):
    if child is None:
        return ""
    return child if isinstance(child, Html) else html.escape(str(child))


def _attribute(item):
    name, value = item
    name = name.rstrip("_").replace("_", "-")
    if value is None:
        return ""
    return (
        f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
    )
