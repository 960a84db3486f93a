"""torchvision's residual networks, cut: the same network as uncut."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from mmspec.errors import DataError, GraphError
from mmspec.plugins.api import Outline, load_torchvision
from mmspec_torch.backbones import ResNet18, ResNet34, ResNet50

torch.set_num_threads(1)
PLUGINS = [(ResNet18, "resnet18", 512), (ResNet34, "resnet34", 512), (ResNet50, "resnet50", 2048)]
OUTLINE = Outline(modalities=("a",), stages={}, data=None, splits={}, fusion=None)


def run(cut, x):
    for stage in cut.stages.values():
        x = stage(x)
    return cut.pool(x)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A ResNet-18 as one downloads it, and its file."""
    torch.manual_seed(0)
    network = load_torchvision().models.resnet18(weights=None)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(network.state_dict(), path)
    return network, path


@pytest.mark.parametrize(("plugin", "name", "features"), PLUGINS)
def test_cut_is_uncut(plugin, name, features):
    torch.manual_seed(3)
    whole = getattr(load_torchvision().models, name)(weights=None).double()
    whole.fc = nn.Identity()
    cut = plugin().build((3, 40, 40))
    assert tuple(cut.stages) == plugin().stage_names()
    stages = nn.ModuleDict(cut.stages).double()
    parts = {
        ("conv1" if key.startswith("conv1") else key): value for key, value in whole.state_dict().items()
    }
    stages["stem"].load_state_dict(
        {k: v for k, v in whole.state_dict().items() if k.split(".")[0] in {"conv1", "bn1"}}
    )
    for layer in ("layer1", "layer2", "layer3", "layer4"):
        own = {k.removeprefix(layer + "."): v for k, v in parts.items() if k.startswith(layer + ".")}
        stages[layer].load_state_dict(own)
    x = torch.randn(2, 3, 40, 40, dtype=torch.float64)
    for module in (whole, stages):
        module.eval()
    with torch.no_grad():
        output = run(cut, x)
        assert output.shape == (2, features)
        assert torch.equal(output, whole(x))


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_number_of_channels(channels):
    cut = ResNet18().build((channels, 32, 32))
    assert run(cut, torch.randn(2, channels, 32, 32)).shape == (2, 512)
    weight = cut.stages["stem"].conv1.weight
    assert weight.std().item() == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.1)


def test_there_is_no_classifier():
    cut = ResNet18().build((3, 32, 32))
    assert not [m for stage in cut.stages.values() for m in stage.modules() if isinstance(m, nn.Linear)]


def test_weights_from_a_file(published):
    network, path = published
    cut = ResNet18(weights=str(path)).build((3, 32, 32))
    for own, expected in zip(
        (cut.stages["stem"].conv1, cut.stages["layer4"][1].bn2),
        (network.conv1, network.layer4[1].bn2),
        strict=True,
    ):
        for name, value in own.state_dict().items():
            assert torch.equal(value, expected.state_dict()[name])


def test_weights_of_another_network_are_refused_by_name(published):
    _, path = published
    with pytest.raises(GraphError) as caught:
        ResNet34(weights=str(path)).build((3, 32, 32))
    (problem,) = caught.value.problems
    assert "lacks layer1.2.bn1.bias" in problem.what
    assert "more" in problem.what
    with pytest.raises(GraphError, match=r"conv1\.weight has shape \(64, 3, 7, 7\).*\(64, 1, 7, 7\)"):
        ResNet18(weights=str(path)).build((1, 32, 32))


def test_unknown_names_are_listed(published, tmp_path):
    network, _ = published
    torch.save({**network.state_dict(), "module.extra": torch.zeros(1)}, tmp_path / "more.pth")
    with pytest.raises(GraphError, match=r"has, but resnet18 does not, module\.extra"):
        ResNet18(weights=str(tmp_path / "more.pth")).build((3, 32, 32))


class Malicious:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


NO_WEIGHTS = {
    "empty": b"",
    "text": b"no weights",
    "half a zip": b"PK\x03\x04broken",
    "half a pickle": b"\x80\x02}q\x00",
    "broken pickle": b"\x80\x02RRRR.",
    "code": pickle.dumps(Malicious(), protocol=2),
    "code, other protocol": pickle.dumps(Malicious(), protocol=4),
}


@pytest.mark.parametrize("content", NO_WEIGHTS.values(), ids=NO_WEIGHTS)
def test_files_that_are_no_weights(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"weights\.pth cannot be read") as caught:
        ResNet18(weights=str(path)).build((3, 32, 32))
    assert caught.value.problems[0].hint


@pytest.mark.parametrize("found", [[1, 2], {"epoch": 3}])
def test_files_that_hold_something_else(tmp_path, found):
    torch.save(found, tmp_path / "weights.pth")
    with pytest.raises(DataError, match="holds no state dict"):
        ResNet18(weights=str(tmp_path / "weights.pth")).build((3, 32, 32))


def test_a_missing_file_is_found_when_a_spec_is_checked(published):
    (mistake,) = ResNet18(weights="/nowhere/resnet18.pth").mistakes(OUTLINE)
    assert mistake.option == "weights"
    assert not list(ResNet18(weights=str(published[1])).mistakes(OUTLINE))
    assert not list(ResNet18().mistakes(OUTLINE))


def test_samples_that_are_no_images_are_refused():
    with pytest.raises(GraphError, match="takes images"):
        ResNet18().build((3, 16, 32, 32))


def test_stages_are_found_on_the_meta_device():
    with torch.device("meta"):
        cut = ResNet50().build((3, 224, 224))
    x = torch.empty(2, 3, 224, 224, device="meta")
    shapes = {}
    for name, stage in cut.stages.items():
        x = stage(x)
        shapes[name] = tuple(x.shape[1:])
    assert shapes["layer2"] == (512, 28, 28)
    assert cut.pool(x).shape == (2, 2048)
