"""Weights that a spec names: known without files, found before a run, fetched once, never damaged."""

from __future__ import annotations

import hashlib

import pytest
import torch
from cuts import initialised

from mmspec.errors import DataError
from mmspec.plugins.api import Outline, load_torchvision
from mmspec.plugins.registry import default_registry
from mmspec_torch import pretrained
from mmspec_torch.backbones import I3d, R2plus1d18, R3d18, ResNet18, ResNet34, ResNet50
from mmspec_torch.pretrained import Pretrained
from mmspec_torch.published import FILES

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("own_machine")
OUTLINE = Outline(modalities=("a",), stages={}, data=None, splits={}, fusion=None)


# ---------------------------------------------------------------- what a spec may name


def pretrained_plugins():
    registry = default_registry()
    found = [registry.find("backbone", name).load() for name in registry.names("backbone")]
    return [plugin for plugin in found if issubclass(plugin, Pretrained)]


def test_names_of_published_weights_are_torchvisions():
    models = load_torchvision().models
    for name, file in FILES.items():
        assert models.get_weight(name).url == f"https://download.pytorch.org/models/{file}"
    enumerations = {name.partition(".")[0] for name in FILES}
    every = {
        str(weights) for e in enumerations for weights in getattr(models, e, None) or getattr(models.video, e)
    }
    assert every - {"VGG16_Weights.IMAGENET1K_FEATURES"} == FILES.keys()
    used = {e for p in pretrained_plugins() for e in (p.published_as, p.relative and p.relative.published_as)}
    assert used - {None} == enumerations
    assert len(pretrained_plugins()) == 24


def test_names_belong_to_networks():
    assert ResNet50.published().keys() == {"IMAGENET1K_V1", "IMAGENET1K_V2"}
    assert R3d18.published().keys() == {"KINETICS400_V1", "ResNet18_Weights.IMAGENET1K_V1"}
    assert R2plus1d18.published().keys() == {"KINETICS400_V1"}
    assert I3d.published().keys() == {"GoogLeNet_Weights.IMAGENET1K_V1"}


@pytest.mark.parametrize("weights", ["imagenet", "IMAGENET1K_V2", "KINETICS400_V1", "None", ""])
def test_an_unknown_name_is_a_mistake(weights):
    (mistake,) = ResNet18(weights=weights).mistakes(OUTLINE)
    assert mistake.option == "weights"
    assert mistake.what == f"there are no weights {weights!r} for resnet18"
    assert '"IMAGENET1K_V1"' in mistake.hint


@pytest.mark.parametrize(
    "weights", ["none", "IMAGENET1K_V1", "absent.pth", "some/where", "a.pt", "b.pth.tar"]
)
def test_a_spec_is_checked_without_files(weights):
    assert not list(ResNet18(weights=weights).mistakes(OUTLINE))


def test_a_missing_file_is_found_before_a_run(published):
    (problem,) = ResNet18(weights="nowhere/resnet18.pth").check()
    assert problem.what == "there is no file nowhere/resnet18.pth with weights for resnet18"
    assert problem.hint
    assert not ResNet18(weights=str(published[1])).check()
    assert not ResNet18().check()


def test_a_wrong_file_is_found_before_a_run(published, tmp_path):
    (problem,) = ResNet34(weights=str(published[1])).check()
    assert "lacks layer1.2.conv1.weight" in problem.what
    (tmp_path / "weights.pth").write_bytes(b"no weights")
    (problem,) = I3d(weights=str(tmp_path / "weights.pth")).check()
    assert "cannot be read as weights" in problem.what
    assert not R3d18(weights=str(published[1])).check()  # inflated


def test_the_fingerprint_is_that_of_the_content(published, tmp_path):
    _, path = published
    (tmp_path / path.name).write_bytes(path.read_bytes())
    mark = ResNet18(weights=str(path)).fingerprint()
    assert ResNet18(weights=str(tmp_path / path.name)).fingerprint() == mark
    (tmp_path / path.name).write_bytes(path.read_bytes() + b"0")
    assert ResNet18(weights=str(tmp_path / path.name)).fingerprint() != mark
    assert ResNet18().fingerprint() is None
    assert ResNet50(weights="IMAGENET1K_V2").fingerprint() == "resnet50-11ad3fa6.pth"


def test_a_smoke_run_starts_afresh():
    assert I3d(weights="absent.pt", dropout=0.1).smoke() == I3d(dropout=0.1)


# ---------------------------------------------------------------- torchvision's weights


@pytest.fixture
def server(published, tmp_path, monkeypatch):
    """A place that publishes a ResNet-18; the name of its file there."""
    content = published[1].read_bytes()
    file = f"resnet18-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (tmp_path / "server" / file).write_bytes(content)
    monkeypatch.setitem(pretrained.FILES, "ResNet18_Weights.IMAGENET1K_V1", file)
    return tmp_path / "server" / file


def test_published_weights_are_fetched_once_and_kept_where_torch_keeps_them(server, published, tmp_path):
    plugin = ResNet18(weights="IMAGENET1K_V1")
    assert not plugin.check()
    server.unlink()
    assert (tmp_path / "torch/hub/checkpoints" / server.name).is_file()
    assert not plugin.check()
    cut, remarks = initialised(plugin)
    assert torch.equal(cut.stages["stem"].conv1.weight, published[0].conv1.weight)
    assert server.name in remarks[0]


def test_published_images_weights_make_a_video_network(server, published):
    cut, remarks = initialised(R3d18(weights="ResNet18_Weights.IMAGENET1K_V1"), (1, 4, 16, 16))
    torch.testing.assert_close(
        cut.stages["layer4"][1].conv2[0].weight.sum(2), published[0].layer4[1].conv2.weight
    )
    assert torch.equal(cut.stages["layer1"][0].conv1[1].running_var, published[0].layer1[0].bn1.running_var)
    assert any("no max pooling" in remark for remark in remarks)


def test_without_a_network_one_is_told_which_file_goes_where(tmp_path):
    (problem,) = ResNet18(weights="IMAGENET1K_V1").check()
    assert "cannot fetch" in problem.what
    assert "resnet18-f37072fd.pth" in problem.what
    assert str(tmp_path / "torch/hub/checkpoints/resnet18-f37072fd.pth") in problem.hint
    with pytest.raises(DataError, match="cannot fetch"):
        initialised(ResNet18(weights="IMAGENET1K_V1"))


def test_a_damaged_download_is_neither_kept_nor_used(server, tmp_path):
    content = server.read_bytes()
    server.write_bytes(content[:-1])
    (problem,) = ResNet18(weights="IMAGENET1K_V1").check()
    assert "invalid hash value" in problem.what
    kept = tmp_path / "torch/hub/checkpoints"
    assert not list(kept.iterdir())
    (kept / server.name).write_bytes(content[:-1])
    (problem,) = ResNet18(weights="IMAGENET1K_V1").check()
    assert "not the published file, or damaged" in problem.what
