"""The command line itself: help, unknown words, exit codes, what is imported, how errors look."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mmspec.cli import HIDDEN, SECTIONS, cli
from mmspec.cli.terminal import show_error
from mmspec.errors import Location, Problem, RunError, SpecError

COMMANDS = [name for section in SECTIONS.values() for name in section] + list(HIDDEN)
SUBCOMMANDS = [
    *([name] for name in COMMANDS),
    *(["runs", name] for name in ("list", "show", "remove")),
    *(["plugins", name] for name in ("list", "show")),
    *(["data", name] for name in ("check", "sample", "pack")),
]


def invoke(*arguments: str, **options: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, arguments, **options)  # type: ignore[arg-type]
    return result.exit_code, result.output


def modules_after(*arguments: str, cwd: Path) -> set[str]:
    """Which heavy packages a real process has imported at the end of a command."""
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('\\n' + ' '.join(sys.modules)))\n"
        "from mmspec.cli import main\n"
        f"sys.argv = ['mmspec', *{list(arguments)!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_help_shows_every_command_and_an_example() -> None:
    code, output = invoke("--help")
    assert code == 0
    assert all(f"  {name} " in output for name in COMMANDS if name not in HIDDEN)
    assert "execute" not in output
    assert "Example:\n  mmspec check" in output


@pytest.mark.parametrize("words", SUBCOMMANDS, ids=" ".join)
def test_every_help_shows_an_example_that_parses(words: list[str]) -> None:
    code, output = invoke(*words, "--help")
    assert code == 0
    example = output.split("Example:\n")[1].strip().splitlines()
    assert example
    for line in (line.strip() for line in example if line.startswith("  mmspec")):
        arguments = shlex.split(line.split(">")[0])[1:]
        name, *rest = arguments
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, rest, resilient_parsing=False)


def test_help_texts_of_commands_say_the_same_as_their_modules() -> None:
    for section in SECTIONS.values():
        for name in section:
            command = cli.get_command(click.Context(cli), name)
            assert command is not None
            assert command.help


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "Did you mean 'run'?"),
        (["specs/digits.toml"], "mmspec run specs/digits.toml"),
        (["runs", "lst"], "Did you mean 'list'?"),
        (["run", "--job", "2", "x.toml"], "Did you mean '--jobs'?"),
        (["run"], "Missing argument 'SPEC'"),
        (["run", "x.toml", "-j", "0"], "not in the range"),
        (["check", "nowhere.toml"], "nowhere.toml"),
        (["execute", "nowhere"], "not a run directory"),
        (["runs", "show", "nothing"], "there is no run 'nothing'"),
        (["runs", "remove", "nothing"], "no run in runs matches nothing"),
    ],
)
def test_mistakes_exit_with_2_and_say_what_to_do(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = invoke(*arguments)
    assert code == 2
    assert said in output
    assert "Traceback" not in output


def test_heavy_packages_are_not_imported(tmp_path: Path) -> None:
    light = modules_after("--help", cwd=tmp_path)
    assert not light & {"torch", "wandb", "numpy", "entrypoints", "rich", "attrs", "attr", "tomli"}
    for arguments in (["plugins", "list"], ["schema"], ["completion", "bash"], ["runs", "list"]):
        loaded = modules_after(*arguments, cwd=tmp_path)
        assert not loaded & {"torch", "wandb", "torchvision"}, arguments


def test_check_without_the_meta_pass_is_light(spec: Path) -> None:
    assert not modules_after("check", str(spec), "--no-meta", cwd=spec.parent) & {"torch", "wandb"}


def test_problems_of_one_file_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    where = Location("spec.toml", 3, 5, 4, "lr = true")
    assert show_error(SpecError([Problem("must be a number", where, "write 0.1"), Problem("no", where)])) == 2
    said = capsys.readouterr().err
    assert said == (
        "error: spec.toml:3:5: must be a number\n"
        "  3 | lr = true\n"
        "    |     ^^^^\n"
        "  hint: write 0.1\n"
        "error: spec.toml:3:5: no\n"
        "  3 | lr = true\n"
        "    |     ^^^^\n"
        "2 mistakes in spec.toml\n"
    )
    assert show_error(RunError("it failed")) == 1


def test_an_own_error_is_short_and_keeps_its_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("MMSPEC_DEBUG", raising=False)
    with pytest.raises(KeyError) as caught:
        raise KeyError("lost")
    assert show_error(caught.value) == 1
    said = capsys.readouterr().err
    assert "internal error: KeyError: 'lost'" in said
    assert "Traceback" not in said
    [kept] = tmp_path.iterdir()
    assert str(kept) in said
    assert "Traceback" in kept.read_text()


def test_a_warning_is_one_line_without_a_place_in_the_code(tmp_path: Path) -> None:
    script = (
        "import warnings, click\n"
        "from mmspec.cli import main\n"
        "def work(*_, **__): warnings.warn('frames are repeated'); warnings.warn('old', FutureWarning)\n"
        "click.Group.main = work\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr.startswith("warning: frames are repeated\n")
    assert "FutureWarning: old" in done.stderr  # not meant for users: Python's own form


def test_mmspec_debug_prints_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMSPEC_DEBUG", "1")
    assert show_error(KeyError("lost")) == 1
    assert "KeyError: 'lost'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code"), [(KeyboardInterrupt(), 130), (click.Abort(), 130), (BrokenPipeError(), 0)]
)
def test_exceptions_become_exit_codes(
    raised: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("mmspec.cli.runs.find_runs", fail)
    if not isinstance(raised, BrokenPipeError):
        assert invoke("runs", "list")[0] == code
        return
    done = subprocess.run(
        f"{sys.executable} -m mmspec schema | head -c 10", shell=True, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr == b""


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals_and_never_under_no_color(
    environment: dict[str, str], coloured: bool, tmp_path: Path
) -> None:
    assert "\x1b[" not in invoke("check", "nowhere.toml")[1]
    assert ("\x1b[" in _in_terminal(["check", "nowhere.toml"], environment, tmp_path)) == coloured


def _in_terminal(arguments: list[str], environment: dict[str, str], cwd: Path) -> str:
    """What a command prints on a pseudo-terminal."""
    import pty

    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        base = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
        os.execve(
            sys.executable,
            [sys.executable, "-m", "mmspec", *arguments],
            {**base, "TERM": "xterm", **environment},
        )
    said = b""
    try:
        while chunk := os.read(descriptor, 4096):
            said += chunk
    except OSError:
        pass
    finally:
        os.close(descriptor)
        os.waitpid(pid, 0)
    return said.decode()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    code, output = invoke("completion", shell)
    assert code == 0
    assert "_MMSPEC_COMPLETE" in output


def complete(line: str, cwd: Path) -> list[str]:
    """What a bash user is offered for the last word of `line`."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_MMSPEC_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from mmspec.cli import main; main()"],
        env=environment,
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )
    return [offer.split(",", 1)[1] for offer in done.stdout.splitlines()]


def test_completion_offers_commands_specs_and_plugins(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "a.toml").touch()
    (tmp_path / "specs" / "b.txt").touch()
    assert {"run", "runs"} <= set(complete("mmspec ru", tmp_path))
    assert complete("mmspec run spe", tmp_path) == ["specs/"]
    assert complete("mmspec run specs/", tmp_path) == ["specs/a.toml"]
    assert complete("mmspec plugins show balancing gui", tmp_path) == ["guided"]
