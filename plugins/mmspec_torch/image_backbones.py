"""AlexNet, VGG, SqueezeNet and DenseNet for images, as branches cut into stages before their last layers."""

from __future__ import annotations

from typing import ClassVar

import attrs

from mmspec.plugins.api import Cut, GraphError, between, one_of, option
from mmspec_torch.pretrained import Pretrained
from mmspec_torch.renaming import densenet_of_2017


@attrs.frozen(kw_only=True)
class ImageNetwork(Pretrained):
    """What these networks share; they were published for images of 224 x 224."""

    example = (3, 224, 224)
    classifier = "classifier."
    #: Height and width of the smallest images of which something is left behind the last pooling.
    smallest: ClassVar[int]

    def original_name(self, stage: str, name: str) -> str:
        """As in torchvision's network, which numbers its layers."""
        del stage
        return f"features.{name}"

    def channels(self, shape: tuple[int, ...]) -> int:
        """How many channels samples of `shape` have.

        Raises:
            GraphError: they are no images, or too small.
        """
        if len(shape) != 3:
            raise GraphError(
                f"{self.network} takes images (channels, height, width), not samples of shape {shape}"
            )
        if min(shape[1:]) < self.smallest:
            raise GraphError(
                f"{self.network} takes images of {self.smallest} x {self.smallest} or larger, not "
                f"{shape[1]} x {shape[2]}: nothing is left of them behind its last pooling"
            )
        return shape[0]


# ---------------------------------------------------------------- AlexNet and VGG


@attrs.frozen(kw_only=True)
class FullyConnected(ImageNetwork):
    """What AlexNet and VGG share; stages conv1 to conv5, each with its pooling, fc6 and fc7."""

    classifier = "classifier.6."

    relu: str = option(
        'features of fc7 "before" or "after" its ReLU', default="before", validator=one_of("before", "after")
    )
    dropout: float = option(
        "probability of a zero around the fully connected layers, in training",
        default=0.5,
        validator=between(0, 1),
    )

    def stage_names(self) -> tuple[str, ...]:
        """Convolutions and fully connected layers by their published names."""
        return ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")

    def original_name(self, stage: str, name: str) -> str:
        """As in torchvision's network, which numbers its layers."""
        return f"classifier.{name}" if stage in {"fc6", "fc7"} else f"features.{name}"


@attrs.frozen(kw_only=True)
class AlexNet(FullyConnected):
    """AlexNet (Krizhevsky 2014), for images; features fc7 of size 4096."""

    network = "alexnet"
    published_as = "AlexNet_Weights"
    smallest = 63

    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for images (C, H, W) with any number of channels, up to fc7."""
        from mmspec_torch.image_networks import alexnet

        return alexnet(self.channels(shape), self.stage_names(), relu=self.relu, dropout=self.dropout)


@attrs.frozen(kw_only=True)
class Vgg(FullyConnected):
    """What the VGGs share; stages conv1 to conv5 hold one to four convolutions each."""

    network: ClassVar[str]
    smallest = 32

    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for images (C, H, W) with any number of channels, up to fc7."""
        from mmspec_torch.image_networks import vgg

        return vgg(
            self.network, self.channels(shape), self.stage_names(), relu=self.relu, dropout=self.dropout
        )


@attrs.frozen(kw_only=True)
class Vgg11(Vgg):
    """VGG-11 (Simonyan & Zisserman 2015), for images; features fc7 of size 4096."""

    network = "vgg11"
    published_as = "VGG11_Weights"


@attrs.frozen(kw_only=True)
class Vgg11Bn(Vgg):
    """VGG-11 with BatchNorm (Simonyan & Zisserman 2015), for images; features fc7 of size 4096."""

    network = "vgg11_bn"
    published_as = "VGG11_BN_Weights"


@attrs.frozen(kw_only=True)
class Vgg13(Vgg):
    """VGG-13 (Simonyan & Zisserman 2015), for images; features fc7 of size 4096."""

    network = "vgg13"
    published_as = "VGG13_Weights"


@attrs.frozen(kw_only=True)
class Vgg13Bn(Vgg):
    """VGG-13 with BatchNorm (Simonyan & Zisserman 2015), for images; features fc7 of size 4096."""

    network = "vgg13_bn"
    published_as = "VGG13_BN_Weights"


