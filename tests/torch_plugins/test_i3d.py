"""I3D: the published names, shapes and padding; the same features as written down layer by layer."""

from __future__ import annotations

import pytest
import torch
from cuts import modules, replicate_in_time, run, state, unsettle
from torch import nn
from torch.nn import functional as F

from mmspec.errors import GraphError
from mmspec.plugins.api import load_torchvision
from mmspec_torch.backbones import I3d
from mmspec_torch.i3d import SamePool, same_padding

torch.set_num_threads(1)

#: Parameters of the published checkpoints (Carreira & Zisserman 2017, in PyTorch): rgb_imagenet.pt.
PUBLISHED = {
    "Conv3d_1a_7x7.conv3d.weight": (64, 3, 7, 7, 7),
    "Conv3d_1a_7x7.bn.weight": (64,),
    "Conv3d_1a_7x7.bn.bias": (64,),
    "Conv3d_1a_7x7.bn.running_mean": (64,),
    "Conv3d_1a_7x7.bn.running_var": (64,),
    "Conv3d_2b_1x1.conv3d.weight": (64, 64, 1, 1, 1),
    "Conv3d_2c_3x3.conv3d.weight": (192, 64, 3, 3, 3),
    "Mixed_3b.b0.conv3d.weight": (64, 192, 1, 1, 1),
    "Mixed_3b.b1a.conv3d.weight": (96, 192, 1, 1, 1),
    "Mixed_3b.b1b.conv3d.weight": (128, 96, 3, 3, 3),
    "Mixed_3b.b2a.conv3d.weight": (16, 192, 1, 1, 1),
    "Mixed_3b.b2b.conv3d.weight": (32, 16, 3, 3, 3),
    "Mixed_3b.b3b.conv3d.weight": (32, 192, 1, 1, 1),
    "Mixed_3b.b2b.bn.running_var": (32,),
    "Mixed_3c.b0.conv3d.weight": (128, 256, 1, 1, 1),
    "Mixed_3c.b1b.conv3d.weight": (192, 128, 3, 3, 3),
    "Mixed_3c.b2b.conv3d.weight": (96, 32, 3, 3, 3),
    "Mixed_4b.b0.conv3d.weight": (192, 480, 1, 1, 1),
    "Mixed_4b.b1b.conv3d.weight": (208, 96, 3, 3, 3),
    "Mixed_4b.b2b.conv3d.weight": (48, 16, 3, 3, 3),
    "Mixed_4c.b0.conv3d.weight": (160, 512, 1, 1, 1),
    "Mixed_4c.b1b.conv3d.weight": (224, 112, 3, 3, 3),
    "Mixed_4d.b1b.conv3d.weight": (256, 128, 3, 3, 3),
    "Mixed_4d.b2a.conv3d.weight": (24, 512, 1, 1, 1),
    "Mixed_4e.b0.conv3d.weight": (112, 512, 1, 1, 1),
    "Mixed_4e.b1b.conv3d.weight": (288, 144, 3, 3, 3),
    "Mixed_4e.b3b.conv3d.weight": (64, 512, 1, 1, 1),
    "Mixed_4f.b0.conv3d.weight": (256, 528, 1, 1, 1),
    "Mixed_4f.b1b.conv3d.weight": (320, 160, 3, 3, 3),
    "Mixed_4f.b3b.conv3d.weight": (128, 528, 1, 1, 1),
    "Mixed_5b.b0.conv3d.weight": (256, 832, 1, 1, 1),
    "Mixed_5b.b2b.conv3d.weight": (128, 32, 3, 3, 3),
    "Mixed_5c.b0.conv3d.weight": (384, 832, 1, 1, 1),
    "Mixed_5c.b1b.conv3d.weight": (384, 192, 3, 3, 3),
    "Mixed_5c.b2a.conv3d.weight": (48, 832, 1, 1, 1),
    "Mixed_5c.b2b.conv3d.weight": (128, 48, 3, 3, 3),
    "Mixed_5c.b3b.bn.bias": (128,),
}
#: With the classifier of Kinetics' 400 classes the published network has 12 697 264 parameters.
PARAMETERS = 12_697_264 - 400 * 1024 - 400
#: Feature maps for a published input, 3 x 64 x 224 x 224.
SHAPES = {
    "Conv3d_1a_7x7": (64, 32, 112, 112),
    "MaxPool3d_3a_3x3": (192, 32, 28, 28),
    "Mixed_3c": (480, 32, 28, 28),
    "MaxPool3d_4a_3x3": (480, 16, 14, 14),
    "Mixed_4f": (832, 16, 14, 14),
    "MaxPool3d_5a_2x2": (832, 8, 7, 7),
    "Mixed_5c": (1024, 8, 7, 7),
}


