"""Every kind of photo: copied, converted by rule, or refused."""

import io
import os
import struct
import zlib

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies
from PIL import Image

from pg2_jax.photos import photo_files

HEIGHT, WIDTH = 24, 16


def _pixels(channels=3, height=HEIGHT, width=WIDTH):
    rng = np.random.default_rng(0)
    shape = (height, width, channels) if channels else (height, width)
    return rng.integers(0, 256, shape, np.uint8)


def _save(path, image, **options):
    image.save(path, **options)
    return path


def _exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _read(path, **options):
    return photo_files.read(path, HEIGHT, WIDTH, **options)


def _decoded(photo):
    with Image.open(io.BytesIO(photo.encoded)) as image:
        assert image.mode == "RGB" and image.format in ("JPEG", "PNG")
        return np.asarray(image)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {}),
        ("a.jpg", {"progressive": True}),
        ("a.jpg", {"subsampling": 0, "quality": 100}),
        ("a.png", {}),
        ("a.jpg", {"exif": _exif(orientation=1)}),
    ],
)
def test_rgb_of_the_right_size_is_copied_byte_for_byte(tmp_path, name, options):
    path = _save(tmp_path / name, Image.fromarray(_pixels()), **options)
    photo = _read(path)
    assert photo.encoded == path.read_bytes()
    assert photo.original_size == (HEIGHT, WIDTH) and photo.note == ""
    assert photo.frame == ((0, 0, WIDTH, HEIGHT), (0, 0, WIDTH, HEIGHT))


def test_the_suffix_does_not_matter(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(_pixels()).save(path, format="PNG")
    assert _read(path).encoded == path.read_bytes()


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_grey_becomes_rgb(tmp_path, name):
    path = _save(tmp_path / name, Image.fromarray(_pixels(0)))
    with Image.open(path) as image:
        grey = np.asarray(image)
    photo = _read(path)
    np.testing.assert_array_equal(_decoded(photo), np.repeat(grey[..., None], 3, 2))
    assert photo.note == "L to RGB"


def test_palette_becomes_rgb(tmp_path):
    image = Image.fromarray(_pixels()).quantize(16)
    photo = _read(_save(tmp_path / "a.png", image))
    np.testing.assert_array_equal(_decoded(photo), np.asarray(image.convert("RGB")))


def test_cmyk_becomes_rgb(tmp_path):
    ink = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    ink[..., 0] = 255  # Full cyan, nothing else.
    path = _save(tmp_path / "a.jpg", Image.fromarray(ink, "CMYK"), quality=100)
    assert np.abs(_decoded(_read(path)).astype(int) - [0, 255, 255]).max() <= 3


def test_transparency_is_composited_on_white(tmp_path):
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 0], pixels[0, :, 3], pixels[1, :, 3] = 200, 255, 51
    result = _decoded(_read(_save(tmp_path / "a.png", Image.fromarray(pixels))))
    np.testing.assert_array_equal(result[0, 0], [200, 0, 0])
    np.testing.assert_array_equal(result[1, 0], [244, 204, 204])  # 0.2 of it on white.
    np.testing.assert_array_equal(result[2:], 255)


def test_transparent_palette_entry_is_white(tmp_path):
    image = Image.new("P", (WIDTH, HEIGHT), 1)
    image.putpalette([9, 9, 9, 200, 100, 50])
    path = _save(tmp_path / "a.png", image, transparency=1)
    np.testing.assert_array_equal(_decoded(_read(path)), 255)


@pytest.mark.parametrize("name", ["a.bmp", "a.webp"])
def test_other_formats_are_stored_without_loss(tmp_path, name):
    path = _save(tmp_path / name, Image.fromarray(_pixels()), lossless=True)
    np.testing.assert_array_equal(_decoded(_read(path)), _pixels())


