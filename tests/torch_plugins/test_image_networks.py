"""AlexNet, VGG, SqueezeNet and DenseNet, cut: torchvision's features, names and initialisation."""

from __future__ import annotations

import pytest
import torch
from cuts import initialised, modules, run, state, unsettle
from torch import nn
from torch.nn import functional as F

from mmspec.errors import GraphError
from mmspec.plugins.api import load_torchvision
from mmspec.plugins.registry import default_registry
from mmspec_torch.backbones import ResNet18, ResNet34, ResNet50, ResNet101, ResNet152
from mmspec_torch.image_backbones import (
    AlexNet,
    DenseNet,
    DenseNet121,
    DenseNet161,
    DenseNet169,
    DenseNet201,
    FullyConnected,
    SqueezeNet10,
    SqueezeNet11,
    Vgg11,
    Vgg11Bn,
    Vgg13,
    Vgg13Bn,
    Vgg16,
    Vgg16Bn,
    Vgg19,
    Vgg19Bn,
)

torch.set_num_threads(1)
VGGS = (Vgg11, Vgg11Bn, Vgg13, Vgg13Bn, Vgg16, Vgg16Bn, Vgg19, Vgg19Bn)
SQUEEZENETS = (SqueezeNet10, SqueezeNet11)
DENSENETS = {DenseNet121: 1024, DenseNet161: 2208, DenseNet169: 1664, DenseNet201: 1920}
RESNETS = {ResNet18: 512, ResNet34: 512, ResNet50: 2048, ResNet101: 2048, ResNet152: 2048}
PLUGINS = (AlexNet, *VGGS, *SQUEEZENETS, *DENSENETS)
QUICK = {AlexNet, Vgg11Bn, *SQUEEZENETS, DenseNet121}


def slow_unless(quick):
    return [pytest.param(p, marks=[] if p in quick else [pytest.mark.slow]) for p in PLUGINS]


def on_meta(plugin, shape):
    with torch.device("meta"):
        return plugin.build(shape)


def uncut(plugin, *, device="cpu"):
    """torchvision's network; on the CPU with weights that are drawn faster than its own."""
    with torch.device("meta"):
        network = getattr(load_torchvision().models, plugin.network)(weights=None)
    if device == "meta":
        return network
    network = network.to_empty(device="cpu")
    for name, tensor in network.state_dict().items():
        if tensor.ndim > 1:
            bound = (6 / tensor[0].numel()) ** 0.5
            tensor.uniform_(-bound, bound)
        elif not name.endswith("num_batches_tracked"):
            tensor.uniform_(-0.1, 0.1)
        else:
            tensor.zero_()
    return unsettle(network).eval()


def cut_of(plugin, network, shape=(3, 224, 224)):
    """The plugin's cut with the very tensors of `network`."""
    cut = on_meta(plugin, shape)
    weights = network.state_dict()
    for stage, module in cut.stages.items():
        given = {name: weights[plugin.original_name(stage, name)] for name in module.state_dict()}
        module.load_state_dict(given, assign=True)
    modules(cut).eval()
    return cut


def penultimate(plugin, network, x):
    """What torchvision's network computes before its last layer: before and after its last ReLU."""
    kept = {}

    def keep(place):
        return lambda _module, _inputs, output: kept.update({place: output.clone()})

    network.features.register_forward_hook(keep("features"))
    if isinstance(plugin, FullyConnected):
        network.classifier[[*map(type, network.classifier)].index(nn.Linear, 2)].register_forward_hook(
            keep("fc7")
        )
    network.get_submodule(plugin.classifier.rstrip(".")).register_forward_pre_hook(
        lambda _module, inputs: kept.update(last=inputs[0].clone())
    )
    network(x)
    if isinstance(plugin, FullyConnected):
        return kept["fc7"], kept["last"]
    pooled = F.adaptive_avg_pool2d(kept["features"], 1).flatten(1)
    return pooled, kept["last"] if isinstance(plugin, DenseNet) else pooled


# ---------------------------------------------------------------- the published cut


@pytest.mark.parametrize("plugin", slow_unless(QUICK))
@torch.no_grad()
def test_cut_is_uncut(plugin):
    torch.manual_seed(3)
    whole = uncut(plugin)
    x = torch.randn(2, 3, 64, 75)
    before, after = penultimate(plugin(), whole, x)
    assert torch.equal(run(cut_of(plugin(), whole), x), before)
    if issubclass(plugin, FullyConnected | DenseNet):
        assert before.min() < 0
        assert after.min() == 0
        assert torch.equal(run(cut_of(plugin(relu="after"), whole), x), after)
        assert torch.equal(run(cut_of(plugin(), whole), x), before)
    assert (before.std(0) > 0).float().mean() > 0.5  # neither dead nor blind


