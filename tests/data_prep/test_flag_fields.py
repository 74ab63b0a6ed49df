"""A dataclass field is a flag: parsed, checked, explained by the string below it."""

import dataclasses
import re
import signal
from collections.abc import Sequence

import pytest
from absl import flags

import data_prep
from data_prep import command_line, flag_fields
from data_prep.flag_fields import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Base:
    size: int = option(3, minimum=1, maximum=9)
    """How large, in
    pixels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(Base):
    form: str = option("png", ("png", "gif"))
    """Of the file."""
    speed: float = option(8.0, above=0, below=100, group="Film", needs=("form=gif",))
    """Frames a second."""
    folders: Sequence[str] = option((), path=True, not_with=("again",))
    """Where to look."""
    again: bool = option(False)
    """Once more."""
    most: int | None = option(None, minimum=1)
    """At most so many."""
    output: str = option("", path=True, required=True, addresses=("hf://",))
    """What to write."""


def read(*words, aliases=None):
    parsed = flag_fields.parse(Options, words, aliases)
    return Options(**parsed.values), parsed


def test_flags_become_fields(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    options, parsed = read("--size=4", "IN", "--again", "--folders=~/a,b", "--output=~")
    assert options == Options(
        size=4, again=True, folders=("/home/me/a", "b"), output="/home/me"
    )
    assert parsed.given == {"size", "again", "folders", "output"}
    assert parsed.rest == ["IN"]
    assert read()[0] == Options()


def test_flagfiles_and_former_names_are_read(tmp_path):
    path = tmp_path / "some.flags"
    path.write_text("# A comment.\n--height=7\n--noagain\n")
    options, parsed = read(f"--flagfile={path}", aliases={"height": "size"})
    assert options.size == 7 and parsed.given == {"size", "again"}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--sise=3", "Unknown command line flag 'sise'. Did you mean: size ?"),
        ("--size=x", "flag --size=x: must be a whole number"),
        ("--speed=x", "flag --speed=x: must be a number"),
        ("--again=maybe", "flag --again=maybe: must be true or false"),
        ("--form=jpg", "flag --form=jpg: value should be one of <png|gif>"),
    ],
)
def test_mistakes_of_the_command_line_are_in_plain_words(word, message):
    with pytest.raises(flags.Error) as error:
        read(word)
    assert flag_fields.message(error.value) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 0}, "--size=0 must be at least 1."),
        ({"size": 10}, "--size=10 must be at most 9."),
        ({"speed": 0.0}, "--speed=0.0 must be above 0."),
        ({"speed": 100.0}, "--speed=100.0 must be below 100."),
        ({"form": "jpg"}, "--form=jpg must be one of png, gif."),
        ({"most": 0}, "--most=0 must be at least 1."),
        ({"output": ""}, "--output is required."),
    ],
)
def test_each_field_is_checked(changes, message):
    flag_fields.check(Options(output="a"))
    with pytest.raises(ValueError) as error:
        flag_fields.check(dataclasses.replace(Options(output="a"), **changes))
    assert str(error.value) == message


@pytest.mark.parametrize("path", ["gs://b", "s3://b/x", "https://h/x.png", "a+b://x"])
def test_an_address_is_no_path(path):
    message = f"^--folders={re.escape(path)} is an address; it must be on a disk of"
    with pytest.raises(ValueError, match=message):
        flag_fields.check(Options(output="x", folders=("a", path)))


@pytest.mark.parametrize("path", ["hf://me/x", "/a://b", "a:b", "c:/x"])
def test_other_paths_are_paths(path):
    options = Options(output=path)
    flag_fields.check(options)
    assert options.output == path


def test_fields_are_checked_together():
    flag_fields.check_together(Options(form="gif", speed=3.0, folders=["a"]))
    with pytest.raises(ValueError, match=r"^--speed=3.0 needs --form=gif\.$"):
        flag_fields.check_together(Options(speed=3.0))
    with pytest.raises(ValueError, match="has no meaning with --again"):
        flag_fields.check_together(Options(folders=["a"], again=True))


def test_help_has_groups_defaults_and_rules():
    shown = flag_fields.help_text(Options)
    assert shown.startswith(
        "Flags:\n"
        "  --size=3\n"
        "      How large, in pixels.\n"
        "  --form=png (png|gif)\n"
        "      Of the file.\n"
        "  --folders=\n"
        "      Where to look.\n"
        "  --again=false\n"
    )
    assert shown.endswith(
        "  --output= (required)\n"
        "      What to write.\n"
        "\n"
        "Film:\n"
        "  --speed=8.0 (needs --form=gif)\n"
        "      Frames a second."
    )
    assert flag_fields.help_text(Options, ["most"]) == (
        "Flags:\n  --most=\n      At most so many."
    )


def test_help_is_asked_for_by_a_word_of_its_own():
    assert flag_fields.asks_for_help(["--mode=train", "--help"])
    assert not flag_fields.asks_for_help(["--mode=help"])
    assert flag_fields.without_help(["--help", "--size=3"]) == ["--size=3"]


@pytest.mark.parametrize(("package", "known"), [("tensorflow", True), ("h5py", False)])
def test_a_program_names_the_package_that_it_needs(capsys, monkeypatch, package, known):
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def program(_):
        raise ModuleNotFoundError(f"No module named {package!r}", name=f"{package}.io")

    words = ["--output=x"]
    if not known:
        with pytest.raises(ModuleNotFoundError):
            command_line.run(words, Options, program, "")
        return
    assert command_line.run(words, Options, program, "") == 1
    error = f"error: this needs the package {package}: {data_prep.INSTALL}\n"
    assert capsys.readouterr().err == error
