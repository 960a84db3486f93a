"""What all plugins share, and what they are told of a spec."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import attrs

from mmspec.errors import Problem

if TYPE_CHECKING:
    from mmspec.plugins.api import Fusion

Role = Literal["train", "validation", "test"]


@attrs.frozen
class ModalityInfo:
    """What one modality's samples are: `shape` (C, *space) and how a raw value x is normalised.

    The network sees (x * scale - mean) / std, per channel.
    """

    shape: tuple[int, ...]
    dtype: str = "uint8"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


@attrs.frozen
class DataInfo:
    """What a dataset offers, known without reading it.

    `splits` gives each split its role: nothing is ever selected on role "test", and no sample may be in
    splits of two roles. `groups` names the groupings (subject, object) that `[split] group_by` can use.
    """

    modalities: Mapping[str, ModalityInfo]
    classes: tuple[str, ...]
    splits: Mapping[str, Role]
    groups: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Outline:
    """What a stage as a whole says, told to each plugin so that it can refuse what does not fit.

    `reads` are the names under which the stage reads what earlier ones have left.
    """

    modalities: tuple[str, ...]
    stages: Mapping[str, tuple[str, ...]]
    data: DataInfo | None
    splits: Mapping[str, Role]
    fusion: type[Fusion] | None
    metric_names: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


@attrs.frozen
class Mistake:
    """A plugin's answer to an `Outline` it does not fit: which `option` (None: the plugin itself) and why."""

    what: str
    option: str | None = None
    hint: str | None = None


@attrs.frozen
class Plugin(ABC):
    """What all plugins share."""

    kind: ClassVar[str]

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """What in the rest of the spec this plugin cannot work with; asked without torch, before any data."""
        del outline
        return ()

    def check(self) -> Sequence[Problem]:
        """What it needs and does not find on this machine, and where to get it; quick."""
        return ()

    def fingerprint(self) -> str | None:
        """A hash of what it reads from files, the same wherever they lie; None if it reads nothing."""
        return None

    def smoke(self) -> Self:
        """The same plugin at the size of a smoke run: quick on any machine, without files of its own."""
        return self