def test_the_twenty_networks_of_the_published_tables():
    sizes = dict.fromkeys((AlexNet, *VGGS), 4096) | RESNETS | dict.fromkeys(SQUEEZENETS, 512) | DENSENETS
    assert len(sizes) == 20
    registry = default_registry()
    for plugin, features in sizes.items():
        assert registry.find("backbone", plugin.network).load() is plugin
        cut = on_meta(plugin(), (3, 224, 224))
        assert tuple(cut.stages) == plugin().stage_names()
        assert run(cut, torch.empty(2, 3, 224, 224, device="meta")).shape == (2, features)


@pytest.mark.parametrize(
    ("plugin", "shapes"),
    [
        (AlexNet, {"conv1": (64, 27, 27), "conv2": (192, 13, 13), "conv5": (256, 6, 6), "fc6": (4096,)}),
        (Vgg16Bn, {"conv1": (64, 112, 112), "conv5": (512, 7, 7), "fc6": (4096,), "fc7": (4096,)}),
        (SqueezeNet10, {"conv1": (96, 54, 54), "fire4": (256, 27, 27), "fire9": (512, 13, 13)}),
        (SqueezeNet11, {"conv1": (64, 55, 55), "fire3": (128, 27, 27), "fire9": (512, 13, 13)}),
        (DenseNet121, {"stem": (64, 56, 56), "transition1": (128, 28, 28), "norm5": (1024, 7, 7)}),
    ],
)
def test_stages_of_an_image_of_the_published_size(plugin, shapes):
    x, found = torch.empty(1, 3, 224, 224, device="meta"), {}
    for name, stage in on_meta(plugin(), (3, 224, 224)).stages.items():
        x = stage(x)
        found[name] = tuple(x.shape[1:])
    assert {name: found[name] for name in shapes} == shapes


@pytest.mark.parametrize("plugin", [SqueezeNet10, DenseNet121])
@torch.no_grad()
def test_the_mean_is_that_over_the_published_window(plugin):
    torch.manual_seed(5)
    cut = cut_of(plugin(), uncut(plugin))
    maps = torch.randn(2, 8, *(13, 13) if plugin is SqueezeNet10 else (7, 7))
    torch.testing.assert_close(cut.pool(maps), F.avg_pool2d(maps, maps.shape[-1]).flatten(1))


@pytest.mark.parametrize("plugin", [AlexNet, Vgg11, DenseNet121])
def test_the_last_relu_leaves_what_the_last_stage_gives(plugin):
    cut = on_meta(plugin(relu="after"), (3, 64, 64))
    maps = torch.randn(2, 5, 3, 3) if plugin is DenseNet121 else torch.randn(2, 5)
    kept = maps.clone()
    assert cut.pool.eval()(maps).min() >= 0
    assert torch.equal(maps, kept)


@pytest.mark.parametrize("plugin", [AlexNet, Vgg11Bn])
def test_dropout_is_where_it_is_published(plugin):
    cut = on_meta(plugin(dropout=0.25, relu="after"), (3, 64, 64))
    places = [
        part
        for part, module in [*cut.stages.items(), ("pool", cut.pool)]
        for layer in module.modules()
        if isinstance(layer, nn.Dropout) and layer.p == 0.25
    ]
    assert places == (["fc6", "fc7"] if plugin is AlexNet else ["fc6", "pool"])


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("plugin", PLUGINS)
def test_names_and_shapes_are_torchvisions(plugin):
    plugin = plugin()
    own = state(plugin, on_meta(plugin, (3, 224, 224)))
    theirs = uncut(plugin, device="meta").state_dict()
    expected = {n: t.shape for n, t in theirs.items() if not n.startswith(plugin.classifier)}
    assert {name: tensor.shape for name, tensor in own.items()} == expected
    assert list(own) == list(expected)  # and in its order
    assert len(theirs) == len(own) + 2


@pytest.mark.parametrize("plugin", slow_unless({SqueezeNet11, DenseNet121}))
def test_weights_go_there_and_back(plugin, tmp_path):
    torch.manual_seed(6)
    whole = uncut(plugin)
    torch.save(whole.state_dict(), tmp_path / "theirs.pth")
    plugin = plugin(weights=str(tmp_path / "theirs.pth"))
    assert not plugin.check()
    cut, remarks = initialised(plugin, (3, 64, 64))
    own = state(plugin, cut)
    assert remarks[1:] == ["not used: classifier.* (2)"]
    other = uncut(plugin)
    missing, unexpected = other.load_state_dict(own, strict=False)
    assert not unexpected
    assert all(name.startswith(plugin.classifier) for name in missing)
    assert all(torch.equal(other.state_dict()[name], whole.state_dict()[name]) for name in own)


