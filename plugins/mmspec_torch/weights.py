"""Published weights into a network: read, match by name, adapt, say what was done with them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mmspec.plugins.api import DataError, GraphError, Problem
from mmspec_torch.inflate import inflate, spread

if TYPE_CHECKING:
    from mmspec_torch.pretrained import Pretrained


#: Under these keys training scripts keep the state dict, beside epochs and optimizers.
WRAPPERS = ("state_dict", "model_state_dict", "model")
#: What wrappers of networks put before each name.
PREFIXES = ("module.", "_orig_mod.")


def load(path: Path, own: Mapping[str, Tensor], plugin: Pretrained) -> list[str]:
    """Copy the weights of a file into the tensors `own`, which have the names of the uncut network.

    The first of them is the first convolution's weight, whose input channels are adapted. All of `own` must
    be in the file, and nothing else but classifiers. Returns remarks.

    Raises:
        DataError: the file cannot be read.
        GraphError: it is of another network.
    """
    given, remarks = _read(path)
    relative = plugin.relative if plugin.relative and plugin.relative.marker in given else None
    left = [name for name in given if name.startswith(relative.unused if relative else plugin.classifier)]
    rename = relative.rename if relative else plugin.renamed
    given = {rename(name): tensor for name, tensor in given.items() if name not in left}
    first = next(iter(own))
    fitted = {name: _fit(given[name], own[name], name == first) for name in own if name in given}
    if problems := list(_misfits(path, plugin.network, given, own, fitted)):
        raise GraphError(problems)
    with torch.no_grad():
        for name, tensor in fitted.items():
            own[name].copy_(tensor)
    remarks = [f"weights from {path}: {len(fitted)} tensors", *remarks]
    if left:
        remarks.append(f"not used: {_counted(left)}")
    if (channels := given[first].shape[1]) != own[first].shape[1]:
        what = f"{channels} input channels summed up for {own[first].shape[1]}"
        remarks.append(f"first convolution: {what}, so that grey colour images give what they gave")
    if inflated := [name for name in fitted if given[name].ndim < own[name].ndim]:
        remarks.append(f"{len(inflated)} convolutions inflated: repeated over time, divided by the frames")
    return [*remarks, relative.remark] if relative else remarks


def _read(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The state dict in a file, and what was around it; only tensors and plain containers are unpickled."""
    hint = "a state dict as torch.save writes it: {name of parameter: tensor}"
    try:
        with warnings.catch_warnings(action="ignore"):  # of an unusual pickle protocol, which is read as well
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged file makes the reader raise anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        if reason.startswith("Weights only load failed"):  # and how to run its code: no advice of ours
            reason = "it is damaged, or holds more than tensors in plain containers"
        raise DataError(f"{path} cannot be read as weights: {reason}", hint=hint) from None
    remarks = []
    for key in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
            remarks.append(f"the state dict is the file's entry {key!r}")
    if not isinstance(found, Mapping) or not found or not all(map(_is_entry, found.items())):
        raise DataError(f"{path} holds no state dict", hint=hint)
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in found):
            found = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
            remarks.append(f"names without their prefix {prefix!r}")
    return dict(found), remarks


def _is_entry(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _fit(given: Tensor, own: Tensor, first: bool) -> Tensor:
    """A tensor of a file, adapted as far as it can be to the shape that is needed here."""
    if given.ndim == 4 and own.ndim == 5:
        given = inflate(given, own.shape[2])
    if first and given.ndim == own.ndim and given.shape[1] != own.shape[1]:
        given = spread(given, own.shape[1])
    return given


def _misfits(
    path: Path,
    network: str,
    given: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    fitted: Mapping[str, Tensor],
) -> Iterable[Problem]:
    """What a file lacks, what it has beside, what has another shape, and what is no number."""
    # files written before 2018 have no such counters, and nothing here reads them
    lacking = [name for name in own if name not in given and not name.endswith("num_batches_tracked")]
    shapes = [
        f"{name} {tuple(given[name].shape)}, not {tuple(own[name].shape)}"
        for name, tensor in fitted.items()
        if tensor.shape != own[name].shape
    ]
    yield from _listed(f"{path} lacks", lacking)
    yield from _listed(f"{path} has, but {network} does not,", [name for name in given if name not in own])
    yield from _listed(f"{path} has, in other shapes than {network},", shapes)
    # torchvision's file VGG16_Weights.IMAGENET1K_FEATURES has no valid numbers behind the convolutions
    broken = [name for name, tensor in fitted.items() if not bool(tensor.isfinite().all())]
    yield from _listed(f"{path} has NaN or infinity in", broken)


def _listed(what: str, names: list[str]) -> Iterable[Problem]:
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        yield Problem(f"{what} {', '.join(names[:5])}{more}")


def _counted(names: Iterable[str]) -> str:
    """Names by what they begin with: fc.* (2), aux1.* (10)."""
    counts = Counter(name.partition(".")[0] for name in names)
    return ", ".join(f"{beginning}.* ({count})" for beginning, count in sorted(counts.items()))
