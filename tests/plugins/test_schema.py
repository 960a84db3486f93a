import json
from pathlib import Path

import jsonschema
import pytest
import tomli
from toy_plugins import GOOD, REGISTRY, TOYS

from mmspec.plugins.describe import describe_plugin
from mmspec.plugins.registry import Registry, default_registry
from mmspec.plugins.resolve import resolve
from mmspec.plugins.schema import schema
from mmspec.spec.load import read_document

SPECS = Path(__file__).parents[2] / "specs"
SCHEMA = schema(REGISTRY)
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def errors(text):
    return [(list(e.path), e.message) for e in VALIDATOR.iter_errors(tomli.loads(text))]


def test_is_a_schema_that_survives_json():
    jsonschema.Draft7Validator.check_schema(SCHEMA)

    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_shipped_schema_is_what_the_command_writes():
    """`mmspec schema -o specs/mmspec.schema.json` where only mmspec's own plugins are installed."""
    assert json.loads((SPECS / "mmspec.schema.json").read_text()) == schema(default_registry())


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_specs_fit_the_schema_of_what_is_installed(path):
    validator = jsonschema.Draft7Validator(schema(default_registry()))

    assert list(validator.iter_errors(tomli.loads(path.read_text(encoding="utf-8")))) == []


def test_good_specs_fit():
    rich = """
    [schedule]
    use = "plateau"
    [[track]]
    use = "wandb"
    [evaluate]
    metrics = ["accuracy", { use = "top_k", k = 2 }]
    [sweep]
    "optimizer.lr" = [0.1, 0.2]
    balancing.alpha = [0.1]
    [[variants]]
    name = "alone"
    drop = ["fusion"]
    balancing = "none"
    [[stages]]
    name = "second"
    init_from = "first"
    train.epochs = 2
    """

    assert errors(GOOD) == []
    assert errors(GOOD + rich) == []
    assert (
        errors('extends = "_base.toml"\nname = "part"\n[train]\nbatch_size = 4\n[balancing]\nalpha = 1\n')
        == []
    )
    assert errors("mmspec = 1\n[train]\nbatch_size = 4\n") == []  # a part, to be extended


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("alpha = 0.1", "alhpa = 0.1", ["balancing"], "'alhpa' was unexpected"),
        ("alpha = 0.1", 'alpha = "0.1"', ["balancing", "alpha"], "is not of type 'number'"),
        ('"guided"', '"guidde"', ["balancing", "use"], "is not one of ['guided', 'none', 'picky']"),
        ("epochs = 3", "epochs = 2.5", ["train", "epochs"], "is not of type 'integer'"),
        ("epochs = 3", "batch_size = 3", ["train"], "'epochs' is a required property"),
        ("lr = 0.1\n", "", ["optimizer"], "'lr' is a required property"),
        ('use = "digits"', 'root = "x"', ["dataset"], "'use' is a required property"),
        ('backbone = "cnn"', 'backbone = "cmn"', ["modalities", "grey", "backbone"], "is not one of ['cnn']"),
        (
            "channels = [8, 8]",
            'channels = ["8"]',
            ["modalities", "color", "backbone", "channels", 0],
            "'integer'",
        ),
        ('at = ["conv2", "conv4"]\n', "", ["fusion"], "'at' is a required property"),
        ("lr_scale = 0.5", "lrscale = 0.5", ["optimizer", "groups", 0], "'lrscale' was unexpected"),
        ('match = "branches.grey.*", ', "", ["optimizer", "groups", 0], "'match' is a required property"),
        ("seeds = [0, 1]", 'seeds = "all"', ["seeds"], "is not of type 'array'"),
        ("seeds = [0, 1]", "sedes = [0]", [], "'sedes' was unexpected"),
        ("mmspec = 1", "mmspec = 2", ["mmspec"], "1 was expected"),
        (
            '[select]\nmetric = "val/accuracy"',
            '[select]\nmode = "mix"',
            ["select", "mode"],
            "'mix' is not one of",
        ),
    ],
)
def test_broken_specs_do_not_fit(old, new, path, message):
    assert old in GOOD
    found = errors(GOOD.replace(old, new))

    assert any(at == path and message in text for at, text in found), found


