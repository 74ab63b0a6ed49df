"""Flags and config are one thing; every mistake is named before work begins."""

import dataclasses
import importlib.util
import json
import pathlib
import re
import subprocess
import sys

import pytest
from absl import flags

import data_prep
from experiments import command_line, config_compatibility, flag_table
from experiments.config import Config
from experiments.options import modes, training
from pg2_jax.metrics import suite

ROOT = pathlib.Path(__file__).parents[2]
FLAGFILES = sorted((ROOT / "experiments" / "flagfiles").glob("*.flags"))
TRAIN = {"mode": "train", "workdir": "w", "data_dir": "d"}


@pytest.fixture(scope="module", autouse=True)
def reader():
    """Chosen as for users."""


def from_words(*words):
    return command_line.parse(words)


def test_flags_and_fields_agree():
    assert from_words("--workdir=w", "--data_dir=d") == Config(**TRAIN)
    config = from_words(
        "--workdir=w", "--data_dir=d", "--noflip", "--l1_weight=2.5", "--batch_size=3"
    )
    assert (config.flip, config.l1_weight, config.batch_size) == (False, 2.5, 3)


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    config = from_words("--workdir=~/run", "--data_dir=~/data")
    assert (config.workdir, config.data_dir) == ("/home/me/run", "/home/me/data")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--workdir=gs://b/run", "--data_dir=d"],
            "--workdir=gs://b/run must be a folder on a disk of this machine with "
            "--mode=train. Addresses are for data sets (--data_dir) and for models in "
            "one file (--init_from, --workdir of --mode=evaluate, generate, export, "
            "demo, user_study, --output of --mode=export).",
        ),
        (
            ["--mode=table1", "--workdir=hf://me/x", "--data_dir=d"],
            "--workdir=hf://me/x must be a folder on a disk of this machine with --m",
        ),
        (
            ["--mode=evaluate", "--workdir=w", "--data_dir=d", "--output=az://me/x"],
            "--output=az://me/x must be a folder on a disk of this machine with --mode",
        ),
        (
            [
                *("--mode=evaluate", "--workdir=gs://b/scores", "--data_dir="),
                *("--generated_dir=a", "--target_dir=b"),
            ],
            "--workdir=gs://b/scores must be a folder on a disk of this machine with",
        ),
        (
            ["--mode=evaluate", "--workdir=gs://b/m.safetensors", "--data_dir=d"],
            "--workdir=gs://b/m.safetensors is a model in a file; --output says in",
        ),
        (
            ["--workdir=w", "--data_dir=https://b/d"],
            "--data_dir=https://b/d is an address; it must be on a disk of this mach",
        ),
        (
            ["--workdir=w", "--data_dir=d", "--coarse_from=gs://b/run"],
            "--coarse_from=gs://b/run is an address; it must be on a disk of this",
        ),
    ],
)
def test_addresses_are_refused_where_a_folder_is_wanted(words, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        from_words(*words)


def test_a_repository_is_a_model_and_a_place_for_one():
    words = ["--mode=export", "--workdir=hf://me/x", "--output=hf://me/y"]
    assert from_words(*words).output == "hf://me/y"


def test_data_sets_and_models_may_be_in_cloud_storage():
    config = from_words(
        *("--workdir=w", "--data_dir=gs://b/data", "--init_from=s3://b/m.safetensors")
    )
    assert config.data_dir == "gs://b/data"
    assert config.init_from == "s3://b/m.safetensors"
    words = ["--mode=export", "--workdir=gs://b/m.onnx", "--output=az://b/m.onnx"]
    assert from_words(*words).output == "az://b/m.onnx"


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.stem)
def test_flagfiles_parse_and_explain_every_flag(path):
    from_words(f"--flagfile={path}", "--workdir=w", "--data_dir=d")
    title, *paragraphs = path.read_text().strip().split("\n\n")
    assert title.startswith("# ")
    for paragraph in paragraphs:
        *comment, flag = paragraph.splitlines()
        assert flag.startswith("--")
        assert comment and all(line.startswith("# ") for line in comment), flag


