"""A residual network that grows by one layer at a time."""

from __future__ import annotations

import attrs

from mmspec.plugins.api import Backbone, Cut, at_least, option


@attrs.frozen(kw_only=True)
class GrowingResNet(Backbone):
    """ResNet of basic blocks that grows with `depth`; stages stem, layer1, …, layer<depth + 1>.

    Each step of depth adds a layer of two blocks, of twice the channels at half the size. With 64 channels
    depth 1 is ResNet-18 (He et al. 2016) without layer3 and layer4, depth 2 without layer4, depth 3 all of
    it. All that depth d has is in depth d + 1 under the same names, so `init_from` fills it, the head left
    out: `exclude = ["branches.*.head.*"]`. Pooled features: `width` · 2^depth, the mean over the map,
    whatever its size.
    """

    depth: int = option(
        "how often it has grown; 1: two layers behind the stem", default=1, validator=at_least(1)
    )
    width: int = option("channels of the stem and of layer1", default=64, validator=at_least(1))

    def stage_names(self) -> tuple[str, ...]:
        """The stem, and one layer more than `depth`."""
        return ("stem", *(f"layer{i}" for i in range(1, self.depth + 2)))

    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for images (C, H, W) of any size with any number of channels."""
        from mmspec_modnet.growing import growing_resnet

        return growing_resnet(shape, self.stage_names()[1:], self.width)