def test_tells_meaning_and_default_of_options():
    balancing = SCHEMA["properties"]["balancing"]["else"]
    (guided,) = [
        case["then"] for case in balancing["allOf"] if case["if"]["properties"]["use"]["const"] == "guided"
    ]

    assert guided["properties"]["alpha"] == {"type": "number", "description": "tolerance", "default": 0.01}
    assert SCHEMA["properties"]["train"]["properties"]["batch_size"]["default"] == 32


def test_a_plugin_that_cannot_be_loaded_keeps_its_name():
    registry = REGISTRY.with_plugins({("fusion", "broken"): str})

    fusion = schema(registry)["properties"]["fusion"]

    assert "broken" in fusion["then"]["enum"]
    assert len(fusion["else"]["allOf"]) == 2


def test_an_empty_registry_has_a_schema_too():
    jsonschema.Draft7Validator.check_schema(schema(Registry({})))


# ---------------------------------------------------------------- describing one plugin


def test_describes_a_plugin():
    found = describe_plugin(REGISTRY, "optimizer", "sgd")

    assert found.summary == "Toy optimizer."
    assert [(o.name, o.type, o.required, o.default) for o in found.options] == [
        ("lr", "a number", True, None),
        ("momentum", "a number", False, 0.0),
        ("nesterov", "true or false", False, False),
    ]
    assert found.options[0].help == "learning rate"
    assert found.origin.target == "toy_plugins:Sgd"
    assert found.snippet == (
        "[optimizer]\n"
        'use = "sgd"\n'
        "lr = 1.0  # learning rate (required)\n"
        "momentum = 0.0  # momentum\n"
        "nesterov = false  # look ahead\n"
    )


@pytest.mark.parametrize(("kind", "name"), sorted(key for key in TOYS if key[0] != "analysis"))
def test_snippets_can_be_pasted_into_a_spec(kind, name, tmp_path):
    snippet = describe_plugin(REGISTRY, kind, name).snippet.replace("NAME", "grey").replace("STAGE", "conv2")
    slots = {"tracker": "track", "launcher": "launch", "backbone": "modalities", "metric": "evaluate"}
    table = slots.get(kind, kind)
    rest = tomli.loads(GOOD)
    rest.pop(table, None)
    (tmp_path / "_base.toml").write_text(GOOD)
    path = tmp_path / "spec.toml"
    path.write_text(f'extends = "_base.toml"\n{snippet}')
    if (kind, name) in {
        ("dataset", "subjects"),
        ("fusion", "plain"),
    }:  # do not fit the rest
        assert tomli.loads(path.read_text())[table]["use"] == name
        return

    assert len(resolve(read_document(path), REGISTRY)) == 2


def test_the_snippet_of_an_analysis_is_a_stage_of_its_own(tmp_path):
    snippet = describe_plugin(REGISTRY, "analysis", "compare").snippet
    assert snippet.startswith(
        '[[stages]]\nname = "compare"\nreads = { features = "STAGE", model = "STAGE" }\n[stages.analysis]\n'
    )
    path = tmp_path / "spec.toml"
    path.write_text(
        GOOD + '[[stages]]\nname = "f"\nextract = { modality = "grey" }\n' + snippet.replace("STAGE", "f")
    )
    assert len(resolve(read_document(path), REGISTRY)) == 2


@pytest.mark.parametrize(("kind", "name"), sorted(default_registry().records))
def test_snippets_of_what_is_installed_are_toml(kind, name):
    assert name in describe_plugin(default_registry(), kind, name).snippet
    tomli.loads(describe_plugin(default_registry(), kind, name).snippet)