def test_densenets_files_have_the_names_of_2017(tmp_path):
    whole = uncut(DenseNet121)
    old = {
        name.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1.")
        .replace("conv2.", "conv.2."): tensor
        for name, tensor in whole.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }  # fmt: skip
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    cut, _ = initialised(DenseNet121(weights=str(tmp_path / "old.pth")), (3, 64, 64))
    weights = whole.state_dict()
    for name, tensor in state(DenseNet121(), cut).items():
        assert name.endswith("num_batches_tracked") or torch.equal(tensor, weights[name])


def test_another_networks_weights_are_refused(tmp_path):
    torch.save(uncut(SqueezeNet10).state_dict(), tmp_path / "squeezenet.pth")
    (first, *_) = SqueezeNet11(weights=str(tmp_path / "squeezenet.pth")).check()
    assert "lacks features.6.squeeze.weight" in first.what


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    weights = uncut(SqueezeNet11).state_dict()
    weights["features.3.squeeze.weight"][0, 0] = torch.nan
    torch.save(weights, tmp_path / "broken.pth")
    (problem,) = SqueezeNet11(weights=str(tmp_path / "broken.pth")).check()
    assert problem.what.endswith("has NaN or infinity in features.3.squeeze.weight")


@torch.no_grad()
def test_grey_images_give_what_they_gave_in_colour(tmp_path):
    torch.manual_seed(7)
    whole = uncut(SqueezeNet11)
    torch.save(whole.state_dict(), tmp_path / "colour.pth")
    cut, remarks = initialised(SqueezeNet11(weights=str(tmp_path / "colour.pth")), (1, 40, 40))
    grey = torch.randn(2, 1, 40, 40)
    torch.testing.assert_close(run(cut, grey), run(cut_of(SqueezeNet11(), whole), grey.expand(-1, 3, -1, -1)))
    assert any("input channels summed up for 1" in remark for remark in remarks)


# ---------------------------------------------------------------- fresh, and of which samples


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(
    "plugin", [pytest.param(AlexNet, marks=pytest.mark.slow), pytest.param(Vgg11, marks=pytest.mark.slow),
               *SQUEEZENETS, DenseNet121]
)  # fmt: skip
def test_a_first_convolution_for_other_channels_begins_like_torchvisions(plugin, channels):
    torch.manual_seed(8)
    colour, other = (
        next(m for m in modules(plugin().build((c, 64, 64))).modules() if isinstance(m, nn.Conv2d))
        for c in (3, channels)
    )
    assert other.in_channels == channels
    assert (other.stride, other.padding, other.kernel_size) == (
        colour.stride,
        colour.padding,
        colour.kernel_size,
    )
    by_outputs = plugin is Vgg11  # the others' spread goes with the number of inputs
    expected = colour.weight.std().item() * (1 if by_outputs else (3 / channels) ** 0.5)
    assert other.weight.std().item() == pytest.approx(expected, rel=0.1)
    if plugin is DenseNet121:
        assert other.bias is None
    else:
        assert bool(other.bias.any()) == bool(colour.bias.any()) == (plugin is AlexNet)


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_smallest_images_are_the_smallest_that_torchvision_takes(plugin):
    least, features = plugin.smallest, uncut(plugin, device="meta").features
    for shape in ((3, least, least + 3), (3, least + 9, least)):
        assert run(on_meta(plugin(), shape), torch.empty(2, *shape, device="meta")).ndim == 2
    for shape in ((3, least - 1, 224), (3, 224, least - 1)):
        with pytest.raises(RuntimeError, match="too small"):
            features(torch.empty(2, *shape, device="meta"))
        with pytest.raises(GraphError, match=f"takes images of {least} x {least} or larger"):
            plugin().build(shape)


@pytest.mark.parametrize("plugin", [AlexNet, Vgg11, SqueezeNet10, DenseNet121])
def test_samples_that_are_no_images_are_refused(plugin):
    with pytest.raises(GraphError, match=r"takes images \(channels, height, width\), not samples"):
        plugin().build((3, 16, 224, 224))


@pytest.mark.parametrize("plugin", [AlexNet, DenseNet121])
def test_features_are_before_or_after_the_last_relu(plugin):
    with pytest.raises(ValueError, match="must be one of 'before', 'after'"):
        plugin(relu="behind")
