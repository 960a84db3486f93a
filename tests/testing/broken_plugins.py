"""Making broken plugins, and hearing what a check says about them."""

from __future__ import annotations

import attrs
import pytest

from mmspec.testing import ConformanceError


def plugin(base, **methods):
    """A plugin of this kind with these methods."""
    return attrs.frozen(kw_only=True)(type("It", (base,), {"__doc__": "It.", **methods}))()


def told(check, *arguments) -> str:
    """What the check says about a broken plugin."""
    with pytest.raises(ConformanceError) as error:
        check(*arguments)
    return str(error.value)
