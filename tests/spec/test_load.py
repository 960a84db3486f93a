import pytest

from mmspec.errors import SpecError
from mmspec.spec.load import read_document


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(**texts):
        for name, text in texts.items():
            path = tmp_path / (name.replace("__", "/") + ".toml")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    return write


def tree(*overrides, path="spec.toml"):
    return read_document(path, overrides).tree


def said(*overrides):
    with pytest.raises(SpecError) as caught:
        read_document("spec.toml", overrides)
    return str(caught.value)


def test_later_files_win_and_tables_merge(files):
    files(
        a="x = 1\n[t]\na = 1\nlist = [1, 2]\n",
        b="x = 2\n[t]\nb = 2\nlist = [3]\n",
        spec='extends = ["a.toml", "b.toml"]\n[t]\nc = 3\n',
    )

    assert tree() == {"x": 2, "t": {"a": 1, "list": [3], "b": 2, "c": 3}}


def test_extends_is_relative_to_the_file_and_a_diamond_is_read_once(files):
    files(
        inner__base="x = 1\n",
        inner__left='extends = "base.toml"\nl = 1\n',
        inner__right='extends = "../inner/base.toml"\nr = 1\n',
        spec='extends = ["inner/left.toml", "inner/right.toml"]\n',
    )

    assert tree() == {"x": 1, "l": 1, "r": 1}
    assert [s.file for s in read_document("spec.toml").sources] == [
        "spec.toml", "inner/left.toml", "inner/base.toml", "inner/right.toml"
    ]  # fmt: skip


def test_many_diamonds_are_no_more_work_than_files(files):
    for level in range(40):
        files(**{f"l{level}": f'extends = ["l{level + 1}.toml", "l{level + 1}.toml"]\n'})
    files(l40="x = 1\n", spec='extends = "l0.toml"\n')

    assert tree() == {"x": 1}


def test_a_file_that_extends_itself(files):
    files(spec='extends = "spec.toml"\n')

    assert "spec.toml:1:11: extends goes in a circle" in said()


def test_a_table_of_another_plugin_is_replaced_as_a_whole(files):
    files(
        base='[balancing]\nuse = "guided"\nalpha = 1\n[fusion]\nuse = "mmtm"\nratio = 4\n',
        spec='extends = "base.toml"\n[balancing]\nuse = "random"\n[fusion]\nuse = "mmtm"\nat = ["x"]\n',
    )

    assert tree() == {"balancing": {"use": "random"}, "fusion": {"use": "mmtm", "ratio": 4, "at": ["x"]}}


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ('balancing = "guided"', "balancing.alpha = 1", {"use": "guided", "alpha": 1}),
        ('balancing = { use = "guided", alpha = 1 }', 'balancing = "guided"', {"use": "guided", "alpha": 1}),
        ('balancing = { use = "guided", alpha = 1 }', 'balancing = "none"', "none"),
        ('balancing = "guided"', 'balancing = "none"', "none"),
    ],
)
def test_a_string_is_short_for_a_table(files, base, over, expected):
    files(base=base, spec=f'extends = "base.toml"\n{over}\n')

    assert tree() == {"balancing": expected}


def test_places_of_what_was_merged(files):
    files(base="[train]\nepochs = 1\n", spec='extends = "base.toml"\n\n[train]\nbatch_size = 2\n')
    document = read_document("spec.toml", ["train.threads=1"])

    assert str(document.where("train", "epochs")) == "base.toml:2:10"
    assert str(document.where("train", "epochs", key=True)) == "base.toml:2:1"
    assert str(document.where("train", "threads")) == "--set:1:15"
    assert str(document.where("train", "nothing")) == "spec.toml:3:2"
    assert document.where("train", "batch_size").text == "batch_size = 2"


