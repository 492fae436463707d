"""Official checkpoints: read, refused, written."""

import collections
import os
import pathlib
import pickle
import zipfile

import keras
import ml_dtypes
import numpy as np
import pytest
from keras import ops
from networks import TINY

from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.models.torch_weights.reader import read_torch
from issp_keras.models.torch_weights.writer import write_torch

GOLDEN = pathlib.Path(__file__).parent / "golden"
RNG = np.random.default_rng(0)
# Arguments that a checkpoint does not contain.
ARGUMENTS = {
    "edsr_x3_f8_b2": {"residual_scale": 0.1},
    "edsr_x4_f8_b2": {"residual_scale": 0.1},
    "cat_a_x2_e12_d2x2": {"windows": ((2, None), (4, None))},
    "fsrcnn_x3_f56_s12_m4": {"scale": 3},
}
NAMES = sorted(path.stem for path in GOLDEN.glob("*.npz"))
# Other backends are tested with one scale of each network.
_SECOND_SCALES = ("cat_r_x4", "edsr_x3", "edsr_x4", "rcan_x4", "swinir_x4")


def _checkpoint(name):
    return GOLDEN / f"{name}.pth"


def _equals_golden(model, name):
    golden = np.load(GOLDEN / f"{name}.npz")
    for i in range(len(golden.files) // 2):
        output = ops.convert_to_numpy(model(golden[f"input_{i}"]))
        expected = golden[f"output_{i}"]
        assert output.shape == expected.shape
        assert np.abs(output - expected).max() <= 2e-6 * np.abs(expected).max()


def _edsr_state():
    return dict(read_torch(_checkpoint("edsr_x2_f8_b2"))["params"])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.one_backend)
        if name.startswith(_SECOND_SCALES)
        else name
        for name in NAMES
    ],
)
def test_networks_equal_the_official_ones_from_a_checkpoint_alone(name):
    """Compares outputs with the authors' networks, also for padded sizes."""
    model = models.from_torch(_checkpoint(name), **ARGUMENTS.get(name, {}))
    _equals_golden(model, name)


def test_all_fourteen_networks_are_compared():
    assert len(NAMES) == 14


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_what_was_read(name, tmp_path):
    model = models.from_torch(_checkpoint(name), **ARGUMENTS.get(name, {}))
    path = tmp_path / "again.pth"
    models.to_torch(model, path)
    before = read_torch(_checkpoint(name))["params"]
    after = read_torch(path)["params"]
    for entry, array in before.items():
        assert after[entry].dtype == array.dtype
        np.testing.assert_array_equal(after[entry], array)
    # Most golden files lack masks that real checkpoints have.
    surplus = [e for e in after if e not in before]
    assert all("attn_mask" in entry for entry in surplus)


def test_a_sparse_network_stays_sparse_in_pytorch(tmp_path):
    model = TINY["swinir"]()
    kernel = model.get_layer("layers.0.blocks.0.mlp.fc1").kernel
    values = np.where(RNG.random(kernel.shape) < 0.9, 0, 1).astype("float32")
    kernel.assign(values)
    models.to_torch(model, tmp_path / "sparse.pth")
    state = read_torch(tmp_path / "sparse.pth")["params"]
    name = "layers.0.residual_group.blocks.0.mlp.fc1.weight"
    np.testing.assert_array_equal(state[name], values.T)