def test_the_papers_figures():
    paper = from_words(
        f"--flagfile={ROOT}/experiments/flagfiles/market1501_paper.flags",
        "--workdir=w",
        "--data_dir=d",
    )
    assert (paper.coarse_steps, paper.refine_steps) == (22_000, 14_000)
    assert (paper.batch_size, paper.learning_rate) == (16, 2e-5)
    assert (paper.base_channels, paper.discriminator_input) == (128, "pair")
    released = from_words(
        f"--flagfile={ROOT}/experiments/flagfiles/market1501_released.flags",
        "--workdir=w",
        "--data_dir=d",
    )
    assert released.total_steps == 60_000
    assert (released.refine_decoder, released.refine_full_skip) == ("constant", False)
    assert (released.discriminator_input, released.discriminator_sees_coarse) == (
        "triplet",
        True,
    )
    assert released.heat_map_range == "minus_one_one"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "dance"}, "--mode=dance must be one of train, evaluate, generate,"),
        ({"workdir": ""}, "--workdir is required with --mode=train"),
        ({"data_dir": ""}, "--data_dir is required with --mode=train"),
        ({"mode": "generate"}, "--source_image is required with --mode=generate"),
        ({"image_size": "128"}, "image_size=128 must be HEIGHTxWIDTH"),
        ({"image_size": "-1x64"}, "image_size=-1x64 must be HEIGHTxWIDTH"),
        ({"pose_size": "0x9"}, "pose_size=0x9 must be HEIGHTxWIDTH"),
        ({"checkpoint_step": -7}, "--checkpoint_step=-7 must be at least -1"),
        ({"seed": 2**32}, "--seed=4294967296 must be below 4294967296"),
        ({"batch_size": 0}, "--batch_size=0 must be at least 1"),
        ({"learning_rate": 0.0}, "--learning_rate=0.0 must be above 0"),
        ({"l1_weight": -1.0}, "--l1_weight=-1.0 must be at least 0"),
        ({"coarse_steps": -1}, "--coarse_steps=-1 must be at least 0"),
        (
            {"discriminator_input": "triple"},
            "--discriminator_input=triple must be one of pair, triplet",
        ),
        (
            {"mode": "evaluate", "target_dir": "t"},
            "--generated_dir is required with --mode=evaluate",
        ),
        (
            {"mode": "evaluate", "generated_dir": "g", "data_dir": ""},
            "--target_dir is required with --mode=evaluate",
        ),
        (
            {"mode": "evaluate", "generated_dir": "g", "target_dir": "t"},
            "--data_dir=d has no meaning with --generated_dir",
        ),
        (
            {"mode": "evaluate", "match": "order"},
            "--match=order needs --generated_dir",
        ),
        ({"ema_decay": 1.0}, "--ema_decay=1.0 must be below 1"),
        ({"validation_share": 1.0}, "--validation_share=1.0 must be below 1"),
        ({"eval_every": 5}, "--eval_every=5 needs --validation_share"),
        ({"early_stop_evals": 2}, "--early_stop_evals=2 needs --eval_every"),
        (
            {"best_metric": "fid"},
            "--best_metric=fid must be one of ssim_pg2, masked_ssim",
        ),
        ({"halve_every": 0}, "--halve_every=0 must be at least 1"),
        (
            {"mode": "evaluate", "checkpoint": "best", "checkpoint_step": 3},
            "--checkpoint=best has no meaning with --checkpoint_step",
        ),
        (
            {"init_from": "a", "coarse_from": "b"},
            "--init_from=a has no meaning with --coarse_from",
        ),
        ({"precision": "half"}, "--precision=half must be one of float32, bfloat16"),
        ({"steps_per_call": -1}, "--steps_per_call=-1 must be at least 0"),
        (
            {"steps_per_call": 20},
            "--log_every=50 must be a multiple of --steps_per_call=20",
        ),
        ({"profile_steps": "9"}, "profile_steps=9 must be A:B"),
        ({"profile_steps": "9:3"}, "--profile_steps=9:3 must end after it begins"),
        ({"profile_steps": "9:99999"}, "by the last step, 36000"),
        (
            {"discriminator_sees_coarse": True},
            "--discriminator_sees_coarse=True needs --discriminator_input=tr",
        ),
    ],
)
def test_values_that_make_no_sense_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        Config(**{**TRAIN, **changes})