def fresh(shape, dtype=torch.float64):
    torch.manual_seed(0)
    cut = I3d().build(shape)
    unsettle(modules(cut)).to(dtype).eval()
    return cut


# ---------------------------------------------------------------- the published network


def test_parameters_have_the_published_names_and_shapes():
    cut = I3d().build((3, 8, 32, 32))
    own = state(I3d(), cut)
    assert {name: tuple(own[name].shape) for name in PUBLISHED} == PUBLISHED
    assert len([name for name in own if not name.endswith("num_batches_tracked")]) == 57 * 5
    assert sum(p.numel() for p in modules(cut).parameters()) == PARAMETERS
    norms = [m for m in modules(cut).modules() if isinstance(m, nn.BatchNorm3d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


def test_stages_are_the_published_endpoints():
    with torch.device("meta"):
        cut = I3d().build((3, 64, 224, 224))
    assert tuple(cut.stages) == I3d().stage_names()
    assert len(cut.stages) == 16
    x, shapes = torch.empty(2, 3, 64, 224, 224, device="meta"), {}
    for name, stage in cut.stages.items():
        x = stage(x)
        shapes[name] = tuple(x.shape[1:])
    assert {name: shapes[name] for name in SHAPES} == SHAPES
    assert cut.pool(x).shape == (2, 1024)


def padded(x, kernel, stride):
    """TensorFlow's SAME, written out: as many outputs as strides fit in, one row more behind than before."""
    rows = []
    for size, k, s in zip(x.shape[2:], kernel, stride, strict=True):
        total = max(k - s, 0) if size % s == 0 else max(k - size % s, 0)
        rows.append((total // 2, total - total // 2))
    (t0, t1), (h0, h1), (w0, w1) = rows
    return F.pad(x, (w0, w1, h0, h1, t0, t1))


def convolve(x, own, name, kernel, stride=1):
    x = F.conv3d(padded(x, (kernel,) * 3, (stride,) * 3), own[f"{name}.conv3d.weight"], stride=stride)
    mean, var = own[f"{name}.bn.running_mean"], own[f"{name}.bn.running_var"]
    x = F.batch_norm(x, mean, var, own[f"{name}.bn.weight"], own[f"{name}.bn.bias"], eps=0.001)
    return F.relu(x)


def pool(x, kernel, stride):
    return F.max_pool3d(padded(x, kernel, stride), kernel, stride)


def mixed(x, own, name):
    wide = convolve(convolve(x, own, f"{name}.b1a", 1), own, f"{name}.b1b", 3)
    other = convolve(convolve(x, own, f"{name}.b2a", 1), own, f"{name}.b2b", 3)
    pooled = convolve(pool(x, (3, 3, 3), (1, 1, 1)), own, f"{name}.b3b", 1)
    return torch.cat([convolve(x, own, f"{name}.b0", 1), wide, other, pooled], dim=1)


def uncut(x, own):
    """Inception-v1, inflated, from the paper's figure 3; zero padding everywhere."""
    x = pool(convolve(x, own, "Conv3d_1a_7x7", 7, 2), (1, 3, 3), (1, 2, 2))
    x = convolve(convolve(x, own, "Conv3d_2b_1x1", 1), own, "Conv3d_2c_3x3", 3)
    x = mixed(mixed(pool(x, (1, 3, 3), (1, 2, 2)), own, "Mixed_3b"), own, "Mixed_3c")
    x = pool(x, (3, 3, 3), (2, 2, 2))
    for block in "bcdef":
        x = mixed(x, own, f"Mixed_4{block}")
    x = pool(x, (2, 2, 2), (2, 2, 2))
    return mixed(mixed(x, own, "Mixed_5b"), own, "Mixed_5c").mean((2, 3, 4))


@pytest.mark.parametrize("size", [(8, 32, 32), (9, 33, 47), (5, 18, 26), (1, 1, 2)])
@pytest.mark.parametrize("channels", [3, 1])
def test_cut_is_uncut(size, channels):
    cut = fresh((channels, *size))
    x = torch.randn(2, channels, *size, dtype=torch.float64)
    with torch.no_grad():
        output = run(cut, x)
        assert output.abs().max() > 0.1
        torch.testing.assert_close(output, uncut(x, state(I3d(), cut)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "stride"),
    [((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (1, 1, 1)), ((3, 3, 3), (2, 2, 2)), ((2, 2, 2), (2, 2, 2))],
)
def test_pooling_pads_without_a_copy_and_never_with_a_maximum(kernel, stride):
    for size in range(1, 9):
        x = -1 - torch.rand(1, 2, size, 9 - size, 4)
        paddings = [same_padding(*one) for one in zip(x.shape[2:], kernel, stride, strict=True)]
        (t0, t1), (h0, h1), (w0, w1) = paddings
        around = F.pad(x, (w0, w1, h0, h1, t0, t1), value=-float("inf"))
        assert torch.equal(SamePool(kernel, stride)(x), F.max_pool3d(around, kernel, stride))


# ---------------------------------------------------------------- as a backbone


def test_gradients_are_those_of_the_uncut_network():
    cut = fresh((1, 8, 32, 32))
    network = modules(cut)
    x = torch.randn(2, 1, 8, 32, 32, dtype=torch.float64)
    run(cut, x).square().sum().backward()
    gradients = [p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    parts = {stage: [*m.named_parameters(), *m.named_buffers()] for stage, m in cut.stages.items()}
    own = {f"{stage}.{name}": tensor for stage, named in parts.items() for name, tensor in named}
    uncut(x, own).square().sum().backward()
    for gradient, parameter in zip(gradients, network.parameters(), strict=True):
        assert gradient.abs().max() > 0
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-9, atol=1e-12)


def test_dropout_is_of_the_pooled_features_in_training():
    cut = I3d(dropout=0.5).build((3, 8, 32, 32))
    maps = torch.ones(2, 1024, 1, 2, 2)
    assert set(cut.pool.train()(maps).unique().tolist()) == {0.0, 2.0}
    assert torch.equal(cut.pool.eval()(maps), torch.ones(2, 1024))


def test_samples_that_are_no_clips_are_refused():
    with pytest.raises(GraphError, match="i3d takes clips"):
        I3d().build((3, 32, 32))


def test_an_inflated_googlenet_sees_in_a_still_video_what_it_sees_in_the_image(tmp_path):
    torch.manual_seed(2)
    flat = load_torchvision().models.googlenet(
        weights=None, init_weights=False, aux_logits=True, transform_input=False
    )
    unsettle(flat).double().eval()
    torch.save(flat.state_dict(), tmp_path / "googlenet.pth")
    plugin = I3d(weights=str(tmp_path / "googlenet.pth"))
    cut = plugin.build((3, 3, 63, 63))
    modules(cut).double()
    remarks = plugin.initialise(cut)
    assert "57 convolutions inflated: repeated over time, divided by the frames" in remarks
    assert any("not used: aux1.*" in remark for remark in remarks)
    flat.fc = flat.dropout = nn.Identity()
    image = torch.randn(2, 3, 63, 63, dtype=torch.float64)  # at 63 both networks pad alike
    replicate_in_time(modules(cut)).eval()
    with torch.no_grad():
        torch.testing.assert_close(
            run(cut, image.unsqueeze(2).expand(-1, -1, 3, -1, -1)), flat(image), rtol=1e-12, atol=1e-12
        )
