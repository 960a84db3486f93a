"""Are labelled arrays, of a metric or an analysis, what they say they are?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmspec.plugins.api import LabelledArray
from mmspec.testing.claims import claim


def check_arrays(what: str, arrays: Mapping[str, LabelledArray]) -> None:
    """Claim that these are arrays of numbers by name, with axes and entries that fit."""
    claim(isinstance(arrays, Mapping), f"{what} must give arrays by name")
    for name, array in arrays.items():
        claim(isinstance(name, str) and name, f"{what}: {name!r} is no name")
        claim(isinstance(array, LabelledArray), f"{what}: {name!r} is {type(array).__name__}")
        claim(isinstance(array.values, np.ndarray), f"{what}: {name!r} holds {type(array.values).__name__}")
        dtype, shape, wanted = array.values.dtype, array.values.shape, tuple(map(len, array.entries))
        claim(dtype.kind in "biuf", f"{what}: {name!r} is of {dtype}, not numbers")
        claim(
            shape == wanted and len(array.axes) == len(wanted),
            f"{what}: {name!r} has the shape {shape}, but axes {array.axes} of {wanted} entries",
        )
        of_classes = tuple(map(len, array.classes))
        claim(
            of_classes in ((), wanted),
            f"{what}: {name!r} has the classes of {of_classes} entries, but axes of {wanted}",
        )


def alike(some: Mapping[str, LabelledArray], others: Mapping[str, LabelledArray], *, exactly: bool) -> bool:
    """Whether arrays have the same names, axes and entries, and the same values, or nearly."""
    near = np.array_equal if exactly else np.allclose
    return some.keys() == others.keys() and all(
        (a.axes, a.entries, a.classes) == (others[name].axes, others[name].entries, others[name].classes)
        and near(a.values, others[name].values, equal_nan=True)
        for name, a in some.items()
    )
