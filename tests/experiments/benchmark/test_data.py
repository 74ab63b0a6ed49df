"""--what=data: of Market-1501's size, everything measured in turns."""

import itertools

import numpy as np
import pytest


@pytest.fixture
def data():
    """The module, which imports tensorflow: not while tests are collected."""
    from experiments.benchmark import data

    return data


def test_the_full_size_is_that_of_market1501(data):
    sizes = data._PHOTOS_OF_PEOPLE
    assert sum(n * (n - 1) for n in sizes) == 263_632
    assert (len(sizes), sum(sizes)) == (747, 12_697)
    # The first people have photos like all.
    tenth = sizes[:75]
    assert 20_000 < sum(n * (n - 1) for n in tenth) < 33_000


@pytest.mark.slow
def test_everything_is_measured_in_turns(data, tmp_path, monkeypatch):
    """With the builder in this process: starting others is for the real program."""
    from data_prep import build_tfrecords

    def build(source, output):
        options = build_tfrecords.Options(
            source_dir=str(source), output_dir=str(output), overwrite=True
        )
        build_tfrecords.build(options)
        return 2.0, 3.0, 500.0

    monkeypatch.setattr(data, "_build", build)
    monkeypatch.setattr(data, "_TEST_PEOPLE", 2)
    people = [*range(2, 11), *[2] * 738]
    monkeypatch.setattr(data, "_PHOTOS_OF_PEOPLE", people)
    monkeypatch.setattr(data, "_READ_PAIRS", 128)
    measured = data.measure(tmp_path, scale=0.01, repeats=2)
    # The first 7 people have 2, 3, ..., 8 photos.
    assert measured.facts["training pairs"] == sum(n * (n - 1) for n in range(2, 9))
    assert measured.facts["photos"] == sum(range(2, 11))
    assert 500 < measured.facts["bytes per JPEG"] < 10_000
    found = {series.name: series for series in measured.series}
    assert {len(series.values) for series in measured.series} == {2}
    assert found["build"].values == (2.0, 2.0)
    assert found["build, peak memory"].median == 500
    read, alone = found["read and decode"], found["decode alone"]
    ratio = found["read and decode / decode alone"]
    assert min(read.values) > 0
    for mine, its, both in zip(read.values, alone.values, ratio.values, strict=True):
        assert both == mine / its


@pytest.mark.slow
def test_decoding_alone_decodes_all_photos(data, monkeypatch):
    monkeypatch.setattr(data, "HEIGHT", 32)
    monkeypatch.setattr(data, "WIDTH", 16)
    monkeypatch.setattr(data, "_DECODE_AT_ONCE", 3)
    rng = np.random.default_rng(0)
    steps = data._decode_alone([data._random_photo(rng) for _ in range(12)])
    first, second, again = itertools.islice(steps, 3)
    assert {step.shape for step in (first, second)} == {(6, 32, 16, 3)}
    assert (first == again).all() and not (first == second).all()
