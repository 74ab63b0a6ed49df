"""--mode=demo: a page for the browser, and the same for programs."""

import pathlib
import shlex
import socket

from data_prep.synthetic import pictures
from experiments.config import Config
from experiments.config_compatibility import check_networks
from experiments.demo import static_page
from experiments.demo.model_queue import ModelQueue, Person
from experiments.evaluate import image_folder
from experiments.options import modes
from pg2_jax import errors
from pg2_jax.estimators import person_finder
from pg2_jax.inference import pose_transfer
from pg2_jax.keypoints import keypoint_files

# Connections at once, open pages included; uvicorn refuses more with a 503.
_MOST_CONNECTIONS = 500
_MOST_EXAMPLES = 12
_EXAMPLES = 6
# Far from the numbers of people that trainings use.
_FIRST_IDENTITY = 9001


def demo(config: Config) -> None:
    """Serves the demo until it is interrupted, or writes it as a page of files."""
    if config.static:
        write_static(config)
        return
    try:
        import uvicorn

        from experiments.demo import server
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--mode=demo needs the package {error.name}: pip install 'pg2_jax[demo]' "
            "(in a checkout: pip install '.[demo]')."
        ) from error
    # The port first: a port in use is reported at once, before the model is loaded.
    with listen(config.host, config.port) as listener:
        queue = open_queue(config)
        people = example_people(queue, config.examples_dir, config.workdir)
        # Compiled before the first visitor waits for it.
        joints = next(iter(queue.catalogue().values()))
        queue.generate(next(iter(people.values())), joints)
        uvicorn_server = uvicorn.Server(
            uvicorn.Config(
                server.make_server(queue, people, config),
                log_level="warning",
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_graceful_shutdown=3,
            )
        )
        host = f"[{config.host}]" if ":" in config.host else config.host
        port = listener.getsockname()[1]
        print(f"The demo is at http://{host}:{port}/ (Ctrl-C ends it)", flush=True)
        uvicorn_server.run(sockets=[listener])


def write_static(config: Config) -> None:
    """Writes the page as a folder for any web server: the browser runs the model."""
    folder = pathlib.Path(config.static)
    static_page.check(folder, config.workdir)
    with static_page.runtime(config.onnxruntime_web) as runtime:
        queue = open_queue(config)
        people = example_people(queue, config.examples_dir, config.workdir)
        max_bytes = config.max_upload_mb * 2**20
        static_page.write(folder, queue, people, runtime, max_bytes)
    print(f"Wrote {folder / 'index.html'}; any web server shows it:")
    print(f"    python -m http.server --directory {shlex.quote(str(folder))}")


def open_queue(config: Config) -> ModelQueue:
    """Loads the model, and the pose estimator if there is one."""
    model = pose_transfer.PoseTransfer.restore(config.workdir, **config.how_to_restore)
    check_networks(model.config, config)
    return ModelQueue(model, config.max_waiting, open_finder(config.pose_model))


def open_finder(pose_model: str) -> person_finder.PersonFinder | None:
    """Loads the pose estimator; None, with a note, if none is installed or named."""
    finder = person_finder.PersonFinder(pose_model)
    try:
        finder.open()
    except ValueError as error:
        if pose_model:
            raise
        reason = errors.for_programs(error, modes.MODES["demo"].flag_of)
        print(f"note: of a photo with other proportions the middle is used; {reason}")
        return None
    return finder


def listen(host: str, port: int) -> socket.socket:
    """Opens the port; the error on one that cannot be opened names the flags."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(
            f"--host={host} --port={port}: {error.strerror or error}. Another program "
            "may use this port; choose another one, or --port=0 for any that is free."
        ) from error


def example_people(
    queue: ModelQueue, folder: str, workdir: str = ""
) -> dict[str, Person]:
    """By name: the first photos of a folder; without one the photos that come with the
    model file `workdir`, and synthetic people, all of whom have joints."""
    if folder:
        photos = image_folder.images("examples_dir", folder, [])[:_MOST_EXAMPLES]
        with errors.said_of(f"--examples_dir={folder}"):
            return {p.stem: queue.fit_photo(p.read_bytes(), p.name) for p in photos}
    people = _photos_of_model(queue, pathlib.Path(workdir))
    # Of each synthetic person the picture that shows most of the body.
    for number in range(1, _EXAMPLES + 1 - len(people)):
        who = 0, _FIRST_IDENTITY + number - 1
        takes = [pictures.photograph(*who, i, *queue.size)[1] for i in range(4)]
        best = max(takes, key=lambda take: take.keypoints[:, 2].sum())
        people[f"Synthetic person {number}"] = Person(best.image, best.keypoints)
    return people


def _photos_of_model(queue: ModelQueue, model: pathlib.Path) -> dict[str, Person]:
    """The annotated photos beside a model file, with the credits that are asked for."""
    folder = model.parent / "photo"
    annotations, credit = folder / "annotations.csv", folder / "credit.txt"
    if not model.is_file() or not annotations.is_file():
        return {}
    note = credit.read_text(encoding="utf-8").strip() if credit.is_file() else ""
    people = {}
    for name, joints in keypoint_files.read(annotations).items():
        person = queue.fit_photo((folder / name).read_bytes(), name, joints)
        people[f"Photo: {pathlib.Path(name).stem}"] = person._replace(note=note)
    return people