def test_exif_orientation_is_applied(tmp_path):
    lying = _pixels(height=WIDTH, width=HEIGHT)
    exif = _exif(orientation=6)  # Turned: rotate by 90 degrees clockwise to view.
    photo = _read(_save(tmp_path / "a.png", Image.fromarray(lying), exif=exif))
    np.testing.assert_array_equal(_decoded(photo), np.rot90(lying, -1))
    assert photo.original_size == (HEIGHT, WIDTH)


def _grey_16_bits(path):
    return _save(path, Image.fromarray(_pixels(0).astype(np.uint16) * 257))


def _rgb_16_bits(path):
    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    rows = (b"\0" + bytes(6 * WIDTH)) * HEIGHT
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    signature = b"\x89PNG\r\n\x1a\n"
    path.write_bytes(signature + b"".join(chunk(*parts) for parts in chunks))
    return path


@pytest.mark.parametrize("write", [_grey_16_bits, _rgb_16_bits])
def test_16_bits_are_refused(tmp_path, write):
    with pytest.raises(ValueError, match=r"a\.png: .*more than 8 bits a channel"):
        _read(write(tmp_path / "a.png"))


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.png", "a.bmp", "a.webp", "a.gif", "a.avif"]
)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
def test_truncated_photo_is_refused(tmp_path, name, kept):
    path = _save(tmp_path / name, Image.fromarray(_pixels()))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=name):
        _read(path)


def test_png_that_only_pillow_would_read_is_refused(tmp_path):
    path = _save(tmp_path / "a.png", Image.fromarray(_pixels()))
    content = path.read_bytes()
    data_end = content.index(b"IEND") - 5
    wrong_checksum = bytearray(content)
    wrong_checksum[data_end] ^= 1
    for damaged in (content[:-12], bytes(wrong_checksum), content[:-1] + b"?"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.png: cannot be read"):
            _read(path)


def test_zero_bytes_and_non_images_are_refused(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.jpg: the file is empty"):
        _read(path)
    path.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"a\.jpg: not a photo in a format"):
        _read(path)
    with pytest.raises(OSError, match=r"b\.jpg"):
        _read(tmp_path / "b.jpg")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.gif"])
def test_of_an_animation_the_first_frame_is_taken_and_said(tmp_path, name):
    frames = [Image.fromarray(_pixels()), Image.fromarray(255 - _pixels())]
    path = _save(tmp_path / name, frames[0], save_all=True, append_images=frames[1:])
    photo = _read(path)
    assert photo.note.endswith("the first of 2 frames") or "frames, " in photo.note
    if name != "a.gif":  # It has 256 colours.
        np.testing.assert_array_equal(_decoded(photo), _pixels())
    with pytest.warns(UserWarning, match=r"a\.\w+: the first of 2 frames is taken"):
        photo_files.to_photo(path)


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".tiff", ".avif"])
def test_photos_by_their_rarer_names(tmp_path, suffix):
    assert suffix in photo_files.SUFFIXES
    path = _save(tmp_path / f"a{suffix}", Image.fromarray(_pixels()))
    assert _decoded(_read(path)).shape == (HEIGHT, WIDTH, 3)


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path):
    """10 bits a channel become 8; a second picture is passed over, and half a file
    refused."""
    heif = pytest.importorskip("pillow_heif")
    flat = np.full((HEIGHT, WIDTH, 3), [200, 100, 50], np.uint8)
    many = heif.from_pillow(Image.fromarray(flat))
    many.add_from_pillow(Image.fromarray(255 - flat))
    many.save(tmp_path / "a.heic", quality=-1)
    photo = _read(tmp_path / "a.heic")
    assert photo.note == "HEIF re-encoded, the first of 2 frames"
    np.testing.assert_allclose(_decoded(photo), flat, atol=3)
    assert ".heic" in photo_files.SUFFIXES
    content = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "half.heic").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"half\.heic: cannot be read"):
        _read(tmp_path / "half.heic")