@attrs.frozen(kw_only=True)
class Vgg16(Vgg):
    """VGG-16 (Simonyan & Zisserman 2015), for images; features fc7 of size 4096."""

    network = "vgg16"
    published_as = "VGG16_Weights"


@attrs.frozen(kw_only=True)
class Vgg16Bn(Vgg):
    """VGG-16 with BatchNorm (Simonyan & Zisserman 2015), for images; features fc7 of size 4096."""

    network = "vgg16_bn"
    published_as = "VGG16_BN_Weights"


@attrs.frozen(kw_only=True)
class Vgg19(Vgg):
    """VGG-19 (Simonyan & Zisserman 2015), for images; features fc7 of size 4096."""

    network = "vgg19"
    published_as = "VGG19_Weights"


@attrs.frozen(kw_only=True)
class Vgg19Bn(Vgg):
    """VGG-19 with BatchNorm (Simonyan & Zisserman 2015), for images; features fc7 of size 4096."""

    network = "vgg19_bn"
    published_as = "VGG19_BN_Weights"


# ---------------------------------------------------------------- SqueezeNet


@attrs.frozen(kw_only=True)
class SqueezeNet(ImageNetwork):
    """What the SqueezeNets share; stages conv1, fire2 to fire9, each with the pooling behind it."""

    network: ClassVar[str]

    def stage_names(self) -> tuple[str, ...]:
        """The layers by their published names."""
        return ("conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")

    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for images (C, H, W) with any number of channels, without its last convolution."""
        from mmspec_torch.image_networks import squeezenet

        return squeezenet(self.network, self.channels(shape), self.stage_names())


@attrs.frozen(kw_only=True)
class SqueezeNet10(SqueezeNet):
    """SqueezeNet 1.0 (Iandola et al. 2016), for images; pooled features of size 512."""

    network = "squeezenet1_0"
    published_as = "SqueezeNet1_0_Weights"
    smallest = 21


@attrs.frozen(kw_only=True)
class SqueezeNet11(SqueezeNet):
    """SqueezeNet 1.1, of less arithmetic than 1.0, for images; pooled features of size 512."""

    network = "squeezenet1_1"
    published_as = "SqueezeNet1_1_Weights"
    smallest = 17


# ---------------------------------------------------------------- DenseNet


@attrs.frozen(kw_only=True)
class DenseNet(ImageNetwork):
    """What the DenseNets share; stages stem, dense blocks with transitions between them, and norm5."""

    network: ClassVar[str]
    smallest = 29

    relu: str = option(
        'features pooled "before" or "after" the last ReLU, which torchvision has behind norm5',
        default="before",
        validator=one_of("before", "after"),
    )

    def stage_names(self) -> tuple[str, ...]:
        """The stem, and what is behind it by torchvision's names."""
        return (
            "stem", "denseblock1", "transition1", "denseblock2", "transition2", "denseblock3", "transition3",
            "denseblock4", "norm5",
        )  # fmt: skip

    def original_name(self, stage: str, name: str) -> str:
        """As in torchvision's network, which has no name for its stem."""
        return f"features.{name}" if stage == "stem" else f"features.{stage}.{name}"

    def renamed(self, name: str) -> str:
        """Torchvision's own files still have the names of 2017."""
        return densenet_of_2017(name)

    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for images (C, H, W) with any number of channels, without its classifier."""
        from mmspec_torch.image_networks import densenet

        return densenet(self.network, self.channels(shape), self.stage_names(), relu=self.relu)


@attrs.frozen(kw_only=True)
class DenseNet121(DenseNet):
    """DenseNet-121 (Huang et al. 2017), for images; pooled features of size 1024."""

    network = "densenet121"
    published_as = "DenseNet121_Weights"


@attrs.frozen(kw_only=True)
class DenseNet161(DenseNet):
    """DenseNet-161 (Huang et al. 2017), for images; pooled features of size 2208."""

    network = "densenet161"
    published_as = "DenseNet161_Weights"


@attrs.frozen(kw_only=True)
class DenseNet169(DenseNet):
    """DenseNet-169 (Huang et al. 2017), for images; pooled features of size 1664."""

    network = "densenet169"
    published_as = "DenseNet169_Weights"


@attrs.frozen(kw_only=True)
class DenseNet201(DenseNet):
    """DenseNet-201 (Huang et al. 2017), for images; pooled features of size 1920."""

    network = "densenet201"
    published_as = "DenseNet201_Weights"
