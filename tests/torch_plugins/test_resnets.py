"""torchvision's residual networks for images and videos, cut: the same networks as uncut."""

from __future__ import annotations

import pytest
import torch
from cuts import modules, replicate_in_time, run, state, unsettle
from torch import nn

from mmspec.errors import GraphError
from mmspec.plugins.api import load_torchvision
from mmspec_torch.backbones import (
    Mc3x18,
    R2plus1d18,
    R3d18,
    ResNet18,
    ResNet34,
    ResNet50,
    ResNet101,
    ResNet152,
)

torch.set_num_threads(1)
IMAGES = {ResNet18: 512, ResNet34: 512, ResNet50: 2048, ResNet101: 2048, ResNet152: 2048}
VIDEOS = (R3d18, Mc3x18, R2plus1d18)
SIZES = [
    pytest.param(
        plugin, (3, 40, 40), features, marks=[pytest.mark.slow] if plugin in {ResNet101, ResNet152} else []
    )
    for plugin, features in IMAGES.items()
] + [(plugin, (3, 5, 17, 20), 512) for plugin in VIDEOS]


def uncut(plugin):
    models = load_torchvision().models
    build = getattr(models.video if plugin in VIDEOS else models, plugin.network)
    return unsettle(build(weights=None)).double().eval()


@pytest.mark.parametrize(("plugin", "shape", "features"), SIZES)
def test_cut_is_uncut(plugin, shape, features):
    torch.manual_seed(3)
    whole = uncut(plugin)
    cut = plugin().build(shape)
    assert tuple(cut.stages) == plugin().stage_names() == ("stem", "layer1", "layer2", "layer3", "layer4")
    parts = modules(cut).double().eval()
    own = state(plugin(), cut)
    assert own.keys() == {name for name in whole.state_dict() if not name.startswith("fc.")}
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(whole.state_dict()[name])
        whole.fc = nn.Identity()
        x = torch.randn(2, *shape, dtype=torch.float64)
        output = run(cut, x)
        assert output.shape == (2, features)
        assert output.abs().max() > 0
        assert torch.equal(output, whole(x))
    assert len(parts) == 6


@pytest.mark.parametrize("plugin", [ResNet18, R3d18, R2plus1d18])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_number_of_channels(plugin, channels):
    shape = (channels, 3, 16, 16) if plugin in VIDEOS else (channels, 32, 32)
    cut = plugin().build(shape)
    assert run(cut, torch.randn(2, *shape)).shape == (2, 512)
    first = next(iter(cut.stages["stem"]))
    assert first.in_channels == channels
    spread = (2 / (first.out_channels * first.weight[0, 0].numel())) ** 0.5
    assert first.weight.std().item() == pytest.approx(spread, rel=0.1)


def test_there_is_no_classifier():
    for plugin, shape in ((ResNet18, (3, 32, 32)), (Mc3x18, (3, 4, 32, 32))):
        assert not [m for m in modules(plugin().build(shape)).modules() if isinstance(m, nn.Linear)]


@pytest.mark.parametrize(("plugin", "shape"), [(ResNet18, (3, 16, 32, 32)), (R3d18, (3, 32, 32))])
def test_samples_of_another_kind_are_refused(plugin, shape):
    with pytest.raises(GraphError, match=r"takes (images|clips) \("):
        plugin().build(shape)


def test_stages_are_found_on_the_meta_device():
    shapes = {}
    for plugin, shape in ((ResNet50, (3, 224, 224)), (R3d18, (3, 16, 112, 112))):
        with torch.device("meta"):
            cut = plugin().build(shape)
        x = torch.empty(2, *shape, device="meta")
        for name, stage in cut.stages.items():
            x = stage(x)
            shapes[plugin.network, name] = tuple(x.shape[1:])
    assert shapes["resnet50", "layer2"] == (512, 28, 28)
    assert shapes["r3d_18", "layer4"] == (512, 2, 7, 7)


@pytest.mark.parametrize("plugin", [R3d18, Mc3x18])
def test_an_inflated_resnet18_sees_in_a_still_video_what_it_sees_in_the_image(plugin, tmp_path):
    torch.manual_seed(4)
    flat = uncut(ResNet18)
    torch.save(flat.state_dict(), tmp_path / "resnet18.pth")
    plugin = plugin(weights=str(tmp_path / "resnet18.pth"))
    cut = plugin.build((3, 4, 24, 24))
    modules(cut).double()
    remarks = plugin.initialise(cut)
    assert any("inflated" in remark for remark in remarks)
    replicate_in_time(modules(cut)).eval()
    flat.maxpool, flat.fc = nn.Identity(), nn.Identity()  # the video networks have none
    image = torch.randn(2, 3, 24, 24, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(
            run(cut, image.unsqueeze(2).expand(-1, -1, 4, -1, -1)), flat(image), rtol=1e-12, atol=1e-12
        )
