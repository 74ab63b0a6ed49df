"""Every kind of photo: copied, converted by rule, or refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data_prep import photos

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


def _read(path, resize=False):
    return photos.read(path, HEIGHT, WIDTH, resize=resize)


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
    assert photo == (path.read_bytes(), (HEIGHT, WIDTH), "")


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


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.webp"])
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


def test_animation_is_refused(tmp_path):
    frames = [Image.fromarray(_pixels()), Image.fromarray(255 - _pixels())]
    path = _save(tmp_path / "a.png", frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="an animation"):
        _read(path)


@pytest.mark.parametrize("limit", ["our", "pillow's"])
def test_decompression_bomb_is_refused_before_decoding(tmp_path, monkeypatch, limit):
    path = _save(tmp_path / "a.png", Image.fromarray(_pixels()))
    if limit == "our":
        monkeypatch.setattr(photos, "MAX_PIXELS", HEIGHT * WIDTH - 1)
    else:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", HEIGHT * WIDTH // 3)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("was decoded"))
    with pytest.raises(ValueError, match=r"a\.png: cannot be read: .*pixels"):
        _read(path)


def test_wrong_size_is_refused_with_both_sizes(tmp_path):
    path = _save(tmp_path / "a.png", Image.fromarray(_pixels(height=WIDTH)))
    with pytest.raises(ValueError, match=r"a\.png: the photo is 16x16, .*=24x16"):
        _read(path)


def test_resize_scales_photo_and_keypoints_alike(tmp_path):
    large = np.zeros((2 * HEIGHT, 4 * WIDTH, 3), np.uint8)
    large[20:30, 40:50] = 255
    photo = _read(_save(tmp_path / "a.png", Image.fromarray(large)), resize=True)
    assert photo.original_size == (2 * HEIGHT, 4 * WIDTH)
    assert photo.note == "resized, stretched to another shape"
    bright = np.argwhere(_decoded(photo)[..., 0] > 128)
    np.testing.assert_allclose(bright.mean(0), [12, 10.75], atol=0.6)


def test_fit_keypoints_scales_clips_and_drops():
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[0] = [10, 20, 1]
    keypoints[1] = [63, 47, 1]  # The last pixel of a photo of 64 x 48.
    keypoints[2] = [64, 10, 1]  # One beyond it.
    keypoints[3] = [10, 48, 1]
    keypoints[4] = [0, 0, 1]
    fitted, outside = photos.fit_keypoints(keypoints, (48, 64), (24, 16))
    expected = np.zeros((18, 3))
    expected[0], expected[1], expected[4] = [2.5, 10, 1], [15, 23, 1], [0, 0, 1]
    np.testing.assert_array_equal(fitted, expected)
    assert outside == 2 and fitted.dtype == np.float32