def test_load_torch_sets_a_model_and_a_keras_file(tmp_path):
    name = "swinir_x2_e12_d2x2"
    model = models.swinir(2, 12, (2, 2), heads=2)
    assert models.load_torch(model, _checkpoint(name)) is model
    _equals_golden(model, name)
    models.swinir(2, 12, (2, 2), heads=2).save(tmp_path / "model.keras")
    model = models.load_torch(tmp_path / "model.keras", _checkpoint(name))
    _equals_golden(model, name)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("swinir_x4_e12_d2x2", {"heads": (3, 3), "upsampler": "pixelshuffle"}),
        ("cat_r_x4_e12_d2x2", {"windows": (4, 16)}),
    ],
)
def test_a_network_that_does_not_fit_is_refused_with_names(name, found):
    make = models.swinir if "swinir" in name else models.cat
    found = {"heads": 2, **found}
    model = make(4, 12, (2, 1), **found)
    weights = model.get_weights()
    with pytest.raises(InputError, match=rf"{name}.pth: does not fit") as error:
        models.load_torch(model, _checkpoint(name))
    for part in ("has as surplus layers.1", "and ", "more"):
        assert part in str(error.value)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "windows", [(8, 8), (16, 4), (4, None), ((4, 16), (2, 16))]
)
def test_a_checkpoint_of_other_windows_is_refused(windows):
    """CAT's weights have the same shapes for all windows, but other values."""
    name = "cat_r_x2_e12_d2x2"
    model = models.cat(2, 12, (2, 2), heads=2, windows=windows)
    with pytest.raises(InputError, match=r"relative_position_index|rpe_biases"):
        models.load_torch(model, _checkpoint(name))


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "make",
    [
        lambda: models.swinir(2, 6, (2,), heads=2, window=7),
        lambda: models.cat(2, 32, (2,), heads=2, windows=(3, 5)),
        *(
            lambda ratio=hidden / embedding, embedding=embedding: models.swinir(
                2, embedding, (1,), heads=1, mlp_ratio=ratio
            )
            for embedding, hidden in ((54, 61), (180, 185), (60, 123))
        ),
    ],
)
def test_networks_of_odd_sizes_come_back(make, tmp_path):
    model = make()
    models.to_torch(model, tmp_path / "odd.pth")
    again = models.from_torch(tmp_path / "odd.pth")
    image = RNG.random((1, 9, 11, 3), np.float32)
    np.testing.assert_allclose(model(image), again(image), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s.pop("conv_last.bias"), "it lacks conv_last.bias"),
        (
            lambda s: s.update({"conv_last.bias": np.ones(3, np.int64)}),
            r"has no floating-point numbers in conv_last.bias \(int64\)",
        ),
        (
            lambda s: s.update({"body.attn_mask": np.ones(3, np.float32)}),
            "it has as surplus body.attn_mask",
        ),
        (
            lambda s: s.update({"upsample.0.weight": s["conv_first.weight"]}),
            "`scale` must be|does not fit",
        ),
        (
            lambda s: s.update(extra=np.ones(2, np.float32)),
            "it has as surplus extra",
        ),
        (
            lambda s: s.update({"conv_last.bias": np.ones(2, np.float32)}),
            r"has in another shape conv_last.bias \(2,\) instead of \(3,\)",
        ),
        (
            lambda s: s.pop("upsample.0.weight"),
            "has no entry upsample.0.weight with 4 axes",
        ),
        (
            lambda s: s.pop("body.0.conv1.weight"),
            "is not from a known network: expected EDSR, RCAN, SwinIR, CAT, ",
        ),
    ],
)
def test_entries_that_do_not_fit_are_named(change, sentence, tmp_path):
    state = _edsr_state()
    change(state)
    write_torch(tmp_path / "changed.pth", {"params": state})
    with pytest.raises(InputError, match=f"changed.pth: .*{sentence}"):
        models.from_torch(tmp_path / "changed.pth")


@pytest.mark.one_backend
@pytest.mark.long
def test_windows_of_cat_a_are_found_where_masks_show_them(tmp_path):
    model = models.cat(2, 32, (2, 2), 2, windows=((2, None), (4, None)))
    models.to_torch(model, tmp_path / "cat_a.pth")
    again = models.from_torch(tmp_path / "cat_a.pth")
    image = RNG.random((1, 16, 16, 3), np.float32)
    np.testing.assert_array_equal(model(image), again(image))
    with pytest.raises(InputError, match="expected the argument `windows`"):
        models.from_torch(_checkpoint("cat_a_x2_e12_d2x2"))


def test_the_residuals_of_edsr_l_are_scaled_unless_told_otherwise(tmp_path):
    wide = models.edsr(2, features=256, blocks=1, residual_scale=0.1)
    models.to_torch(wide, tmp_path / "wide.pth")
    found = models.from_torch(tmp_path / "wide.pth")
    assert found.get_layer("body.0.scale").scale == 0.1
    told = models.from_torch(tmp_path / "wide.pth", residual_scale=1.0)
    assert not any(layer.name == "body.0.scale" for layer in told.layers)


def test_arguments_that_a_network_has_not_are_refused():
    with pytest.raises(TypeError, match="color"):
        models.from_torch(_checkpoint("edsr_x2_f8_b2"), color=True)


@pytest.mark.parametrize("group", ["params_ema", None])
def test_averages_and_bare_state_dicts_are_read(group, tmp_path):
    content = {f"module.{k}": v for k, v in _edsr_state().items()}
    if group:
        other = {name: 0 * array for name, array in content.items()}
        content = {"params": other, group: content}
    write_torch(tmp_path / "state.pth", content)
    model = models.from_torch(tmp_path / "state.pth")
    _equals_golden(model, "edsr_x2_f8_b2")


