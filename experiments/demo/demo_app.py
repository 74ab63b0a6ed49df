"""The demo's page: three panels on Gradio, whose queue calls the studio.

A panel is a `gr.HTML` of its own template and script (demo_page/). Photos and poses
travel as base64 in the panels' values, so that no visitor's file is ever stored and
none of Gradio's routes for files is needed.
"""

import functools
import io
import os
import pathlib
import time
from typing import Any

# It would report to its makers.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import fastapi
import gradio as gr
import numpy as np
from PIL import Image

from experiments.config import Config
from experiments.demo import api
from experiments.demo.demo_studio import (
    Busy,
    Drawing,
    Studio,
    check_keypoints,
    first_pose,
)
from experiments.demo.limits import Limits
from pg2_jax import pose, visualize
from pg2_jax.inference import pose_library

_PAGE = pathlib.Path(__file__).parent / "page"
_FRAME_MS = 150
_DATA_URL = "data:image/png;base64,"
_TITLE = "Pose-guided person images"
_INTRODUCTION = f"""# {_TITLE}

A person from a photo, drawn anew in the pose of your choice, by PG2
([Ma et al., NIPS 2017](https://arxiv.org/abs/1705.09368)) in JAX."""

Value = dict[str, Any]


def make_server(
    studio: Studio, people: dict[str, np.ndarray], config: Config
) -> fastapi.FastAPI:
    """The page and the endpoints for programs, behind their limits.

    Args:
        studio: draws.
        people: examples, name -> uint8 [H, W, 3].
        config: the limits.
    """
    app = api.make_app(studio)
    max_bytes = config.max_upload_mb * 2**20
    app.add_middleware(
        Limits,
        # Base64, and room for what travels beside a file.
        max_bytes=max_bytes * 4 // 3 + 2**20,
        requests_per_minute=config.requests_per_minute,
    )
    blocks = make_page(studio, people, max_bytes)
    # An end of the queue that is not zero, which Gradio takes for none.
    blocks.queue(max_size=config.max_waiting + 1)
    # Mounted pages never launch, and before it Gradio copies whichever file of the host
    # a request names.
    blocks.has_launched = True
    height, width = studio.size
    sizes = f":root {{ --pg2-width: {width}; --pg2-height: {height}; }}"
    sheet = (_PAGE / "page.css").read_text(encoding="utf-8")
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        blocked_paths=["/"],
        theme=gr.themes.Soft(
            font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
        ),
        # Gradio rewrites the selectors of what it is given as css.
        head=f"<style>{sizes}\n{sheet}</style>",
    )


def make_page(
    studio: Studio, people: dict[str, np.ndarray], max_bytes: int
) -> gr.Blocks:
    """Lays the panels out."""
    name, photo = next(iter(people.items()))
    keypoints = first_pose(studio)
    first = _drawn(studio.draw(photo, keypoints), "")
    examples = [{"name": n, "picture": _data_url(image)} for n, image in people.items()]
    with gr.Blocks(title=_TITLE, analytics_enabled=False) as blocks:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=2, min_width=260):
                person = _panel(
                    "person",
                    {"photo": _data_url(photo), "name": name},
                    examples=examples,
                    max_bytes=max_bytes,
                )
            with gr.Column(scale=3, min_width=300):
                editor = _panel(
                    "editor",
                    {"keypoints": keypoints.tolist(), "name": "Hands on hips"},
                    max_bytes=max_bytes,
                    **_pose_props(studio),
                )
            with gr.Column(scale=4, min_width=300, elem_classes="pg2-stage"):
                drawing = _panel("drawing", first, frame_ms=_FRAME_MS)
                sequences = [
                    name
                    for name in pose_library.NAMES
                    if name not in pose_library.SINGLE
                ]
                choice = gr.Dropdown(
                    [(sequence.capitalize(), sequence) for sequence in sequences],
                    label="Sequence of poses",
                )
                play = gr.Button("Play the sequence", variant="primary")
        _connect(studio, person, editor, drawing, choice, play)
    return blocks


def _connect(
    studio: Studio,
    person: gr.HTML,
    editor: gr.HTML,
    drawing: gr.HTML,
    choice: gr.Dropdown,
    play: gr.Button,
) -> None:
    """Says what calls what."""
    bind = functools.partial
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    # While a joint is dragged, the newest pose waits and the others are left out.
    latest = {"trigger_mode": "always_last", "concurrency_id": "draw", **quiet}
    for moved in (person.select, editor.input):
        moved(bind(_draw, studio), [person, editor], drawing, **latest)
    person.upload(bind(_fit_photo, studio), person, person, **quiet)
    editor.upload(bind(_read_pose, studio), editor, editor, **quiet)
    play.click(bind(_play, studio), [person, choice], drawing, **quiet)


def _panel(name: str, value: Value, **props: Any) -> gr.HTML:
    script = [_PAGE / "common.js", _PAGE / f"{name}.js"]
    return gr.HTML(
        value,
        html_template=(_PAGE / f"{name}.html").read_text(encoding="utf-8"),
        js_on_load="\n".join(path.read_text(encoding="utf-8") for path in script),
        apply_default_css=False,
        **props,
    )