def test_environment(files, monkeypatch):
    monkeypatch.setenv("TOY_ROOT", "/data")
    monkeypatch.setenv("TOY_EMPTY", "")
    monkeypatch.delenv("TOY_NONE", raising=False)
    files(
        spec=r"""
        a = "${TOY_ROOT}/x"
        b = "${TOY_NONE:-default: $x}"
        c = ["${TOY_EMPTY:-no}", "$${TOY_ROOT}", "5 $", { d = "${TOY_NONE:-}" }]
        '${TOY_ROOT}' = '$HOME'
        """
    )

    assert tree("e=${TOY_ROOT}") == {
        "a": "/data/x",
        "b": "default: $x",
        "c": ["", "${TOY_ROOT}", "5 $", {"d": ""}],
        "${TOY_ROOT}": "$HOME",
        "e": "/data",
    }


def test_what_is_overridden_needs_no_variable(files, monkeypatch):
    monkeypatch.delenv("TOY_NONE", raising=False)
    files(base='root = "${TOY_NONE}"\n', spec='extends = "base.toml"\nroot = "here"\n')

    assert tree() == {"root": "here"}


def test_extends_may_name_a_variable(files, monkeypatch):
    monkeypatch.setenv("TOY_BASE", "base")
    files(base="x = 1\n", spec='extends = "${TOY_BASE}.toml"\n')

    assert tree() == {"x": 1}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("a=1", {"a": 1}),
        ("a = 1.5", {"a": 1.5}),
        ("a=true", {"a": True}),
        ('a="x y"', {"a": "x y"}),
        ("a=x y", {"a": "x y"}),
        ("a=/data/x.toml", {"a": "/data/x.toml"}),
        ("a=val/accuracy", {"a": "val/accuracy"}),
        ("a=2024-05-01x", {"a": "2024-05-01x"}),
        ("a=1e-3", {"a": 1e-3}),
        ("a=b=c", {"a": "b=c"}),
        ("a=[1, {b = 2}]", {"a": [1, {"b": 2}]}),
        ('a."b.c".d=1', {"a": {"b.c": {"d": 1}}}),
        ('"a=b".c=x=y', {"a=b": {"c": "x=y"}}),
        ("a={b = 1}", {"a": {"b": 1}}),
        ("a=${HOME:-x}#y", None),
    ],
)
def test_overrides(files, override, expected, monkeypatch):
    monkeypatch.setenv("HOME", "/me")
    files(spec="")

    assert tree(override) == (expected or {"a": "/me#y"})


@pytest.mark.parametrize(
    "override", ["a=1\nb=2", "a=1\n[b]", "a=x\ny", "a\n=1", "a=\x1b[0m", "=", "", "a..b=1", "a=[1"]
)
def test_overrides_that_are_none(files, override):
    files(spec="")

    assert said(override).startswith("--set:1:")


def test_later_overrides_win(files):
    files(spec="")

    assert tree("a.b=1", "a.c=2", "a.b=3") == {"a": {"b": 3, "c": 2}}


def test_text_as_other_systems_write_it(files, tmp_path):
    (tmp_path / "spec.toml").write_bytes(b'\xef\xbb\xbfa = 1\r\n[t]\r\n\tb = "x"\r\n')
    document = read_document("spec.toml")

    assert document.tree == {"a": 1, "t": {"b": "x"}}
    assert str(document.where("t", "b")) == "spec.toml:3:6"
    assert document.where("t", "b").text == ' b = "x"'


def test_bytes_that_are_no_text(files, tmp_path):
    (tmp_path / "spec.toml").write_bytes(b'a = 1\nb = "\xe9t\xe9"\n')

    assert said() == (
        "spec.toml:2:6: byte 0xe9 is not UTF-8\n"
        '  2 | b = "\N{REPLACEMENT CHARACTER}\n    |      ^\n  hint: save the file as UTF-8'
    )


def test_all_mistakes_of_reading_at_once(files):
    files(base="x = \n", spec='extends = ["base.toml", "missing.toml"]\nroot = "${TOY_NOWHERE}"\n')

    assert [line.split(": ")[0] for line in said("a=[").splitlines() if line[0] != " "] == [
        "--set:1:3", "base.toml:1:5", "spec.toml:1:25", "spec.toml:2:8"
    ]  # fmt: skip