def test_heic_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(photo_files.importlib.util, "find_spec", lambda _: None)
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    with pytest.raises(ValueError, match=r"a\.jpg: HEIC is not read: pip install pil"):
        _read(path)


@pytest.mark.parametrize("limit", ["our", "pillow's"])
def test_decompression_bomb_is_refused_before_decoding(tmp_path, monkeypatch, limit):
    path = _save(tmp_path / "a.png", Image.fromarray(_pixels()))
    if limit == "our":
        monkeypatch.setattr(photo_files, "MAX_PIXELS", HEIGHT * WIDTH - 1)
    else:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", HEIGHT * WIDTH // 3)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("was decoded"))
    with pytest.raises(ValueError, match=r"a\.png: cannot be read: .*pixels"):
        _read(path)


def test_wrong_size_is_refused_with_both_sizes(tmp_path):
    path = _save(tmp_path / "a.png", Image.fromarray(_pixels(height=WIDTH)))
    with pytest.raises(ValueError, match=r"a\.png: the photo is 16x16, .*=24x16"):
        _read(path)


@pytest.mark.parametrize("size", [(1, 100_000), (100_000, 1), (7, 9)])
def test_a_line_of_pixels_is_refused(tmp_path, size):
    path = _save(tmp_path / "a.png", Image.new("RGB", size))
    with pytest.raises(ValueError, match=rf"a\.png: .*{size[0]} x {size[1]} pixels"):
        _read(path, fit="stretch")


@pytest.mark.parametrize("size", [(0, 0), (0, 9), (9, 0)])
def test_a_photo_without_pixels_is_refused(tmp_path, size):
    path = _save(tmp_path / "a.bmp", Image.fromarray(_pixels()))
    content = bytearray(path.read_bytes())
    content[18:26] = struct.pack("<ii", *size)  # Width and height of the header.
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.bmp: "):
        _read(path, fit="stretch")


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    for name in ("pipe.jpg", "folder.jpg", "zero.jpg"):
        with pytest.raises(ValueError, match=f"{name}: not a file with a photo"):
            _read(tmp_path / name)
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with pytest.raises(OSError, match=r"symbolic links.*loop\.jpg"):
        _read(tmp_path / "loop.jpg")


def test_a_file_too_large_for_a_photo_is_not_read(tmp_path):
    path = tmp_path / "a.jpg"
    with open(path, "wb") as file:
        file.truncate(photo_files.MAX_BYTES + 1)
    with pytest.raises(ValueError, match=r"a\.jpg: 536,870,913 bytes, at most"):
        _read(path)


