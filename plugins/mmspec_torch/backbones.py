"""torchvision's residual networks as branches, cut after their four layers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import attrs

from mmspec.plugins.api import Backbone, Cut, Mistake, Outline, option


@attrs.frozen(kw_only=True)
class ResNet(Backbone):
    """What residual networks share; stages stem, layer1, layer2, layer3, layer4."""

    network: ClassVar[str]

    weights: str = option(
        'a file with a state dict of torchvision\'s network (.pth); "none": fresh weights', default="none"
    )

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """The file of weights is there."""
        del outline
        if self.weights != "none" and not Path(self.weights).is_file():
            hint = '"none" for fresh weights, or a state dict of torchvision\'s network on this machine'
            yield Mistake(f"there is no file {self.weights}", option="weights", hint=hint)

    def stage_names(self) -> tuple[str, ...]:
        """The stem and the four layers."""
        return ("stem", "layer1", "layer2", "layer3", "layer4")

    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for images (C, H, W) with any number of channels, without its classifier."""
        from mmspec_torch.resnet import resnet

        return resnet(self.network, shape, None if self.weights == "none" else Path(self.weights))


@attrs.frozen(kw_only=True)
class ResNet18(ResNet):
    """ResNet-18 (He et al. 2016), for images; pooled features of size 512."""

    network = "resnet18"


@attrs.frozen(kw_only=True)
class ResNet34(ResNet):
    """ResNet-34 (He et al. 2016), for images; pooled features of size 512."""

    network = "resnet34"


@attrs.frozen(kw_only=True)
class ResNet50(ResNet):
    """ResNet-50 (He et al. 2016), for images; pooled features of size 2048."""

    network = "resnet50"
