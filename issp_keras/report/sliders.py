"""Pictures of one size with a slider between two of them."""

from issp_keras.report.images import Image
from issp_keras.report.markup import Html
from issp_keras.report.markup import element

_ZOOMS = {"fit": "Fit", "1": "1x", "2": "2x", "4": "4x"}


def slider(
    title: str,
    pictures: dict[str, Image],
    note: str = "",
    zooms: bool = False,
    enlarge: int = 1,
) -> Html:
    """Makes a slider that uncovers one picture from under another.

    At first, the page shows the first two pictures. If there are more, the
    reader chooses two. Arrow keys move the slider. If the pictures are larger
    than the page, the grip moves the line, and dragging moves the pictures. In
    print and without a script, the pictures are side by side.

    Args:
        title: String.
        pictures: Dict from labels to two or more images of one size.
        note: String, a sentence below the pictures.
        zooms: Boolean, whether to add buttons that enlarge the pictures.
            Defaults to `False`.
        enlarge: Integer, the factor by which pixels are enlarged at first, if
            the page is wide enough. Defaults to `1`.
    """
    first = next(iter(pictures.values()))
    shown = [
        _picture(i, label, image, f"{title}: {label}")
        for i, (label, image) in enumerate(pictures.items())
    ]
    labels = list(pictures)
    hand = element(
        "input",
        type="range",
        min=0,
        max=200,
        value=100,
        aria_label=f"{title}: where {labels[0]} ends and {labels[1]} begins",
    )
    grip = element("span", class_="grip", aria_hidden="true")
    box = (
        element("div", hand, grip, class_="hand"),
        element("div", *shown, class_="stage"),
    )
    return element(
        "figure",
        element("figcaption", title),
        element("div", *_ends(labels), class_="ends"),
        element("div", *box, class_="box", role="group", aria_label=title),
        _zoom_buttons() if zooms else None,
        element("p", note, class_="note") if note else None,
        class_="slider",
        style=f"--width:{first.width};--height:{first.height};"
        f"--enlarge:{enlarge};--count:{len(pictures)}",
    )


def _picture(number, label, image, alt):
    sides = ("left", "right")
    return element(
        "div",
        image.element(alt),
        element("span", label, class_="label"),
        class_="picture",
        data_side=sides[number] if number < len(sides) else "none",
    )


def _ends(labels):
    if len(labels) == 2:
        return [element("span", label) for label in labels]
    return [_choice(labels, side) for side in (0, 1)]


def _choice(labels, chosen):
    options = [
        element("option", label, value=i, selected=i == chosen or None)
        for i, label in enumerate(labels)
    ]
    side = ("left", "right")[chosen]
    return element(
        "select", *options, data_side=side, aria_label=f"Picture on the {side}"
    )


def _zoom_buttons():
    buttons = [
        element(
            "button",
            label,
            type="button",
            data_zoom=zoom,
            aria_pressed="true" if zoom == "fit" else "false",
        )
        for zoom, label in _ZOOMS.items()
    ]
    return element(
        "div", *buttons, class_="zoom", role="group", aria_label="Zoom"
    )