def _bytes(kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(_pixels()).save(buffer, kind, **options)
    return buffer.getvalue()


_WHOLE = [
    *(_bytes("JPEG"), _bytes("JPEG", progressive=True, exif=_exif(orientation=6))),
    *(_bytes("PNG"), _bytes("BMP"), _bytes("WEBP"), b""),
]


@hypothesis.settings(derandomize=True, max_examples=250, deadline=None)
@hypothesis.given(
    base=strategies.sampled_from(_WHOLE),
    cut=strategies.integers(0, 2000),
    noise=strategies.lists(
        strategies.tuples(strategies.integers(0, 1500), strategies.binary(max_size=9)),
        max_size=4,
    ),
    tail=strategies.binary(max_size=64),
)
def test_damaged_bytes_give_a_photo_or_a_clear_error(
    tmp_path_factory, base, cut, noise, tail
):
    content = bytearray(base[:cut] + tail)
    for place, replacement in noise:
        content[place : place + len(replacement)] = replacement
    path = tmp_path_factory.getbasetemp() / "damaged.jpg"
    path.write_bytes(content)
    try:
        photo = _read(path, fit="stretch")
    except ValueError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert _decoded(photo).shape == (HEIGHT, WIDTH, 3)


def test_a_stretched_photo_says_so(tmp_path):
    large = np.zeros((2 * HEIGHT, 4 * WIDTH, 3), np.uint8)
    large[20:30, 40:50] = 255
    photo = _read(_save(tmp_path / "a.png", Image.fromarray(large)), fit="stretch")
    assert photo.original_size == (2 * HEIGHT, 4 * WIDTH)
    assert photo.note == "resized, stretched to another shape"
    bright = np.argwhere(_decoded(photo)[..., 0] > 128)
    np.testing.assert_allclose(bright.mean(0), [12, 10.75], atol=0.6)


def test_a_photo_turned_by_exif_is_cropped_as_a_viewer_shows_it(tmp_path):
    shown = np.zeros((60, 80, 3), np.uint8)
    shown[10:40, 30:50] = [200, 0, 0]
    exif = _exif(orientation=8)  # Rotate by 90 degrees counterclockwise to view.
    lying = Image.fromarray(np.rot90(shown, -1))
    path = _save(tmp_path / "a.png", lying, exif=exif)
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[:2] = [[30, 10, 1], [50, 40, 1]]
    photo = _read(path, fit="crop", keypoints=keypoints, margin=0.0)
    assert photo.frame == ((30, 10, 50, 40), (0, 0, WIDTH, HEIGHT))
    assert photo.note == "EXIF orientation applied, cropped"
    np.testing.assert_allclose(_decoded(photo).mean((0, 1)), [200, 0, 0], atol=2)


def test_crop_without_a_person_names_the_photo(tmp_path):
    path = _save(tmp_path / "a.png", Image.fromarray(_pixels()))
    with pytest.raises(ValueError, match=r"a\.png: the 0 keypoints in the photo span"):
        _read(path, fit="crop", keypoints=np.zeros((18, 3)))


@pytest.mark.parametrize(
    ("longest", "reduction", "size"),
    [
        (0, 1, (400, 300)),
        (200, 2, (200, 150)),
        (90, 4, (100, 75)),
        (399, 1, (400, 300)),
    ],
)
def test_a_jpeg_is_decoded_at_a_reduced_size(monkeypatch, longest, reduction, size):
    file, ramp = io.BytesIO(), np.linspace(0, 255, 400)
    pixels = np.uint8(np.broadcast_to(ramp[None, :, None], (300, 400, 3)))
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    got = photo_files.decode(file.getvalue(), "a.jpg", longest)
    assert (got.image.size, got.reduction) == (size, reduction)
    wanted = ramp.reshape(-1, reduction).mean(axis=1)
    middle = np.asarray(got.image)[size[1] // 2, :, 0]
    np.testing.assert_allclose(middle, wanted, atol=4)
    # What it is decoded to counts, unless the file is stored in passes.
    monkeypatch.setattr(photo_files, "MAX_PIXELS", size[0] * size[1])
    photo_files.decode(file.getvalue(), "a.jpg", longest)
    passes = io.BytesIO()
    Image.fromarray(pixels).save(passes, "JPEG", progressive=True)
    if reduction > 1:
        with pytest.raises(ValueError, match="400 x 300 pixels, at most"):
            photo_files.decode(passes.getvalue(), "a.jpg", longest)


@pytest.mark.parametrize(("most", "reduction"), [(999, 1), (120, 1), (119, 2), (20, 4)])
def test_a_large_jpeg_is_read_at_the_largest_size_that_is_allowed(
    tmp_path, monkeypatch, most, reduction
):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (120, 100)).save(path)
    monkeypatch.setattr(photo_files, "MAX_PIXELS", most * 100)
    got = photo_files.load(path, large=True)
    assert got.reduction == reduction
    assert got.image.size == (120 // reduction, 100 // reduction)
    if reduction > 1:
        with pytest.raises(ValueError, match="120 x 100 pixels, at most"):
            photo_files.load(path)
    monkeypatch.setattr(photo_files, "MAX_PIXELS", 100)
    with pytest.raises(ValueError, match="120 x 100 pixels, at most"):
        photo_files.load(path, large=True)