def test_the_metrics_of_validation_are_metrics():
    assert set(training.METRICS) <= set(suite.METRICS)


def test_the_wanted_checkpoint():
    config = Config(**TRAIN)
    assert config.wanted_checkpoint is None
    assert dataclasses.replace(config, checkpoint="best").wanted_checkpoint == "best"
    assert dataclasses.replace(config, checkpoint_step=0).wanted_checkpoint == 0


def test_the_data_set_decides_the_size_unless_the_flag_disagrees():
    config = Config(**TRAIN)
    assert config.with_size(64, 32).image_size == "64x32"
    stored = config.with_size(64, 32).to_json()
    assert (stored["image_height"], stored["image_width"]) == (64, 32)
    sized = dataclasses.replace(config, image_size="128x64")
    with pytest.raises(ValueError, match=r"--image_size=128x64 disagrees .* 64x32"):
        sized.with_size(64, 32)


def test_differences_name_what_may_not_change():
    old = Config(**TRAIN, image_size="64x32")
    free = dataclasses.replace(old, refine_steps=9, log_every=7, workdir="elsewhere")
    assert config_compatibility.differences(old.to_json(), free) == []
    cosine = dataclasses.replace(old, learning_rate_decay="cosine")
    more = dataclasses.replace(cosine, refine_steps=9)
    (line,) = config_compatibility.differences(cosine.to_json(), more)
    assert line == "--refine_steps: 14000 in the run, 9 now"
    new = dataclasses.replace(old, learning_rate=1.0, coarse_steps=5)
    assert config_compatibility.differences(old.to_json(), new) == [
        "--coarse_steps: 22000 in the run, 5 now",
        "--learning_rate: 2e-05 in the run, 1.0 now",
    ]


def test_a_run_keeps_the_reader_that_it_began_with():
    config = Config(**TRAIN, image_size="64x32")
    before = config.to_json()
    del before["reader"]
    other = dataclasses.replace(config, reader="memory")
    differences = config_compatibility.differences
    line = "--reader: 'tf_data' in the run, 'memory' now"
    assert differences(before, other) == [line]
    assert differences(before, config) == []
    assert differences(before, other, stage_one_only=True) == []
    # Nothing was trained of what was imported.
    assert differences(config.to_json(), other) == []
    for stored, reader in ((before, "tf_data"), (other.to_json(), "memory")):
        kept = config_compatibility.with_reader(config, stored)
        assert kept.reader == reader
        assert differences(stored, kept) == []


def test_a_run_keeps_the_number_of_its_virtual_readers():
    """Before there were several, one read all files."""
    config = Config(**TRAIN, image_size="64x32")
    before = config.to_json()
    del before["virtual_readers"]
    begun = dataclasses.replace(config, reader="tf_data", virtual_readers=4).to_json()
    differences, kept = (
        config_compatibility.differences,
        config_compatibility.with_reader,
    )
    for stored, number in ((before, 1), (begun, 4)):
        assert kept(config, stored).virtual_readers == number
        assert differences(stored, kept(config, stored)) == []
        assert differences(stored, config) == []
        other = dataclasses.replace(kept(config, stored), virtual_readers=2)
        line = f"--virtual_readers: {number} in the run, 2 now"
        assert differences(stored, other) == [line]
        assert differences(stored, other, stage_one_only=True) == []
        assert kept(other, stored).virtual_readers == 2
    assert kept(config, config.to_json()).virtual_readers == 0  # known with the data
    memory = kept(config, before | {"reader": "memory"})
    assert (memory.reader, memory.virtual_readers) == ("memory", 0)
    with pytest.raises(ValueError, match="virtual_readers=2 needs --reader=auto"):
        dataclasses.replace(memory, virtual_readers=2)


