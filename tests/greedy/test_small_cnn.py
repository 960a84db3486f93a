"""The small convolutional branch."""

from __future__ import annotations

import pytest
import torch

from mmspec.errors import GraphError
from mmspec.plugins.api import Outline
from mmspec_greedy.backbones import SmallCnn

OUTLINE = Outline(modalities=("a",), stages={}, data=None, splits={}, fusion=None)


@pytest.mark.parametrize("channels", [1, 3, 7])
def test_stages_of_the_recipe(channels):
    cut = SmallCnn().build((channels, 28, 28))
    assert tuple(cut.stages) == SmallCnn().stage_names() == ("conv1", "conv2", "conv3", "conv4")
    x = torch.randn(2, channels, 28, 28)
    shapes = []
    for stage in cut.stages.values():
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
        assert [type(part).__name__ for part in stage] == ["Conv2d", "BatchNorm2d", "ReLU"]
    assert shapes == [(16, 28, 28), (32, 14, 14), (64, 7, 7), (64, 4, 4)]
    torch.testing.assert_close(cut.pool(x), x.mean(dim=(2, 3)))


def test_channels_and_strides_are_options():
    plugin = SmallCnn(channels=(4, 8), strides=(2, 1))
    cut = plugin.build((1, 9, 9))
    assert plugin.stage_names() == ("conv1", "conv2")
    assert cut.stages["conv2"](cut.stages["conv1"](torch.randn(2, 1, 9, 9))).shape == (2, 8, 5, 5)


def test_one_stride_for_each_stage():
    (mistake,) = SmallCnn(channels=(4, 8)).mistakes(OUTLINE)
    assert mistake.option == "strides"
    assert not list(SmallCnn().mistakes(OUTLINE))


@pytest.mark.parametrize("options", [{"channels": ()}, {"channels": (0,)}, {"strides": (1, -1)}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        SmallCnn(**options)


def test_samples_that_are_no_images_are_refused():
    with pytest.raises(GraphError, match="takes images"):
        SmallCnn().build((3, 100))
