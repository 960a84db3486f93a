"""The small branch networks of the coloured digits."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from mmspec.plugins.api import Backbone, Cut, Mistake, Outline, option


def _all_positive(_: object, __: object, values: tuple[int, ...]) -> None:
    if not values or min(values) < 1:
        raise ValueError(f"must be one or more numbers of 1 or above, not {list(values)!r}")


@attrs.frozen(kw_only=True)
class SmallCnn(Backbone):
    """A few 3x3 convolutions with BatchNorm and ReLU, then the global mean; stages conv1, conv2, …"""

    channels: tuple[int, ...] = option(
        "channels of each stage", default=(16, 32, 64, 64), validator=_all_positive
    )
    strides: tuple[int, ...] = option(
        "stride of each stage; as many as channels", default=(1, 2, 2, 2), validator=_all_positive
    )

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """One stride for each stage."""
        del outline
        if len(self.strides) != len(self.channels):
            what = f"{len(self.strides)} strides for {len(self.channels)} stages"
            yield Mistake(what, option="strides", hint="as many strides as channels")

    def stage_names(self) -> tuple[str, ...]:
        """conv1, conv2, …: one for each entry of `channels`."""
        return tuple(f"conv{i}" for i in range(1, len(self.channels) + 1))

    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for images (C, H, W) with any number of channels."""
        from mmspec_greedy.small_cnn import small_cnn

        return small_cnn(shape, self.stage_names(), self.channels, self.strides)
