"""Weights from files: what fits is loaded, adapted and told, what does not is refused by name."""

from __future__ import annotations

import pickle
from collections import OrderedDict

import pytest
import torch
from cuts import initialised, modules, run, state, unsettle
from torch import nn

from mmspec.errors import DataError, GraphError
from mmspec.plugins.api import load_torchvision
from mmspec_torch.backbones import I3d, R2plus1d18, R3d18, ResNet18, ResNet34, ResNet50
from mmspec_torch.inflate import inflate, spread
from mmspec_torch.renaming import googlenet_to_i3d, resnet_to_video

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("own_machine")


def saved(tmp_path, content):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    return path


# ---------------------------------------------------------------- from a file


def test_the_uncut_networks_weights_give_its_features(published):
    network, path = published
    cut, remarks = initialised(ResNet18(weights=str(path)))
    whole = unsettle(load_torchvision().models.resnet18(weights=None))
    whole.load_state_dict(network.state_dict())
    whole.fc = nn.Identity()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(run(cut, x), whole.eval()(x))
    assert remarks == [f"weights from {path}: 120 tensors", "not used: fc.* (2)"]


@pytest.mark.parametrize(
    ("plugin", "shape"), [(I3d, (3, 8, 32, 32)), (R3d18, (3, 4, 16, 16)), (R2plus1d18, (2, 4, 16, 16))]
)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_saved_network_comes_back(plugin, shape, zipped, tmp_path):
    torch.manual_seed(1)
    cut = plugin().build(shape)
    unsettle(modules(cut)).eval()
    weights = {**state(plugin(), cut), f"{plugin.classifier}weight": torch.zeros(400, 4)}
    torch.save(OrderedDict(weights), tmp_path / "own.pt", _use_new_zipfile_serialization=zipped)
    again, remarks = initialised(plugin(weights=str(tmp_path / "own.pt")), shape)
    x = torch.randn(2, *shape)
    with torch.no_grad():
        assert torch.equal(run(cut, x), run(again, x))
    assert remarks[1:] == [f"not used: {plugin.classifier}* (1)"]


def test_fresh_weights_are_left_alone():
    cut = ResNet18().build((3, 32, 32))
    before = {name: tensor.clone() for name, tensor in state(ResNet18(), cut).items()}
    assert not ResNet18().initialise(cut)
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(ResNet18(), cut).items())


def test_counters_of_batches_may_lack(published, tmp_path):
    old = {k: v for k, v in published[0].state_dict().items() if not k.endswith("num_batches_tracked")}
    cut, remarks = initialised(ResNet18(weights=str(saved(tmp_path, old))))
    assert torch.equal(cut.stages["layer4"][1].bn2.weight, published[0].layer4[1].bn2.weight)
    assert "100 tensors" in remarks[0]


def test_wrappings_are_taken_off_and_told(published, tmp_path):
    names = {f"module.{name}": tensor for name, tensor in published[0].state_dict().items()}
    path = saved(tmp_path, {"epoch": 3, "state_dict": names, "optimizer": {"lr": [0.1]}})
    cut, remarks = initialised(ResNet18(weights=str(path)))
    assert torch.equal(cut.stages["stem"].conv1.weight, published[0].conv1.weight)
    assert "the state dict is the file's entry 'state_dict'" in remarks
    assert "names without their prefix 'module.'" in remarks


# ---------------------------------------------------------------- what does not fit


def test_weights_of_another_network_are_refused_by_name(published, tmp_path):
    _, path = published
    with pytest.raises(GraphError) as caught:
        initialised(ResNet34(weights=str(path)))
    (problem,) = caught.value.problems
    assert "lacks layer1.2.conv1.weight" in problem.what
    assert "more" in problem.what
    with pytest.raises(
        GraphError, match=r"resnet50,.*layer1\.0\.conv1\.weight \(64, 64, 3, 3\), not \(64, 64, 1, 1\)"
    ):
        initialised(ResNet50(weights=str(path)))
    wider = {**published[0].state_dict(), "conv1.weight": torch.zeros(128, 3, 7, 7)}
    with pytest.raises(GraphError, match=r"conv1\.weight \(128, 3, 7, 7\), not \(64, 1, 7, 7\)"):
        initialised(ResNet18(weights=str(saved(tmp_path, wider))), (1, 32, 32))


def test_a_refused_file_changes_nothing(published):
    cut = ResNet34().build((3, 32, 32))
    before = cut.stages["stem"].conv1.weight.clone()
    with pytest.raises(GraphError):
        ResNet34(weights=str(published[1])).initialise(cut)
    assert torch.equal(cut.stages["stem"].conv1.weight, before)


