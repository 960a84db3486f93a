"""The names that parameters of files have in the networks of today: other networks', and older ones."""

from __future__ import annotations

import re

#: torchvision's GoogLeNet and I3D: the same blocks under other names.
_BLOCKS = {
    "conv1": "Conv3d_1a_7x7",
    "conv2": "Conv3d_2b_1x1",
    "conv3": "Conv3d_2c_3x3",
    "inception3a": "Mixed_3b",
    "inception3b": "Mixed_3c",
    "inception4a": "Mixed_4b",
    "inception4b": "Mixed_4c",
    "inception4c": "Mixed_4d",
    "inception4d": "Mixed_4e",
    "inception4e": "Mixed_4f",
    "inception5a": "Mixed_5b",
    "inception5b": "Mixed_5c",
}
_BRANCHES = {
    "branch1": "b0",
    "branch2.0": "b1a",
    "branch2.1": "b1b",
    "branch3.0": "b2a",
    "branch3.1": "b2b",
    "branch4.1": "b3b",
}


def googlenet_to_i3d(name: str) -> str:
    """A parameter of torchvision's GoogLeNet in I3D: inception3a.branch2.1.conv.* is Mixed_3b.b1b.conv3d.*"""
    block, _, rest = name.partition(".")
    for branch, own in _BRANCHES.items():
        if rest.startswith(f"{branch}."):
            rest = own + rest.removeprefix(branch)
    return f"{_BLOCKS.get(block, block)}.{rest.replace('conv.', 'conv3d.')}"


def resnet_to_video(name: str) -> str:
    """A parameter of torchvision's ResNet-18 in its video ResNets: layer1.0.bn2.* is layer1.0.conv2.1.*"""
    parts = name.split(".")
    if parts[0] in {"conv1", "bn1"}:
        return ".".join(["stem", "0" if parts[0] == "conv1" else "1", *parts[1:]])
    if len(parts) == 4 and parts[2] != "downsample":
        kind, number = parts[2][:-1], parts[2][-1]
        parts[2] = f"conv{number}.{0 if kind == 'conv' else 1}"
    return ".".join(parts)


#: A layer's parts in the files of DenseNets: denselayer1.norm.2.weight.
_DOTTED = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")


def densenet_of_2017(name: str) -> str:
    """A parameter of a DenseNet from before modules' names could have no dots: norm.2.* is norm2.*"""
    return _DOTTED.sub(r"\1\2", name)
