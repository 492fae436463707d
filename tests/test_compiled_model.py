"""LiteRT's CompiledModel takes the sparse delegate."""

import ctypes

import graphs
import numpy as np
import pytest

from issp_keras.errors import InputError
from issp_keras.tflite import delegate
from issp_keras.tflite.delegate import compiled

_SHAPE = (1, 7, 19, 4)


def _network(tmp_path, zeros, middle=None):
    """Writes two convolutions, for any image size."""
    rng = np.random.default_rng(3)
    shape = (1, None, None, 4)
    graph = graphs.Graph(shape)
    image = graph.inputs[0]
    for _ in range(2):
        # A convolution takes the first input of the graph.
        values = rng.standard_normal((4, 3, 3, 4), np.float32)
        values *= rng.random(values.shape) >= zeros
        graph.inputs[0] = image
        image = graph.convolution(graph.constant(values), shape)
        if middle:
            image = graph.operator(middle, [image], graph.image(shape))
    graph.inputs[0] = 0
    path = tmp_path / "x.tflite"
    path.write_bytes(graph.write(image))
    return path


def _image():
    return np.random.default_rng(4).standard_normal(_SHAPE, np.float32)


def _run(model, image):
    model.resize_input_tensor(0, image.shape)
    (entry,) = model.create_input_buffers(0)
    (result,) = model.create_output_buffers(0)
    entry.write(image)
    model.run_by_index(0, [entry], [result])
    return result.read(image.size, np.float32).reshape(image.shape)


def _assert_close(found, path):
    plain = graphs.interpreter(path.read_bytes())
    (expected,) = graphs.run(plain, _image())
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def _load():
    return delegate.load(always=True, tuning_seconds=0)


def test_a_compiled_model_takes_a_whole_network(tmp_path):
    path = _network(tmp_path, zeros=0.9)
    loaded = _load()
    model = delegate.compiled_model(path, loaded)
    _assert_close(_run(model, _image()), path)
    report = delegate.report(loaded)
    assert [part.runs for part in report.parts] == [1]
    assert not report.declined
    assert model.is_fully_accelerated()


def test_xnnpack_computes_what_the_delegate_leaves(tmp_path):
    path = _network(tmp_path, zeros=0.9, middle="TANH")
    loaded = _load()
    model = delegate.compiled_model(path, loaded)
    _assert_close(_run(model, _image()), path)
    report = delegate.report(loaded)
    assert [part.runs for part in report.parts] == [1, 1]
    assert len(report.declined) == 2


def test_a_compiled_network_that_is_not_sparse_is_left_alone(tmp_path):
    path = _network(tmp_path, zeros=0)
    loaded = delegate.load()
    model = delegate.compiled_model(path, loaded)
    _assert_close(_run(model, _image()), path)
    assert not delegate.report(loaded).parts


def test_compiled_models_share_a_delegate_and_outlive_it(tmp_path):
    path = _network(tmp_path, zeros=0.9)
    loaded = _load()
    models = [delegate.compiled_model(path, loaded) for _ in range(2)]
    assert len(delegate.report(loaded).parts) == 2
    del loaded
    for model in models:
        _assert_close(_run(model, _image()), path)


def test_a_compiled_model_needs_no_options(tmp_path):
    path = _network(tmp_path, zeros=0.9)
    _assert_close(_run(delegate.compiled_model(path), _image()), path)


def test_files_that_cannot_be_compiled_are_named(tmp_path):
    path = tmp_path / "x.tflite"
    with pytest.raises(InputError, match=r"x\.tflite: no such file\."):
        delegate.compiled_model(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"x\.tflite: is not a TFLite model"):
        delegate.compiled_model(path)
    whole = _network(tmp_path, zeros=0.9).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"x\.tflite: LiteRT cannot compile"):
        delegate.compiled_model(path)
    # The next model does not get the delegate of this one.
    assert not ctypes.CDLL(str(delegate.library())).issp_delegate_offer(None)


@pytest.mark.parametrize(
    "header", [(152, 2, 0, 0), (144, 1, 0, 0), (152, 1, 0, 0)]
)
def test_a_litert_of_another_version_gets_no_delegate(header):
    """Another major version, too few functions, and a missing function."""
    library = ctypes.CDLL(str(delegate.library()))
    accelerator = (ctypes.c_void_p * 25).in_dll(
        library, "LiteRtAcceleratorImpl"
    )
    arguments = [ctypes.c_void_p] * 5
    create = ctypes.CFUNCTYPE(ctypes.c_int, *arguments)(accelerator[5])
    runtime = (ctypes.c_uint16 * 76)(*header)
    wrapper = ctypes.c_void_p()
    wrong_version = 8
    found = create(
        ctypes.addressof(runtime), None, None, None, ctypes.addressof(wrapper)
    )
    assert found == wrong_version
    assert not wrapper


def test_a_litert_that_does_not_load_the_delegate_is_refused(
    tmp_path, monkeypatch
):
    # LiteRT before 2.2 finds the accelerator, and refuses its version.
    monkeypatch.setattr(compiled, "_ACCELERATOR", "unknown.so")
    path = _network(tmp_path, zeros=0.9)
    with pytest.raises(InputError, match=r"expected ai-edge-litert 2\.2 or"):
        delegate.compiled_model(path)