def test_files_of_pytorch_before_1_6_are_read():
    old = read_torch(_checkpoint("edsr_x2_f8_b2_before_1_6"))
    assert old.keys() == _edsr_state().keys()
    for name, array in _edsr_state().items():
        np.testing.assert_array_equal(old[name], array)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        (
            "edsr_x4_f8_b2",
            {
                "conv_first": "head.0",
                "body.0.conv1": "body.0.body.0",
                "body.0.conv2": "body.0.body.2",
                "body.1.conv1": "body.1.body.0",
                "body.1.conv2": "body.1.body.2",
                "conv_after_body": "body.2",
                "upsample.0": "tail.0.0",
                "upsample.2": "tail.0.2",
                "conv_last": "tail.1",
            },
        ),
        (
            "rcan_x3_f8_g2_b2",
            {
                "conv_first": "head.0",
                **{
                    f"body.{g}.residual_group.{b}.rcab.{old}": (
                        f"body.{g}.body.{b}.body.{new}"
                    )
                    for g in range(2)
                    for b in range(2)
                    for old, new in {
                        "0": "0",
                        "2": "2",
                        "3.attention.1": "3.conv_du.0",
                        "3.attention.3": "3.conv_du.2",
                    }.items()
                },
                "body.0.conv": "body.0.body.2",
                "body.1.conv": "body.1.body.2",
                "conv_after_body": "body.2",
                "upsample.0": "tail.0.0",
                "conv_last": "tail.1",
            },
        ),
    ],
)
def test_names_of_the_authors_own_code_are_known(name, names, tmp_path):
    """The authors' code is thstkdgus35/EDSR-PyTorch and yulunzhang/RCAN."""
    state = {}
    for entry, array in read_torch(_checkpoint(name))["params"].items():
        layer, _, kind = entry.rpartition(".")
        state[f"{names[layer]}.{kind}"] = array
    state["sub_mean.weight"] = np.eye(3, dtype="float32").reshape(3, 3, 1, 1)
    state["add_mean.bias"] = np.ones(3, np.float32)
    write_torch(tmp_path / "authors.pth", {"params": state})
    model = models.from_torch(
        tmp_path / "authors.pth", **ARGUMENTS.get(name, {})
    )
    _equals_golden(model, name)


@pytest.mark.parametrize("kept", [0, 1, 100, 2_000, 20_000, -1])
def test_a_file_that_is_cut_short_is_refused(kept, tmp_path):
    for name in ("edsr_x2_f8_b2", "edsr_x2_f8_b2_before_1_6"):
        path = tmp_path / f"{name}.pth"
        path.write_bytes(_checkpoint(name).read_bytes()[:kept])
        with pytest.raises(InputError, match=rf"{name}.pth: .* truncated"):
            models.from_torch(path)


class _Foreign:
    def __reduce__(self):
        return os.mkdir, ("was_run",)


