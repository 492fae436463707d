import io
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
import tifffile

from issp_keras import data
from issp_keras.errors import InputError

pytestmark = pytest.mark.versions

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_image_is_refused(tmp_path, content):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"photo\.png: cannot be read"):
        data.read_photograph(path)


def test_a_missing_photograph_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        data.read_photograph(tmp_path / "photo.png")


DEEP = RNG.integers(0, 65536, (6, 5, 4), np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize("kind", ["grey", "rgb"])
@pytest.mark.parametrize("alpha", [None, DEEP[..., 3]])
@pytest.mark.parametrize("profile", [None, b"a colour profile"])
def test_16_bits_are_written_and_read(tmp_path, suffix, kind, alpha, profile):
    pixels = DEEP[..., 0] if kind == "grey" else DEEP[..., :3]
    path = tmp_path / f"deep{suffix}"
    data.write_photograph(path, pixels, alpha, profile)
    found = data.read_photograph(path)
    assert found.pixels.dtype == np.uint16
    if kind == "grey" and alpha is not None and suffix != ".png":
        pixels = data.to_rgb(pixels)
    np.testing.assert_array_equal(found.pixels, pixels)
    np.testing.assert_array_equal(found.alpha, alpha)
    assert found.icc_profile == profile
    with pytest.raises(InputError, match="more than 8 bits"):
        data.read_opaque_photograph(path)


def test_16_bits_become_8_where_the_format_has_no_more(tmp_path):
    pixels = np.full((8, 8, 3), 257 * 100 + 128, np.uint16)
    data.write_photograph(tmp_path / "deep.webp", pixels)
    found = data.read_photograph(tmp_path / "deep.webp").pixels
    assert found.dtype == np.uint8
    assert abs(int(found[4, 4, 0]) - 100) <= 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_transparency_and_profiles_are_written_and_read(tmp_path, suffix):
    pixels = RNG.integers(0, 256, (32, 32, 4), np.uint8)
    pixels[...] = pixels.mean(axis=(0, 1))
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB"))
    path = tmp_path / f"photo{suffix}"
    data.write_photograph(
        path, pixels[..., :3], pixels[..., 3], profile.tobytes()
    )
    found = data.read_photograph(path)
    assert found.icc_profile == profile.tobytes()
    np.testing.assert_allclose(found.pixels, pixels[..., :3], atol=4)
    np.testing.assert_array_equal(found.alpha, pixels[..., 3])


def test_a_format_without_transparency_is_refused(tmp_path):
    pixels = RNG.integers(0, 256, (4, 4, 4), np.uint8)
    with pytest.raises(InputError, match=r"photo\.jpg: cannot be written"):
        data.write_photograph(
            tmp_path / "photo.jpg", pixels[..., :3], pixels[..., 3]
        )
    assert not list(tmp_path.iterdir())


def test_a_profile_of_other_inks_is_dropped(tmp_path):
    path = tmp_path / "print.jpg"
    PIL.Image.new("CMYK", (4, 4)).save(path, icc_profile=b"inks")
    found = data.read_photograph(path)
    assert (found.pixels.shape, found.icc_profile) == ((4, 4, 3), None)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("float.tif", np.zeros((4, 4), np.float32)),
        ("deep.tif", np.zeros((4, 4), np.uint32)),
    ],
)
def test_other_depths_are_refused(tmp_path, name, values):
    tifffile.imwrite(tmp_path / name, values)
    with pytest.raises(InputError, match=f"{name}: cannot be read"):
        data.read_photograph(tmp_path / name)


def test_channels_one_after_the_other_are_read(tmp_path):
    planes = RNG.integers(0, 65536, (3, 4, 5), np.uint16)
    order = {"photometric": "rgb", "planarconfig": "separate"}
    tifffile.imwrite(tmp_path / "planes.tif", planes, **order)
    found = data.read_photograph(tmp_path / "planes.tif").pixels
    np.testing.assert_array_equal(found, planes.transpose(1, 2, 0))


def test_16_bits_that_are_white_at_0_are_read_as_they_look(tmp_path):
    path = tmp_path / "white.tif"
    tifffile.imwrite(path, DEEP[..., 0], photometric="miniswhite")
    found = data.read_photograph(path).pixels
    np.testing.assert_array_equal(found, 65535 - DEEP[..., 0])


