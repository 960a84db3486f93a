"""What all checks are made of: claims that hold or fail with a sentence, and a watch on the device."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class ConformanceError(AssertionError):
    """A plugin breaks a promise."""


def claim(holds: object, otherwise: str) -> None:
    """Raise a ConformanceError with `otherwise` unless `holds`."""
    if not holds:
        raise ConformanceError(otherwise)


def works(what: str, act: Callable[..., T], *arguments: Any) -> T:
    """`act(*arguments)`, whose failure is a broken promise of `what`."""
    try:
        return act(*arguments)
    except ConformanceError:
        raise
    except Exception as error:
        raise ConformanceError(f"{what} raises {type(error).__name__}: {error}") from error


def same(a: Any, b: Any) -> bool:
    """Whether two nested values are equal to the bit; NaN equals NaN."""
    import torch

    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and _same_bits(a, b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, Sequence) and isinstance(b, Sequence) and not isinstance(a, str):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b) or (a != a and b != b)  # noqa: PLR0124 - NaN


def _same_bits(a: Tensor, b: Tensor) -> bool:
    import torch

    if a.is_floating_point():
        return torch.equal(a.nan_to_num(nan=0.0), b.nan_to_num(nan=0.0)) and torch.equal(a.isnan(), b.isnan())
    return torch.equal(a, b)


def stored(state: T) -> T:
    """A state as a checkpoint gives it back: a copy, made of tensors and plain values only."""
    import torch

    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    kept: T = works("reading a state back without running code", partial(torch.load, file, weights_only=True))
    return kept


def finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all of these tensors are finite."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def unsynced(what: str, act: Callable[..., T], *arguments: Any) -> T:
    """`act(*arguments)`, which may not wait for the device: no `.item()`, no `if tensor`."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = func.name().partition(".")[0]
            claim(
                name not in _WAITS and not (name in _INDEXES and _of_booleans(args[1])),
                f"{what} waits for the device ({name}): decide with tensors, do not ask for their values",
            )
            return func(*args, **(kwargs or {}))

    with Watch():  # type: ignore[no-untyped-call]
        return act(*arguments)


def _of_booleans(indices: Iterable[Tensor | None]) -> bool:
    """Whether a tensor is indexed by where another is true: how many these are, the host has to know."""
    return any(index is not None and str(index.dtype) == "torch.bool" for index in indices)


_INDEXES = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}
#: What torch calls underneath when the value of a tensor decides what Python does next.
_WAITS = {
    "aten::_local_scalar_dense", "aten::equal", "aten::is_nonzero", "aten::masked_select", "aten::nonzero",
}  # fmt: skip