@pytest.mark.parametrize("is_zip", [True, False])
def test_code_in_a_file_is_not_run(is_zip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "foreign.pth"
    _write_pickle(path, pickle.dumps({"params": _Foreign()}), is_zip)
    with pytest.raises(InputError, match=r"foreign.pth: names posix.mkdir, "):
        models.from_torch(path)
    assert not (tmp_path / "was_run").exists()


def _write_pickle(path, content, is_zip=True, storages=()):
    if not is_zip:
        head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
        path.write_bytes(b"".join(map(pickle.dumps, head)) + content)
        return
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for i, storage in enumerate(storages):
            archive.writestr(f"archive/data/{i}", storage)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"params": {"a": 1}}, "its entry a is of type int, expected a tensor"),
        ({"params": {}}, "holds no weights, expected a state dict"),
        ([1, 2], "holds no weights, expected a state dict"),
        ({"epoch": 3}, "its entry epoch is of type int, expected a tensor"),
        (
            {"params": collections.OrderedDict(a="b")},
            "its entry a is of type str, expected a tensor",
        ),
    ],
)
def test_what_is_no_state_dict_is_refused(content, sentence, tmp_path):
    path = tmp_path / "content.pth"
    _write_pickle(path, pickle.dumps(content, protocol=2))
    with pytest.raises(InputError, match=f"content.pth: {sentence}"):
        models.from_torch(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # More elements, and an offset far behind the last one.
        (b"K\x03\x85", b"K\x63\x85"),
        (b"QK\x00", b"QK\x09"),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(old, new, tmp_path):
    path = tmp_path / "beyond.pth"
    _rewrite(_checkpoint("edsr_x2_f8_b2"), path, old, new)
    with pytest.raises(InputError, match=r"beyond.pth: is not a PyTorch"):
        read_torch(path)


def _rewrite(source, target, old, new):
    with zipfile.ZipFile(source) as archive:
        contents = {n: archive.read(n) for n in archive.namelist()}
    (name,) = (n for n in contents if n.endswith("data.pkl"))
    assert old in contents[name]
    contents[name] = contents[name].replace(old, new)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def test_tensors_without_axes_and_training_states_are_read(tmp_path):
    path = tmp_path / "state.pth"
    step = np.array(3.0, np.float32)
    content = {"params": _edsr_state(), "optimizer": {"step": step}}
    write_torch(path, content)
    assert read_torch(path)["optimizer"]["step"] == 3
    _equals_golden(models.from_torch(path), "edsr_x2_f8_b2")


@pytest.mark.parametrize("dtype", ["float16", "float64", ml_dtypes.bfloat16])
def test_other_floating_point_numbers_are_read(dtype, tmp_path):
    state = {k: v.astype(dtype) for k, v in _edsr_state().items()}
    write_torch(tmp_path / "half.pth", state)
    model = models.from_torch(tmp_path / "half.pth")
    bias = ops.convert_to_numpy(model.get_layer("conv_last").bias.value)
    np.testing.assert_array_equal(
        bias, state["conv_last.bias"].astype("float32")
    )


@pytest.mark.parametrize(
    "content",
    [
        # Sets an attribute of a function, and of a class.
        b"\x80\x02ctorch._utils\n_rebuild_tensor\nN}X\x01\x00\x00\x00aK\x01s\x86b.",
        b"\x80\x02ccollections\nOrderedDict\nN}X\x01\x00\x00\x00aK\x01s\x86b.",
        # Makes the unpickler allocate a memo of 2**26 entries.
        b"\x80\x02}r\x00\x00\x00\x04.",
        # Dicts that are nested 2000 times.
        b"\x80\x02" + 2000 * b"}K\x01" + b"N" + 2000 * b"s" + b".",
    ],
)
def test_hostile_pickles_are_refused(content, tmp_path):
    _write_pickle(tmp_path / "hostile.pth", content)
    with pytest.raises(InputError, match=r"hostile.pth: is not a PyTorch"):
        read_torch(tmp_path / "hostile.pth")
    assert _edsr_state()["conv_last.bias"].shape == (3,)


def test_dicts_that_share_dicts_are_read_once(tmp_path):
    content: dict = {}
    for _ in range(40):
        content = {"a": content, "b": content}
    _write_pickle(tmp_path / "shared.pth", pickle.dumps(content))
    found = read_torch(tmp_path / "shared.pth")
    assert found["a"] is found["b"]


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path):
    """With strides of 0, a small file could need any amount of memory."""
    path = tmp_path / "wide.pth"
    write_torch(path, {"a": np.ones(1, np.float32)})
    _rewrite(path, path, b"J\x01\x00\x00\x00t(", b"J\x01\x00\x00\x40t(")
    with pytest.raises(InputError, match=r"wide.pth: is not a PyTorch"):
        read_torch(path)


def test_compressed_files_are_refused(tmp_path):
    """PyTorch does not write them, and a small one can expand to any size."""
    path = tmp_path / "small.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    with pytest.raises(InputError, match=r"small.pth: is not a PyTorch"):
        read_torch(path)


def test_other_files_are_refused(tmp_path, sparse_model_path):
    with pytest.raises(InputError, match=r"none.pth: no such file"):
        models.from_torch(tmp_path / "none.pth")
    with pytest.raises(InputError, match=r"holds no data.pkl"):
        models.from_torch(sparse_model_path)
    (tmp_path / "text.pth").write_text("weights")
    with pytest.raises(
        InputError, match=r"text.pth: is not a PyTorch checkpoint"
    ):
        models.from_torch(tmp_path / "text.pth")


def test_only_networks_of_basicsr_are_written(tmp_path):
    for model in (TINY["edge_sr"](), keras.Sequential([keras.Input((2,))])):
        with pytest.raises(InputError, match="has no official checkpoints"):
            models.to_torch(model, tmp_path / "model.pth")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["swinir_x2_e12_d2x2", "cat_r_x4_e12_d2x2"])
def test_pytorch_reads_what_is_written(name, tmp_path):
    torch = pytest.importorskip("torch")
    model = models.from_torch(_checkpoint(name))
    models.to_torch(model, tmp_path / "again.pth")
    state = torch.load(tmp_path / "again.pth", weights_only=True)["params"]
    expected = torch.load(_checkpoint(name), weights_only=True)["params"]
    for entry, tensor in expected.items():
        assert torch.equal(state[entry], tensor)
