"""Everything public has type hints."""

import importlib
import inspect

import pytest

PACKAGES = (
    "issp_keras",
    "issp_keras.callbacks",
    "issp_keras.data",
    "issp_keras.inference",
    "issp_keras.losses",
    "issp_keras.metrics",
    "issp_keras.models",
    "issp_keras.network",
    "issp_keras.sparsity",
    "issp_keras.summary",
    "issp_keras.tflite",
    "issp_keras.tflite.delegate",
)
_METHODS = ("__init__", "__call__", "__getitem__", "__len__")


def _public(package):
    module = importlib.import_module(package)
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == package
        and not name.startswith("_")
    ]
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value):
            yield from _methods(value)
        elif inspect.isfunction(value):
            yield name, value


def _methods(of):
    for name, value in vars(of).items():
        if isinstance(value, property):
            value = value.fget
        value = getattr(value, "__func__", value)
        if inspect.isfunction(value) and (
            name in _METHODS or not name.startswith("_")
        ):
            yield f"{of.__name__}.{name}", value


def _lacking(function):
    """The arguments of a function that have no hint, and its result."""
    function = inspect.unwrap(function)
    if not function.__module__.startswith("issp_keras"):
        return []  # Python generates it, for example for a `NamedTuple`.
    signature = inspect.signature(function)
    names = [
        name
        for i, (name, parameter) in enumerate(signature.parameters.items())
        if parameter.annotation is parameter.empty
        and not (i == 0 and name in ("cls", "self"))
    ]
    # The result of `__init__` is known if any argument has a hint.
    is_known = function.__name__ == "__init__" and len(signature.parameters) > 1
    if signature.return_annotation is signature.empty and not is_known:
        names.append("return")
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_public_has_type_hints(package):
    public = dict(_public(package))
    assert public
    lacking = {
        name: names
        for name, function in public.items()
        if (names := _lacking(function))
    }
    assert lacking == {}
