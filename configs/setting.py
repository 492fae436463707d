"""Reads the text after the colon of `--config=FILE:SETTING`."""


class SettingError(Exception):
    """A setting that the config does not know.

    It is not a `ValueError`, because ml_collections shows a traceback for
    those.
    """


def parse_setting(text: str, **defaults) -> dict:
    """Reads named values, such as `scale=2,sparsity=0.9`.

    Example:

    >>> parse_setting("scale=2", scale=4, sparsity=0.95)
    {'scale': 2, 'sparsity': 0.95}

    Values without a name belong to the names in the order of the defaults. A
    whole number may have an x before it: `x2,0.9` means the same.

    Args:
        text: String, names and values, separated by commas; empty for the
            defaults.
        **defaults: The known names, each with an integer, a float or a
            string. Values are converted to the same type.

    Returns:
        Dict of all names, in the order of the defaults.

    Raises:
        SettingError: If a name is unknown, or a value has another type.
    """
    values = dict(defaults)
    in_order = iter(defaults)
    for word in filter(None, text.split(",")):
        name, equals, value = word.partition("=")
        if not equals:
            name, value = next(in_order, word), word
        if name not in defaults:
            raise SettingError(
                f"{word}: is not a setting of this config, expected "
                f"{', '.join(f'{n}={v}' for n, v in defaults.items())}."
            )
        values[name] = _converted(name, value, type(defaults[name]))
    return values


def _converted(name, value, kind):
    try:
        return kind(value.removeprefix("x") if kind is int else value)
    except ValueError as error:
        expected = {int: "a whole number", float: "a number"}[kind]
        raise SettingError(
            f"{name}: is {value!r}, expected {expected}."
        ) from error