def run_main(*words):
    return subprocess.run(
        [sys.executable, "-m", "experiments.main", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_the_page_of_flags_is_what_its_command_prints():
    assert (ROOT / "docs" / "flags.md").read_text() == flag_table.markdown()


def test_the_flags_of_other_modes_are_refused_with_the_modes_that_take_them():
    for words, message in (
        (
            ["--target_dir=t"],
            "--target_dir=t is not for --mode=train but for --mode=evaluate, user_",
        ),
        (
            ["--mode=evaluate", "--dry_run"],
            "--dry_run=True is not for --mode=evaluate but for --mode=train.",
        ),
        (["--mode=report", "--output=o"], "--workdir=w is not for --mode=report but"),
        (["--lpips=a.pth"], "--lpips=a.pth is not for --mode=train but for --mode=eva"),
        (["--workdirs=a"], "--workdirs=a is not for --mode=train but for --mode=repo"),
        (["--port=1"], "--port=1 is not for --mode=train but for --mode=demo"),
        (["--steps_scale=0.5"], "--steps_scale=0.5 is not for --mode=train but for -"),
        (["--mode=evaluate", "--study_images=3"], "=3 is not for --mode=evaluate but"),
        (
            ["--mode=evaluate", "--critic_input=pair"],
            "--discriminator_input=pair is not for",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            from_words("--workdir=w", "--data_dir=d", *words)


@pytest.mark.parametrize("form", ["--flagfile={}", "-flagfile {}"])
def test_a_flagfile_of_a_training_serves_the_other_modes_of_its_run(tmp_path, form):
    path = tmp_path / "run.flags"
    path.write_text("--base_channels=16\n--remat\n--learning_rate=0.1\n--noflip\n")
    words = ["--workdir=w", "--data_dir=d", *form.format(path).split()]
    config = from_words("--mode=evaluate", *words)
    assert (config.base_channels, config.learning_rate) == (16, 0.1)
    with pytest.raises(ValueError, match=r"--learning_rate=.* not for --mode=evaluate"):
        from_words("--mode=evaluate", *words, "--learning_rate=0.2")
    path.write_text("--save_images\n")
    with pytest.raises(ValueError, match="--save_images=True is not for --mode=train"):
        from_words(*words)


def test_flags_of_version_0_1_0_are_read():
    words = ["--critic_input=triplet", "--critic_sees_coarse"]
    config = from_words("--workdir=w", "--data_dir=d", *words)
    assert (config.discriminator_input, config.discriminator_sees_coarse) == (
        "triplet",
        True,
    )


def test_every_mode_has_its_program_and_an_example_that_parses(monkeypatch):
    monkeypatch.chdir(ROOT)
    for name, mode in modes.MODES.items():
        extra = ["--poses=walk"] if name == "generate" else []
        config = from_words(*mode.example.split(), *extra)
        assert config.mode == name
        source = pathlib.Path(importlib.util.find_spec(mode.module).origin).read_text()
        assert re.search(rf"^def {name}\(\s*config: Config", source, re.MULTILINE)


def help_of(*words):
    """What --help prints, in a process that imports nothing heavy for it."""
    code = (
        "import sys; from experiments import main\n"
        f"try: main.main({[*words, '--help']!r})\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'jax', 'flax', 'tensorflow', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_help_shows_the_modes():
    shown = help_of()
    for name, mode in modes.MODES.items():
        assert f"  {name} " in shown and mode.about in shown
    assert "--learning_rate" not in shown


@pytest.mark.parametrize(
    ("mode", "its", "others"),
    [
        ("train", ["stages", "learning_rate", "seed"], ["pose", "rows", "host"]),
        ("generate", ["pose", "weights", "output"], ["learning_rate", "stages"]),
        (
            "table1",
            ["rows", "learning_rate"],
            ["stages", "pose_mask_loss", "init_from"],
        ),
    ],
)
def test_help_of_a_mode_shows_its_flags_and_no_other(mode, its, others):
    shown = help_of(f"--mode={mode}")
    fields = {
        field.name: field.metadata["modes"] for field in dataclasses.fields(Config)
    }
    for name, takers in fields.items():
        taken = name != "mode" and (not takers or mode in takers)
        assert (f"\n  --{name}=" in shown) == taken, name
    assert all(f"\n  --{name}=" in shown for name in its)
    assert not any(f"\n  --{name}=" in shown for name in others)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batchsize=3"], "Unknown command line flag 'batchsize'. Did you mean"),
        (["--flagfile=nowhere.flags"], "error: Unable to open flagfile"),
        (["--mode=dance"], "value should be one of <train|evaluate|generate|"),
        (["--batch_size=many"], "--batch_size=many"),
        (["train"], "unexpected argument 'train'"),
        ([], "--workdir is required with --mode=train"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(words, message):
    result = run_main(*words)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("tried", "meant"),
    [
        ("source_photo", "source_image"),
        ("keypoints", "source_pose"),
        ("target_pose", "pose"),
        ("lr", "learning_rate"),
    ],
)
def test_names_that_are_often_tried_are_answered_with_the_flag(tried, meant):
    words = f"'{tried}'. Did you mean: {meant} \\?$"
    with pytest.raises(flags.UnrecognizedFlagError, match=words):
        from_words("--mode=generate", f"--{tried}=x")


def test_a_folder_stands_for_the_only_model_in_it(tmp_path):
    folder, model = str(tmp_path), str(tmp_path / "model.safetensors")
    pathlib.Path(model).touch()
    for mode, more in {
        "evaluate": ("--data_dir=a", "--output=b"),
        "generate": ("--source_image=a", "--pose=b", "--output=c.png"),
        "export": ("--output=c.safetensors",),
        "demo": (),
        "user_study": ("--data_dir=a", "--output=b"),
    }.items():
        config = from_words(f"--mode={mode}", f"--workdir={folder}", *more)
        assert config.workdir == model, mode
    data = f"--workdir={folder}", "--data_dir=a"
    training = from_words(*data, f"--init_from={folder}")
    assert (training.workdir, training.init_from) == (folder, model)
    # The scores of images go into the folder.
    of_images = f"--generated_dir={folder}", f"--workdir={folder}", "--target_dir=a"
    assert from_words("--mode=evaluate", *of_images).workdir == folder
    with pytest.raises(ValueError, match="is a model in a file; --output says"):
        from_words("--mode=evaluate", *data)


@pytest.mark.parametrize("is_first", [True, False])
def test_the_note_of_that_model_is_said_by_one_process(monkeypatch, capsys, is_first):
    from experiments import main, processes
    from experiments.evaluate import evaluate

    monkeypatch.setattr(processes, "connect", lambda config: None)
    monkeypatch.setattr(processes, "is_first", lambda: is_first)
    monkeypatch.setattr(evaluate, "evaluate", lambda config: None)
    evaluating = {**TRAIN, "mode": "evaluate", "coordinator_address": "auto"}
    main.run(Config(**evaluating), ["note: this one"])
    assert capsys.readouterr().out == "note: this one\n" * is_first


def write_data_set(folder):
    """What stands beside the records of a data set of 32x16."""
    folder.mkdir()
    (folder / "dataset_info.json").write_text("{}")
    image = {"image": {"shape": {"dimensions": ["32", "16", "3"]}}}
    features = {"featuresDict": {"features": {"source_image": image}}}
    (folder / "features.json").write_text(json.dumps(features))
    (folder / "metadata.json").write_text('{"seed": 0}')


def in_a_process(code):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("mode", "package"),
    [("train", "optax"), ("evaluate", "jax"), ("report", "rich")],
)
def test_a_package_that_is_not_installed_is_one_line(tmp_path, mode, package):
    write_data_set(tmp_path / "data")
    write_run(tmp_path / "run", Config(**TRAIN, image_size="32x16").to_json())
    needed = {"workdir": "run", "data_dir": "data", "workdirs": "run", "output": "out"}
    flags = [f"--{n}={tmp_path}/{needed[n]}" for n in modes.MODES[mode].needs]
    result = in_a_process(
        f"import sys; sys.modules[{package!r}] = None; from experiments import main\n"
        f"main.main({[f'--mode={mode}', *flags]!r})"
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f"error: --mode={mode} needs the package {package}: {data_prep.INSTALL}"
    )
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("sys.modules['absl'] = None", "package absl is not installed: pip install"),
        ("sys.version_info = (3, 10, 4)", "Python 3.11 or later is needed, this is 3."),
    ],
)
@pytest.mark.parametrize("program", ["experiments.main", "data_prep.pairs"])
def test_what_no_program_can_begin_without_is_one_line(setting, message, program):
    result = in_a_process(f"import sys; {setting}; import {program}")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and message in line


def write_run(workdir, config, **more):
    """A run of which only the config of its newest checkpoint can be read."""
    folder = workdir / "checkpoints" / "3" / "config"
    folder.mkdir(parents=True)
    stored = {"format": 1, "config": config, **more}
    (folder / "metadata").write_text(json.dumps(stored))


def test_mistakes_are_answered_before_anything_heavy_is_imported(tmp_path):
    write_data_set(tmp_path / "data")
    trained = Config(
        **TRAIN, image_size="32x16", base_channels=8, reader="memory"
    ).to_json()
    write_run(tmp_path / "run", {**trained, "data": {"seed": 0}})
    (tmp_path / "empty").mkdir()
    data, run = f"--data_dir={tmp_path}/data", f"--workdir={tmp_path}/run"
    (tmp_path / "flags").write_text("--base_channels=9\n")
    nowhere, of_run = f"--workdir={tmp_path}/rum", "which has 8."
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.safetensors").touch()
    (tmp_path / "model" / "a.onnx").touch()
    exported = f"--workdir={tmp_path}/model"
    generate = ["--mode=generate", run, "--pose=catalogue/back", "--output=x.png"]
    mistakes = [
        ([run, f"--data_dir={tmp_path}/no"], f"--data_dir={tmp_path}/no: no data set"),
        ([run, data], "--base_channels: 8 in the run, 128 now"),
        ([run, data, "--reader=tf_data"], "--reader: 'memory' in the run, 'tf_data'"),
        ([run, data, "--image_size=9x9"], "--image_size=9x9 disagrees with the images"),
        ([nowhere, data, "--init_from=no"], "--init_from=no: there is no such"),
        (["--mode=evaluate", data, nowhere], f"; did you mean {tmp_path}/run?"),
        (["--mode=evaluate", data, f"--workdir={tmp_path}/empty"], "no checkpoint in"),
        (["--mode=evaluate", data, run, f"--flagfile={tmp_path}/flags"], of_run),
        (["--mode=export", nowhere, "--output=x"], "there is no such file or folder"),
        (["--mode=demo", nowhere], "there is no such file or folder"),
        ([*generate, "--source_image=no.jpg"], "--source_image=no.jpg: there is no"),
        (
            [*generate, f"--source_image={tmp_path}/flags", "--source_pose=no.csv"],
            "--source_pose=no.csv: there is no such file",
        ),
        (["--mode=evaluate", data, exported], f"in it are {tmp_path}/model/a.onnx, "),
    ]
    result = in_a_process(
        "import sys; from experiments import main\n"
        f"for words in {[words for words, _ in mistakes]!r}:\n"
        "    try: main.main(words)\n"
        "    except SystemExit as end: print(str(end.code).replace(chr(10), ' '))\n"
        "heavy = {'jax', 'flax', 'orbax', 'tensorflow', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    for line, (_, message) in zip(lines, mistakes, strict=True):
        assert line.startswith("error: ") and message in line


def test_what_the_run_has_is_no_mistake(tmp_path, monkeypatch):
    write_data_set(tmp_path / "data")
    words = [f"--data_dir={tmp_path}/data", f"--workdir={tmp_path}/run"]
    config = from_words(*words).with_size(32, 16)
    assert command_line.check_early(from_words(*words)) is None
    write_run(tmp_path / "run", {**config.to_json(), "data": {"seed": 0}})
    assert command_line.check_early(from_words(*words)) is None
    assert command_line.check_early(from_words("--mode=evaluate", *words)) is None
    with pytest.raises(ValueError, match="--base_channels: 128 in the run, 4 now"):
        command_line.check_early(from_words("--base_channels=4", *words))
    # What cannot be told early is left to those who open it.
    write_run(tmp_path / "later", {"data": {}}, format=99)
    later = from_words(words[0], f"--workdir={tmp_path}/later")
    assert command_line.check_early(later) is None
