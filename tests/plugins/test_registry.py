import subprocess
import sys

import attrs
import pytest
from toy_plugins import REGISTRY, Gated, Plain

from mmspec.errors import PluginError
from mmspec.plugins.api import Fusion, option
from mmspec.plugins.discovery import Discovery, Offer
from mmspec.plugins.registry import (
    PluginWarning,
    Registry,
    default_registry,
    make_registry,
)


def offers(*triples):
    """A registry of offers (name, target, distribution) of fusions."""
    return make_registry(Discovery(tuple(Offer("fusion", n, t, d, "1.0") for n, t, d in triples), ()))


def said(call, *args):
    with pytest.raises(PluginError) as caught:
        call(*args)
    return str(caught.value)


def test_finds_by_name_and_by_distribution():
    registry = offers(("film", "a:Film", "one"))

    assert registry.find("fusion", "film").distribution == "one"
    assert registry.find("fusion", "one:film").target == "a:Film"
    assert registry.names("fusion") == ("film",)
    assert registry.names("dataset") == ()


def test_an_unknown_name_gets_its_neighbour_and_the_list():
    registry = offers(("film", "a:Film", "one"), ("mmtm", "a:Mmtm", "one"))

    assert said(registry.find, "fusion", "flim") == (
        'there is no fusion "flim"\n  hint: did you mean "film"? installed: film, mmtm'
    )
    assert said(registry.find, "balancing", "film") == (
        'there is no balancing strategy "film"\n  hint: film is a fusion; installed as balancing: none'
    )


def test_two_offers_are_an_error_only_when_used():
    registry = offers(("film", "toy_plugins:Gated", "one"), ("film", "toy_plugins:Plain", "Two_X"))

    assert registry.names("fusion") == ("Two_X:film", "one:film")
    assert said(registry.find, "fusion", "film") == (
        'the fusion "film" is offered by one and Two_X\n'
        '  hint: choose one: use = "one:film" or use = "Two_X:film"'
    )
    assert registry.find("fusion", "one:film").load() is Gated
    assert registry.find("fusion", "two-x:film").load() is Plain


def test_a_broken_plugin_is_found_and_fails_only_when_loaded(tmp_path, monkeypatch):
    (tmp_path / "breaks_on_import.py").write_text("raise RuntimeError('no luck')")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = offers(("film", "breaks_on_import:Film", "one"), ("mmtm", "toy_plugins:Nowhere", "one"))

    assert said(registry.find("fusion", "film").load) == (
        "the fusion film of one cannot be imported: RuntimeError: no luck\n"
        "  hint: breaks_on_import:Film in one 1.0: install a version that fits, or uninstall it"
    )
    assert "the fusion mmtm of one cannot be imported: AttributeError: module" in said(
        registry.find("fusion", "mmtm").load
    )


@pytest.mark.parametrize("target", ["toy_plugins:GOOD", "toy_plugins:Sgd", "toy_plugins"])
def test_what_is_no_plugin_of_its_kind_is_refused(target):
    registry = offers(("film", target, "one"))

    assert said(registry.find("fusion", "film").load).startswith(
        "the fusion film of one is no subclass of mmspec.plugins.api.Fusion"
    )


def test_a_kind_that_is_none_is_a_problem_of_its_distribution():
    registry = make_registry(Discovery((Offer("fusoin", "film", "a:b", "one", "1"),), ()))

    assert registry.records == {}
    assert str(registry.problems[0]).startswith("one: film is offered as fusoin: no kind of plugin")


def test_options_may_not_be_called_like_keys_of_the_spec():
    @attrs.frozen(kw_only=True)
    class Clash(Gated):
        at: str = option("a place", default="")

    registry = Registry({}).with_plugins({("fusion", "clash"): Clash})

    assert "has an option called at, which is a key of the spec itself" in said(
        registry.find("fusion", "clash").load
    )


def test_annotations_that_cannot_be_resolved_are_told():
    @attrs.frozen(kw_only=True)
    class Puzzling(Gated):
        ratio: "Nowhere" = option("?", default=1)  # noqa: F821

    registry = Registry({}).with_plugins({("fusion", "puzzling"): Puzzling})

    assert "has annotations that cannot be resolved: name 'Nowhere' is not defined" in said(
        registry.find("fusion", "puzzling").load
    )


def test_classes_of_your_own_win_and_leave_the_registry_as_it_was():
    registry = offers(("film", "a:Film", "one"))
    more = registry.with_plugins({("fusion", "film"): Gated})

    assert more.find("fusion", "film").load() is Gated
    assert registry.find("fusion", "film").distribution == "one"
    assert said(registry.with_plugins, {("fusoin", "film"): Gated}).startswith(
        'there is no kind of plugin "fusoin"'
    )


def test_the_origin_of_your_own_class_holds_its_source():
    origin = REGISTRY.find("fusion", "gated").origin

    assert (origin.target, origin.distribution) == ("toy_plugins:Gated", "")
    assert origin.source_hash
    assert origin.source_hash != REGISTRY.find("fusion", "plain").origin.source_hash


def test_what_is_installed_here_is_found_with_the_hash_of_its_source():
    record = default_registry().find("fusion", "mmtm")

    assert issubclass(record.load(), Fusion)
    assert record.origin.distribution == "mmspec"
    assert len(record.origin.source_hash or "") == 64 or record.origin.source_hash is None


def test_a_malformed_distribution_is_a_warning_and_no_more(tmp_path, monkeypatch):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("nonsense")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.warns(PluginWarning, match="broken: its entry points cannot be read"):
        registry = default_registry()

    assert "mmtm" in registry.names("fusion")


def test_names_are_listed_without_torch_wandb_or_any_plugin():
    code = (
        "import sys; from mmspec.plugins.registry import default_registry as r; r().names('fusion'); "
        "print([m for m in ('torch', 'wandb', 'mmspec_greedy', 'matplotlib') if m in sys.modules])"
    )

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
