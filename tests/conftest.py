"""Fast, strict and multi-device: every test runs on two fake CPU devices, or on as
many as PG2_TEST_DEVICES says; with PG2_TEST_PLATFORM=cuda on a GPU, without TF32."""

import atexit
import fcntl
import gc
import importlib.metadata
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# tensorflow then leaves out Keras, a fifth of what its import costs each process.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
# XLA's older code generator compiles these small programs in a quarter of the time, and
# in one piece in some four fifths of that; the processes that tests start inherit it.
# jaxlib 0.11 lacks the first flag, and dies of it.
if importlib.metadata.version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] = " ".join(
        [
            os.environ.get("XLA_FLAGS", ""),
            "--xla_cpu_use_fusion_emitters=false",
            "--xla_cpu_parallel_codegen_split_count=1",
        ]
    ).strip()

import jax
import pytest

# Compiled programs, for all processes of this run, which inherit the name.
_CACHE = "PG2_TEST_CACHE"
if _CACHE not in os.environ:
    os.environ[_CACHE] = tempfile.mkdtemp(prefix="pg2_jax_tests_")
    atexit.register(shutil.rmtree, os.environ[_CACHE], ignore_errors=True)

jax.config.update("jax_platforms", os.environ.get("PG2_TEST_PLATFORM", "cpu"))
if "PG2_TEST_PLATFORM" in os.environ:
    jax.config.update("jax_default_matmul_precision", "highest")
jax.config.update("jax_num_cpu_devices", int(os.environ.get("PG2_TEST_DEVICES", "2")))
jax.config.update("jax_disable_most_optimizations", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", os.environ[_CACHE])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)

# They import tensorflow, which takes ten seconds of a processor: one process runs them
# all, and the others do without.
_OF_TENSORFLOW = (
    *("test_programs.py", "test_import_checkpoint.py", "test_pair_reader.py"),
    *("test_pg2_records.py", "test_build_tfrecords.py", "test_virtual_readers.py"),
    *("test_cloud_files.py", "test_validation_split.py", "test_memory_reader.py"),
    *("test_pair_table.py", "test_beam_writing.py", "test_pose_pairs.py"),
    *("test_data.py", "test_device_photos.py", "test_inception.py"),
    "test_saved_formats.py",
)
# Then the longest, so that no process ends minutes before the others: all that take ten
# seconds and more, those of the marker `slow` among them.
_LONGEST = (
    *("test_two_processes.py", "test_notebooks.py", "test_one_network.py"),
    *("test_table1.py", "test_survival.py", "test_validation.py", "test_train_step.py"),
    *("test_variants.py", "test_patch_step.py", "test_train.py"),
    *("test_part_transfer.py", "test_shipped_model.py", "test_full_resolution.py"),
    *("test_in_browser.py", "test_checkpoint.py", "test_training_steps.py"),
    *("test_cpu_convolution.py", "test_models.py", "test_report.py"),
    *("test_recorded_numbers.py", "test_fuzz.py", "test_model_queue.py"),
    *("test_folders.py", "test_ssim.py"),
)


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate((*_OF_TENSORFLOW, *_LONGEST))}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Of `--dist loadfile`: a process gets file after file, or all of tensorflow's."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            alike = file.rpartition("/")[2] in _OF_TENSORFLOW
            return "tensorflow" if alike else file

    return ByFile(config, log)


# Millions of small objects live as long as the process: looking for cycles among them
# as often as Python does by default is a twentieth of the processor's time.
gc.set_threshold(50_000, 20, 100)

SHARED = pathlib.Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder of reference material, which need not be there."""
    return SHARED


@pytest.fixture(scope="session")
def golden() -> pathlib.Path:
    """The folder of numbers computed with the authors' code."""
    folder = SHARED / "golden"
    if not folder.is_dir():
        pytest.skip(f"the authors' numbers are not at {folder}")
    return folder


def _built_once(factory, name: str, build: Callable[[pathlib.Path], None]):
    """A folder that one of the processes builds, and all read."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / name
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = pathlib.Path(tempfile.mkdtemp(prefix=name, dir=base)) / name
            build(unfinished)
            unfinished.rename(folder)
    return folder


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> pathlib.Path:
    """Synthetic photos of 32x16 in Market-1501's layout: 4 people and 2 for testing."""
    from data_prep import synthesize_people

    def build(folder):
        options = synthesize_people.Options(
            output_dir=str(folder),
            train_identities=4,
            test_identities=2,
            images_per_identity=6,
            image_size="32x16",
            workers=1,
        )
        synthesize_people.synthesize(options)

    return _built_once(tmp_path_factory, "people", build)


@pytest.fixture(scope="session")
def pair_dataset(people, tmp_path_factory) -> str:
    """The TFRecords of `people`, as --data_dir."""
    from data_prep import build_tfrecords

    def build(folder):
        options = build_tfrecords.Options(
            dataset="market1501",
            source_dir=str(people),
            output_dir=str(folder),
            image_size="32x16",
        )
        build_tfrecords.build(options)

    return str(_built_once(tmp_path_factory, "pairs", build))


@pytest.fixture(scope="session")
def tensorflow_reader() -> Iterator[None]:
    """The reader by tensorflow decodes fewer pairs at once than it does for users:
    its program has a part for each of them, and whoever opens a data set builds it."""
    from pg2_jax.input_pipeline import tf_data_reader

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf_data_reader, "_DECODED_AT_ONCE", 8)
        yield


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium that no page may lead to the network; its console and what
    it downloads can be read."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("chromium and chromedriver are not installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for switch in (
        "--headless=new",
        "--no-sandbox",  # needed by root, as in containers
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1280,900",
        # Whatever a page asks of another host fails.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    page = webdriver.Chrome(options=options, service=service)
    yield page
    page.quit()


def console_errors(page) -> list[str]:
    """What the page has reported as errors since the last call."""
    return [e["message"] for e in page.get_log("browser") if e["level"] == "SEVERE"]