@pytest.mark.parametrize(
    "kind",
    [
        {"photometric": "separated"},
        {"photometric": "rgb", "extrasamples": ["assocalpha"]},
        {"photometric": "rgb", "extrasamples": ["unspecified"]},
    ],
)
def test_16_bits_of_other_channels_are_refused(tmp_path, kind):
    tifffile.imwrite(tmp_path / "inks.tif", DEEP, **kind)
    with pytest.raises(InputError, match=r"inks\.tif: cannot be read"):
        data.read_photograph(tmp_path / "inks.tif")


@pytest.mark.parametrize("kind", ["grey", "rgb"])
def test_a_clear_colour_of_16_bits_is_transparent(tmp_path, kind):
    pixels = DEEP[..., 0] if kind == "grey" else DEEP[..., :3]
    path = tmp_path / "clear.png"
    data.write_photograph(path, pixels)
    colour = np.atleast_1d(pixels[2, 3])
    content = b"tRNS" + colour.astype(">u2").tobytes()
    chunk = struct.pack(">I", len(content) - 4) + content
    chunk += struct.pack(">I", zlib.crc32(content))
    png = path.read_bytes()
    path.write_bytes(png[:33] + chunk + png[33:])
    found = data.read_photograph(path)
    np.testing.assert_array_equal(found.pixels, pixels)
    assert found.alpha[2, 3] == 0
    assert np.count_nonzero(found.alpha == 65535) == found.alpha.size - 1


# Top, left and steps of the seven passes of an interlaced PNG file.
_PASSES = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)


@pytest.mark.parametrize("kind", [0, 2, 4, 6])
def test_interlaced_png_files_of_16_bits_are_read(tmp_path, kind):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    pixels = RNG.integers(0, 65536, (9, 11, channels), np.uint16)
    header = struct.pack(">IIBBBBB", 11, 9, 16, kind, 0, 0, 1)
    rows = [
        b"\0" + row.astype(">u2").tobytes()
        for top, left, down, right in _PASSES
        for row in pixels[top::down, left::right]
    ]
    content = b"\x89PNG\r\n\x1a\n"
    for name, chunk in (
        (b"IHDR", header),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    ):
        content += struct.pack(">I", len(chunk)) + name + chunk
        content += struct.pack(">I", zlib.crc32(name + chunk))
    (tmp_path / "photo.png").write_bytes(content)
    found = data.read_photograph(tmp_path / "photo.png")
    grey = channels < 3
    expected = pixels[..., 0] if grey else pixels[..., :3]
    np.testing.assert_array_equal(found.pixels, expected)
    if kind & 4:
        np.testing.assert_array_equal(found.alpha, pixels[..., -1])