@pytest.mark.parametrize("name", ["extra", "layer5.0.weight", "module.extra"])
def test_unknown_names_are_listed(published, tmp_path, name):
    path = saved(tmp_path, {**published[0].state_dict(), name: torch.zeros(1)})
    with pytest.raises(GraphError, match=rf"has, but resnet18 does not, {name}"):
        initialised(ResNet18(weights=str(path)))


@pytest.mark.parametrize("plugin", [I3d, R2plus1d18])
def test_networks_that_cannot_be_inflated_here_are_refused(plugin, published):
    with pytest.raises(GraphError, match=rf"has, but {plugin.network} does not, conv1\.weight"):
        initialised(plugin(weights=str(published[1])), (3, 4, 32, 32))


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
        initialised(ResNet18(weights=str(path)))
    assert caught.value.problems[0].hint
    assert "trust" not in str(caught.value)


def test_a_truncated_file_is_refused(published, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(published[1].read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"weights\.pth cannot be read"):
        initialised(ResNet18(weights=str(path)))


@pytest.mark.parametrize("found", [[1, 2], {"epoch": 3}, {}, {"state_dict": {}}, {3: torch.zeros(1)}])
def test_files_that_hold_something_else(tmp_path, found):
    with pytest.raises(DataError, match="holds no state dict"):
        initialised(ResNet18(weights=str(saved(tmp_path, found))))


# ---------------------------------------------------------------- other inputs


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_inputs_alike_in_all_channels_give_what_they_gave(published, channels):
    plugin = ResNet18(weights=str(published[1]))
    cut, remarks = initialised(plugin, (channels, 32, 32))
    color, _ = initialised(plugin, (3, 32, 32))
    grey = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            run(cut, grey.expand(-1, channels, -1, -1)), run(color, grey.expand(-1, 3, -1, -1))
        )
    assert any(f"3 input channels summed up for {channels}" in remark for remark in remarks)


def test_inflation_and_spreading_keep_sums():
    weight = torch.randn(4, 3, 5, 5, dtype=torch.float64)
    inflated = inflate(weight, 7)
    assert inflated.shape == (4, 3, 7, 5, 5)
    torch.testing.assert_close(inflated.sum(2), weight)
    assert torch.equal(inflated[:, :, 0], inflated[:, :, 6])
    one, wide = spread(weight, 1), spread(inflated, 6)
    assert (one.shape, wide.shape) == ((4, 1, 5, 5), (4, 6, 7, 5, 5))
    torch.testing.assert_close(one[:, 0], weight.sum(1))
    torch.testing.assert_close(wide.sum(1), inflated.sum(1))


def test_a_still_video_is_its_image_to_an_inflated_convolution():
    weight, image = torch.randn(4, 3, 5, 5, dtype=torch.float64), torch.randn(2, 3, 9, 9, dtype=torch.float64)
    video = image.unsqueeze(2).expand(-1, -1, 7, -1, -1)
    frames = nn.functional.conv3d(video, inflate(weight, 3))
    for frame in frames.unbind(2):
        torch.testing.assert_close(frame, nn.functional.conv2d(image, weight))


def test_2d_weights_under_i3ds_own_names_are_inflated(tmp_path):
    own = state(I3d(), I3d().build((3, 4, 32, 32)))
    flat = {name: t[:, :, 0] if t.ndim == 5 else t for name, t in own.items()}
    cut, remarks = initialised(I3d(weights=str(saved(tmp_path, flat))), (1, 4, 32, 32))
    weight = cut.stages["Mixed_4f"].b1b.conv3d.weight
    torch.testing.assert_close(weight.sum(2), flat["Mixed_4f.b1b.conv3d.weight"])
    first = cut.stages["Conv3d_1a_7x7"].conv3d.weight
    torch.testing.assert_close(first.sum(2), flat["Conv3d_1a_7x7.conv3d.weight"].sum(1, keepdim=True))
    assert any(remark.startswith("57 convolutions inflated") for remark in remarks)


def test_names_of_2d_networks_lead_to_all_of_the_video_networks():
    models = load_torchvision().models
    flat = models.googlenet(weights=None, init_weights=False, aux_logits=False).state_dict()
    names = {googlenet_to_i3d(name) for name in flat if not name.startswith("fc.")}
    assert names == state(I3d(), I3d().build((3, 4, 32, 32))).keys()
    names = {resnet_to_video(name) for name in models.resnet18(weights=None).state_dict()}
    assert names == models.video.r3d_18(weights=None).state_dict().keys()