def _pose_props(studio: Studio) -> dict[str, Any]:
    """What the editor knows of skeletons, from where the rest of the program does."""
    catalogue = pose_library.read("catalogue")
    fitted = studio.fit_poses(np.stack(list(catalogue.values())), alone=True)
    black = np.zeros((*studio.size, 3), np.uint8)
    scale = visualize.screen_scale(studio.size[0])
    return {
        "size": list(studio.size),
        "joints": list(pose.JOINTS),
        "mirrored": pose.MIRRORED.tolist(),
        "joint_colors": [
            _css(visualize.joint_color(joint)) for joint in range(len(pose.JOINTS))
        ],
        "limbs": [
            [int(a), int(b), _css(visualize.limb_color(a, b))] for a, b in pose.SKELETON
        ],
        "poses": [
            {
                "name": name.replace("_", " ").capitalize(),
                "keypoints": keypoints.tolist(),
                "picture": _data_url(
                    visualize.draw_skeleton(black, keypoints, scale=scale)
                ),
            }
            for name, keypoints in zip(catalogue, fitted, strict=True)
        ],
    }


def _css(color: tuple[int, int, int]) -> str:
    return f"rgb{color}"


def _data_url(image: np.ndarray) -> str:
    return _DATA_URL + api.png(image)


def _drawn(drawing: Drawing, note: str) -> Value:
    refined = None if drawing.refined is None else _data_url(drawing.refined)
    return {"coarse": _data_url(drawing.coarse), "refined": refined, "note": note}


def _draw(studio: Studio, person: Value, editor: Value) -> Value:
    """The drawing panel's value for a person and a pose."""
    begin = time.perf_counter()
    try:
        with studio.place():
            photo = _photo_of(studio, person)
            drawing = studio.draw(photo, _get(editor, "keypoints"))
    except (ValueError, Busy) as error:
        return {"error": True, "note": str(error)}
    return _drawn(drawing, f"Drawn in {time.perf_counter() - begin:.2f} seconds.")


def _play(studio: Studio, person: Value, sequence: str) -> Value:
    """The drawing panel's value for a person in each pose of a sequence."""
    try:
        poses = np.stack(list(pose_library.read(sequence).values()))
        poses = studio.fit_poses(poses)
        with studio.place():
            photo = _photo_of(studio, person)
            drawings = [studio.draw(photo, keypoints) for keypoints in poses]
    except (ValueError, Busy) as error:
        return {"error": True, "note": str(error)}
    return {
        "frames": [_drawn(drawing, "") for drawing in drawings],
        "animation": _gif(
            [d.coarse if d.refined is None else d.refined for d in drawings]
        ),
        "note": f"{sequence.capitalize()}: {len(drawings)} pictures.",
    }


def _gif(images: list[np.ndarray]) -> str:
    first, *others = [Image.fromarray(image) for image in images]
    buffer = io.BytesIO()
    first.save(
        buffer, "GIF", save_all=True, append_images=others, duration=_FRAME_MS, loop=0
    )
    return "data:image/gif;base64," + api.base64_of(buffer.getvalue())


def _fit_photo(studio: Studio, person: Value) -> Value:
    """The person panel's value with the photo that it holds as an upload."""
    kept = {"photo": _text(person, "photo"), "name": _text(person, "name")}
    try:
        name, content = _upload(person)
        with studio.place():
            photo, note = studio.fit_photo(content, name)
    except (ValueError, Busy) as error:
        return {**kept, "error": True, "note": str(error)}
    return {"photo": _data_url(photo), "name": name, "note": note}


def _read_pose(studio: Studio, editor: Value) -> Value:
    """The editor's value with the pose that it holds as an upload."""
    kept = check_keypoints(_get(editor, "keypoints")).tolist()
    try:
        name, content = _upload(editor)
        with studio.place():
            keypoints = studio.read_pose(content, name).tolist()
    except (ValueError, Busy) as error:
        return {"keypoints": kept, "error": True, "note": str(error)}
    return {"keypoints": keypoints, "note": f"{name} was read."}


def _photo_of(studio: Studio, person: Value) -> np.ndarray:
    """The photo in the person panel's value, which the browser has sent."""
    text = _text(person, "photo").removeprefix(_DATA_URL)
    return studio.fit_photo(api.from_base64(text, "photo"), "photo")[0]


def _upload(value: Value) -> tuple[str, bytes]:
    upload = _get(value, "upload")
    name = _text(upload, "name")
    return name, api.from_base64(_text(upload, "content"), name)


def _get(value: Any, key: str) -> Any:
    """What a browser should have sent; anything may come instead."""
    if not isinstance(value, dict) or key not in value:
        raise ValueError(f"The request lacks {key!r}.")
    return value[key]


def _text(value: Any, key: str) -> str:
    """Text and nothing else: a dictionary that looks like one of Gradio's files would
    make it copy that file when it is handed back."""
    text = _get(value, key)
    if not isinstance(text, str):
        raise ValueError(f"The request's {key!r} is no text.")
    return text
