"""Backbones that may start from published weights: what their plugins share, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import attrs

from mmspec.plugins.api import (
    Backbone,
    Cut,
    DataError,
    GraphError,
    Mistake,
    Outline,
    Problem,
    hash_files,
    option,
)
from mmspec_torch.published import FILES

#: How the names of files of weights end; anything with a slash is a path as well.
SUFFIXES = (".pth", ".pt", ".tar")


@attrs.frozen
class Relative:
    """A 2-D network whose weights fit this one when they are inflated (Carreira & Zisserman 2017).

    A file is one of its, if it holds a parameter `marker`. `rename` gives a parameter the name that it has
    here; parameters whose names begin like an entry of `unused` have no place. torchvision enumerates its
    weights as `published_as`; `remark` is for the log.
    """

    published_as: str
    marker: str
    rename: Callable[[str], str]
    unused: tuple[str, ...]
    remark: str


@attrs.frozen(kw_only=True)
class Pretrained(Backbone):
    """A backbone whose option `weights` names a state dict of the uncut network."""

    #: What messages call it.
    network: ClassVar[str]
    #: torchvision's enumeration of weights for it, if it has one.
    published_as: ClassVar[str | None] = None
    #: What the classifier's parameters begin with.
    classifier: ClassVar[str] = "fc."
    relative: ClassVar[Relative | None] = None
    #: What a file of weights is, and where one is had.
    had_from: ClassVar[str] = "a state dict of torchvision's network, saved by torch.save"
    #: A shape of samples that it takes.
    example: ClassVar[tuple[int, ...]] = (3, 32, 32)

    weights: str = option(
        '"none": fresh; the path of a file with a state dict of the uncut network (.pth, .pt); or a name of '
        "torchvision's weights, which are fetched",
        default="none",
    )

    @classmethod
    def published(cls) -> Mapping[str, str]:
        """Names that `weights` may be, and their files: in full where they are another network's."""
        other = cls.relative.published_as if cls.relative else None
        names = {name: name.partition(".") for name in FILES}
        own = {
            version: FILES[name]
            for name, (network, _, version) in names.items()
            if network == cls.published_as
        }
        return own | {name: FILES[name] for name, (network, _, _) in names.items() if network == other}

    def original_name(self, stage: str, name: str) -> str:
        """What a parameter of a stage is called in the uncut network."""
        return f"{stage}.{name}"

    def renamed(self, name: str) -> str:
        """What a tensor of a file is called in the uncut network; of old files, names may differ."""
        return name

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """The weights are a known name or look like a path."""
        del outline
        path = "/" in self.weights or self.weights.endswith(SUFFIXES)
        if not path and self.weights != "none" and self.weights not in self.published():
            names = ", ".join(f'"{name}"' for name in ("none", *self.published()))
            hint = f"{names}, or the path of a file that ends in {' or '.join(SUFFIXES[:2])}"
            yield Mistake(
                f"there are no weights {self.weights!r} for {self.network}", option="weights", hint=hint
            )

    def check(self) -> Sequence[Problem]:
        """The weights are there and fit; published ones are fetched now, once for all runs."""
        if self.weights == "none":
            return ()
        if self.weights not in self.published() and not Path(self.weights).is_file():
            hint = f'{self.had_from}; weights = "none" starts afresh'
            return [Problem(f"there is no file {self.weights} with weights for {self.network}", hint=hint)]
        import torch

        with torch.device("meta"):
            cut = self.build(self.example)
        try:
            self.initialise(cut)
        except (DataError, GraphError) as error:
            return error.problems
        return ()

    def fingerprint(self) -> str | None:
        """The hash of the file of weights; of published ones the name, which carries it."""
        if self.weights == "none":
            return None
        path = Path(self.weights)
        return self.published().get(self.weights) or hash_files(path.parent, [path.name])

    @property
    def is_random(self) -> bool:
        """Only where it starts afresh."""
        return self.weights == "none"

    def smoke(self) -> Self:
        """The same network with fresh weights."""
        return attrs.evolve(self, weights="none")

    def initialise(self, cut: Cut) -> Sequence[str]:
        """Load the weights that the option names into a cut; what was used, left out and adapted."""
        if self.weights == "none":
            return ()
        from mmspec_torch.download import fetch
        from mmspec_torch.weights import load

        file = self.published().get(self.weights)
        own = {
            self.original_name(stage, name): tensor
            for stage, module in cut.stages.items()
            for name, tensor in module.state_dict().items()
        }
        return load(fetch(file) if file else Path(self.weights), own, self)
