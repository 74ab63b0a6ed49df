"""Records read by plain python are what tensorflow reads, or a clear error."""

import pathlib

import numpy as np
import pytest

from pg2_jax.input_pipeline import description, example_parser, pair_table, tfrecord
from tests.late import tf

POSES = np.arange(108, dtype=np.float32).reshape(2, 18, 3) / 7


def example(person="p", source="a", target="b", **changes):
    """A record as tensorflow writes it, with photos of three bytes; a change is what a
    feature holds instead, or None for no feature."""
    texts = {
        "identity": person,
        "source_name": source,
        "target_name": target,
        "source_image": "JPG",
        "target_image": "PNG",
    }
    values = {key: _bytes(text.encode()) for key, text in texts.items()}
    for role, points in zip(("source", "target"), POSES, strict=True):
        floats = tf.train.FloatList(value=points.ravel())
        values[f"{role}_keypoints"] = tf.train.Feature(float_list=floats)
    for key, change in changes.items():
        del values[key]
        if change is not None:
            values[key] = _integers(*change) if key == "identity" else _bytes(*change)
    return tf.train.Example(features=tf.train.Features(feature=values))


def _bytes(*values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _integers(*values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def serialized(**changes):
    return example(**changes).SerializeToString(deterministic=True)


def framed(record):
    """A record with right checksums."""
    length = len(record).to_bytes(8, "little")
    ends = []
    for part in (length, record):
        crc = tfrecord.checksum(part)
        ends.append(int(crc).to_bytes(4, "little"))
    return length + ends[0] + record + ends[1]


def read(path, content, pairs=2, limit=1e9):
    path.write_bytes(content)
    return pair_table.read([description.Shard(path, pairs)], limit)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pairs.tfrecord"


def values_of(message):
    """The features of a tf.train.Example, as `example_parser.features` has them."""
    found = {}
    for key, feature in message.features.feature.items():
        floats = np.array(feature.float_list.value, np.float32)
        of_floats = feature.WhichOneof("kind") == "float_list"
        found[key] = floats.tobytes() if of_floats else list(feature.bytes_list.value)
    return found


def parsed(record):
    found = example_parser.features(record)
    return {k: v if isinstance(v, list) else v.tobytes() for k, v in found.items()}


def test_a_table_holds_what_tensorflow_parses(pair_dataset):
    (shard,) = pathlib.Path(pair_dataset).glob("*-train.tfrecord*")
    records = list(tf.data.TFRecordDataset(str(shard)).as_numpy_iterator())
    table = pair_table.read([description.Shard(shard, len(records))], 1e9)
    assert len(table.rows) == len(records) > 50
    for row, record in enumerate(records):
        want = values_of(tf.train.Example.FromString(record))
        assert parsed(record) == want
        for key in pair_table.KEYS:
            number = table.numbers(key)[row]
            if key in description.KEYPOINTS:
                assert table.keypoints[number].tobytes() == want[key]
            else:
                values = table.photos if key in description.IMAGES else table.names
                assert [values[number]] == want[key]
    # 4 people, 6 photos each: every value is there once.
    assert len(set(table.photos)) == len(table.photos) <= 24


def test_a_file_of_tensorflow_is_read(path):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name in ("a", "c"):
            writer.write(serialized(source=name))
    written = path.read_bytes()
    assert written == b"".join(framed(serialized(source=name)) for name in ("a", "c"))
    table = read(path, written)
    names = [table.names[number] for number in table.numbers("source_name")]
    assert names == [b"a", b"c"]
    np.testing.assert_array_equal(table.keypoints, POSES)


def test_the_form_of_a_record_does_not_matter(path):
    """In halves as the builder writes it, whole, and with a feature that counts no
    more, because it comes again."""
    halves = [
        serialized(**{key: None for key in pair_table.KEYS if (key in some) != kept})
        for some in [("identity", "source_image", "source_name", "source_keypoints")]
        for kept in (True, False)
    ]
    forms = [serialized(), b"".join(halves), serialized(source="x") + serialized()]
    forms.append(b"".join([serialized(source="y"), *halves]))
    table = read(path, b"".join(map(framed, forms)), pairs=len(forms))
    for key in pair_table.KEYS:
        assert len(set(table.numbers(key).tolist())) == 1
    assert table.names[table.numbers("source_name")[0]] == b"a"


def test_forgetting_halves_changes_nothing(path, monkeypatch):
    content = b"".join(framed(serialized(source=name)) for name in "abab")
    tables = [read(path, content, pairs=4)]
    monkeypatch.setattr(pair_table, "_REMEMBERED_BYTES", 1)
    tables.append(read(path, content, pairs=4))
    np.testing.assert_array_equal(tables[0].rows, tables[1].rows)
    assert tables[0].names == tables[1].names == [b"p", b"a", b"b"]


def test_every_flipped_byte_and_every_lost_end_is_found(path):
    """The checksums of tensorflow's format notice each."""
    content = b"".join(framed(serialized(source=name)) for name in ("a", "c"))
    assert len(read(path, content).rows) == 2
    size = len(content) // 2
    # Each byte of the frames, and some of what is in them.
    frames = [i for i in range(len(content)) if (i + 4) % size < 24]
    for place in sorted({*frames, *range(0, len(content), 11)}):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        for damaged in (bytes(flipped), content[:place]):
            with pytest.raises(ValueError, match=r"pairs\.tfrecord") as error:
                read(path, damaged)
            assert "\n" not in str(error.value)
            if damaged != content[:place]:
                record = 1 + place // size
                assert f"pairs.tfrecord, record {record}: " in str(error.value)


def test_a_record_with_flipped_bytes_is_what_tensorflow_parses_or_refused():
    """With right checksums: whoever wrote it wrote nonsense."""
    record, refused = serialized(), 0
    for place in range(len(record)):
        for bit in (0, 1, 3, 6, 7):
            flipped = bytearray(record)
            flipped[place] ^= 1 << bit
            try:
                found = parsed(bytes(flipped))
            except ValueError:
                refused += 1
                continue
            assert found == values_of(tf.train.Example.FromString(bytes(flipped)))
    assert refused > 100


def test_floats_may_come_one_by_one():
    one_by_one = b"".join(b"\x0d" + np.float32(x).tobytes() for x in (1.5, -2.0))
    feature = b"\x12" + bytes([len(one_by_one)]) + one_by_one
    entry = b"\x0a\x01k\x12" + bytes([len(feature)]) + feature
    features = b"\x0a" + bytes([len(entry)]) + entry
    record = b"\x0a" + bytes([len(features)]) + features
    want = values_of(tf.train.Example.FromString(record))
    assert parsed(record) == want == {"k": np.float32([1.5, -2.0]).tobytes()}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"source_image": None}, r"it lacks \['source_image'\]"),
        ({"source_image": ()}, "source_image holds 0 values, not one of bytes"),
        ({"target_name": (b"a", b"b")}, "target_name holds 2 values, not one"),
        ({"target_name": (b"\xff",)}, r"target_name is not UTF-8: b'\\xff'"),
        ({"identity": (7,)}, "identity holds 0 values, not one of bytes"),
        ({"source_keypoints": (b"1",)}, "holds 1 values, not 18 x 3 floats"),
    ],
)
def test_what_a_pair_needs_is_named(path, changes, rule):
    content = framed(serialized()) + framed(serialized(**changes))
    with pytest.raises(ValueError, match=rf"^pairs\.tfrecord, record 2: .*{rule}"):
        read(path, content)


def test_a_wrong_number_of_records_is_named(path):
    with pytest.raises(ValueError, match=r"holds 1 records, dataset_info.json says 2$"):
        read(path, framed(serialized()))


def test_a_limit_of_memory_is_kept(path):
    """Two photos of 3 bytes, three names of 1, two poses of 216, a row of 28."""
    content, needed = framed(serialized()), 2 * 3 + 3 + 2 * 216 + 28
    read(path, content, pairs=1, limit=needed)
    with pytest.raises(pair_table.TooLarge):
        read(path, content, pairs=1, limit=needed - 1)