@pytest.mark.parametrize("kind", ["L", "RGB"])
def test_png_files_of_16_bits_are_those_of_tensorflow(tmp_path, kind):
    """The file has more rows than are written at once, smooth and noisy."""
    tf = pytest.importorskip("tensorflow")
    pixels = RNG.integers(0, 65536, (150, 40, len(kind)), np.uint16)
    pixels[40:] = pixels[40:].cumsum(0) // 256 + pixels[:1] % 9
    path = tmp_path / "photo.png"
    data.write_photograph(path, pixels if kind == "RGB" else pixels[..., 0])
    decoded = tf.io.decode_png(path.read_bytes(), 0, tf.uint16).numpy()
    np.testing.assert_array_equal(decoded, pixels)
    path.write_bytes(tf.io.encode_png(pixels).numpy())
    found = data.read_photograph(path).pixels
    np.testing.assert_array_equal(np.atleast_3d(found), pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_half_of_a_16_bit_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"deep{suffix}"
    noise = RNG.integers(0, 65536, (64, 64, 3), np.uint16)
    data.write_photograph(path, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be read"):
        data.read_photograph(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bits_are_turned_upright_as_8_are(tmp_path, orientation):
    """Compares a 16-bit file with EXIF with an 8-bit one that Pillow turns."""
    pixels = RNG.integers(0, 256, (4, 6, 3), np.uint8)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    expected = data.read_photograph(tmp_path / "photo.png").pixels
    tifffile.imwrite(
        tmp_path / "deep.tif",
        pixels.astype(np.uint16) * 257,
        photometric="rgb",
        extratags=[(0x0112, "H", 1, orientation, True)],
    )
    found = data.read_photograph(tmp_path / "deep.tif").pixels
    np.testing.assert_array_equal(found, expected.astype(np.uint16) * 257)


@pytest.mark.parametrize("suffix", ["gif", "png", "tif", "webp"])
def test_of_several_frames_the_first_is_read_and_that_is_told(
    tmp_path, caplog, suffix
):
    path = tmp_path / f"frames.{suffix}"
    frames = [PIL.Image.new("RGB", (4, 3), of) for of in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    pixels = data.read_photograph(path).pixels
    assert (pixels == [255, 0, 0]).all() and pixels.shape == (3, 4, 3)
    assert f"{path}: has several frames. The first one is read." in caplog.text


def test_a_tiff_file_without_channels_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "photo.tif"
    pixels = np.zeros((3, 4, 3), np.uint16)
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None)
    # As damaged files are read.
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda _: pixels[..., :0])
    with pytest.raises(InputError, match="of 0 channels, expected 16 bits and"):
        data.read_photograph(path)


def test_a_photograph_with_a_preview_is_one_photograph(tmp_path, caplog):
    path = tmp_path / "camera.jpg"
    frames = [PIL.Image.new("RGB", (16, 16), of) for of in ("white", "black")]
    frames[0].save(path, "MPO", save_all=True, append_images=frames[1:])
    assert data.read_photograph(path).pixels.mean() == 255
    assert not caplog.text


def test_grey_stays_grey(tmp_path):
    grey = RNG.integers(0, 256, (4, 6), np.uint8)
    image = PIL.Image.fromarray(grey).convert("LA")
    image.save(tmp_path / "grey.png")
    found = data.read_opaque_photograph(tmp_path / "grey.png").pixels
    np.testing.assert_array_equal(found, grey)


def test_transparency_is_refused_to_train_on(tmp_path):
    pixels = RNG.integers(0, 256, (4, 4, 4), np.uint8)
    path = tmp_path / "photo.png"
    PIL.Image.fromarray(pixels).save(path)
    with pytest.raises(InputError, match="transparent"):
        data.read_opaque_photograph(path)
    pixels[..., 3] = 255
    PIL.Image.fromarray(pixels).save(path)
    found = data.read_opaque_photograph(path).pixels
    np.testing.assert_array_equal(found, pixels[..., :3])


def test_a_palette_and_a_turned_photograph_are_read_as_they_look(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, :, 0] = 255
    path = tmp_path / "palette.png"
    PIL.Image.fromarray(pixels).quantize(4).save(path)
    np.testing.assert_array_equal(data.read_photograph(path).pixels, pixels)
    turned = PIL.Image.fromarray(pixels)
    exif = turned.getexif()
    exif[0x0112] = 6  # Orientation: turned by 90 degrees.
    path = tmp_path / "turned.png"
    turned.save(path, exif=exif)
    found = data.read_photograph(path).pixels
    np.testing.assert_array_equal(found, np.rot90(pixels, -1))


def test_an_image_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "photo.png"
    data.write_photograph(path, np.zeros((2, 2), np.uint8))
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"photo\.xyz: cannot be written"):
        data.write_photograph(
            tmp_path / "photo.xyz", np.zeros((2, 2), np.uint8)
        )
    with pytest.raises(InputError, match="cannot be written"):
        data.write_photograph(path / "in.png", np.zeros((2, 2), np.uint8))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["photo.png"]


def test_write_and_read_are_lossless_for_png(tmp_path):
    pixels = RNG.integers(0, 256, (5, 7, 3), np.uint8)
    data.write_photograph(tmp_path / "photo.png", pixels)
    found = data.read_photograph(tmp_path / "photo.png")
    np.testing.assert_array_equal(found.pixels, pixels)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    buffer = io.BytesIO()
    PIL.Image.new("L", (100, 100)).save(buffer, "png")
    path = tmp_path / "bomb.png"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match=r"bomb\.png: cannot be read"):
        data.read_photograph(path)
