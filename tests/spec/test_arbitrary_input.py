"""Whatever is written in a spec or an override, the answer is a plan or a problem, never a traceback."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toml_writer import documents, keys, scalars, write
from toy_plugins import GOOD, REGISTRY, STAGES

from mmspec.errors import PluginError, SpecError
from mmspec.plugins.resolve import resolve
from mmspec.spec.load import read_document


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return tmp_path_factory.mktemp("specs") / "spec.toml"


def checked(spec, overrides=()):
    """The plans, or None; the problems must be fit to print."""
    try:
        return resolve(read_document(spec, overrides), REGISTRY)
    except (SpecError, PluginError) as error:
        problem = error
    assert problem.problems
    assert all(line.isprintable() for line in str(problem).split("\n"))
    return None


@given(st.binary(max_size=300))
def test_arbitrary_bytes(spec, data):
    spec.write_bytes(data)

    checked(spec)


@given(st.data())
def test_a_good_spec_with_a_piece_of_it_replaced(spec, data):
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 30)))
    piece = data.draw(
        st.one_of(st.text(max_size=8), st.sampled_from(['"', "[", "]", "{", "}", "=", "\n", "1", "true"]))
    )
    text = GOOD[:start] + piece + GOOD[end:]
    spec.write_bytes(text.encode("utf-8", "surrogatepass"))

    checked(spec)


@given(st.data())
def test_stages_with_a_piece_of_them_replaced(spec, data):
    start = data.draw(st.integers(0, len(STAGES)))
    end = data.draw(st.integers(start, min(len(STAGES), start + 30)))
    pieces = st.sampled_from(
        ["1", "[]", "{}", '"model"', "true", 'extract = "input"', 'reads.x = "features"']
    )
    text = GOOD + STAGES[:start] + data.draw(st.one_of(st.text(max_size=4), pieces)) + STAGES[end:]
    spec.write_bytes(text.encode("utf-8", "surrogatepass"))

    checked(spec)


@given(documents())
def test_arbitrary_trees(spec, text):
    spec.write_text(text, encoding="utf-8", newline="")

    checked(spec)


KNOWN = sorted(set(re.findall(r"^\[?(\w+)", GOOD, re.MULTILINE)) | {
    "split", "objective", "schedule", "evaluate", "track", "launch", "variants", "sweep", "stages",
    "init_from", "metrics", "splits", "drop", "stop", "description", "extends", "extract", "analysis",
    "reads", "assemble", "freeze", "layer", "modality", "stage", "shuffle", "features", "model",
})  # fmt: skip
known_trees = st.recursive(
    st.one_of(
        scalars, st.sampled_from(["cnn", "gated", "guided", "sgd", "conv2", "val/accuracy", "train", "test"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KNOWN), keys), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(st.data())
def test_trees_of_known_keys_laid_over_a_good_spec(spec, data):
    tree = data.draw(
        st.dictionaries(st.sampled_from([k for k in KNOWN if k != "extends"]), known_trees, max_size=4)
    )
    (spec.parent / "_good.toml").write_text(GOOD, encoding="utf-8")
    text = write({"extends": "_good.toml", **tree}, data.draw)
    spec.write_text(text, encoding="utf-8", newline="")

    checked(spec)


@given(st.data())
def test_stages_of_known_keys(spec, data):
    stage = st.dictionaries(st.sampled_from(KNOWN), known_trees, max_size=4)
    stages = [
        {**one, "name": name}
        for one, name in zip(data.draw(st.lists(stage, max_size=3)), "abc", strict=False)
    ]
    (spec.parent / "_good.toml").write_text(GOOD, encoding="utf-8")
    text = write({"extends": "_good.toml", "stages": stages}, data.draw)
    spec.write_text(text, encoding="utf-8", newline="")

    checked(spec)


words = st.sampled_from(["train.epochs", "seeds", "name", "fusion.at", "sweep", "track", "use", *KNOWN])
overrides = st.one_of(
    st.text(max_size=30),
    st.builds("{}={}".format, words, st.text(max_size=12)),
    st.builds("{}.{}={}".format, words, words, st.integers()),
)


@given(st.lists(overrides, max_size=3), st.sampled_from(["", STAGES]))
def test_arbitrary_overrides(spec, overrides, stages):
    spec.write_text(GOOD + stages, encoding="utf-8")

    checked(spec, overrides)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_arbitrary_environment_references(spec, text):
    escaped = "".join(f"\\U{ord(c):08x}" for c in text)
    spec.write_text(
        GOOD + f'\n[track]\nuse = "wandb"\nproject = "${{{escaped}}} ${escaped}"\n', encoding="utf-8"
    )

    checked(spec)


@pytest.mark.parametrize(
    "text",
    [
        "a=" + "[" * 100_000,
        "a=" + "{a=" * 5_000,
        ".".join("a" * 50_000) + "=1",
        "[" + ".".join("a" * 5_000) + "]",
        "a=" + "[" * 300 + "]" * 300,
        "a=0x" + "f" * 9_000,
        "a=" + "9" * 9_000,
        "x='" + "x" * 1_100_000 + "'",
        "mmspec=1\nname='a'\n[sweep]\n" + "\n".join(f"'train.x{i}'=[1,2]" for i in range(500)),
        "mmspec=1\nname='a'\nseeds=[" + ",".join(map(str, range(20_000))) + "]",
    ],
    ids=range(10),
)
def test_sizes_that_no_spec_has(spec, text):
    spec.write_text(text, encoding="utf-8")

    assert checked(spec) is None


def test_not_a_file(tmp_path):
    for path in (tmp_path, tmp_path / "missing.toml", tmp_path / ("x" * 300), "/dev/zero", "a\0b"):
        assert checked(path) is None


def test_an_unreadable_file_is_a_problem(tmp_path, monkeypatch):
    spec = tmp_path / "spec.toml"
    spec.write_text(GOOD)

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(SpecError, match="cannot be read: Permission denied"):
        read_document(spec)
