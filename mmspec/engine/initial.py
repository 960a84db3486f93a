"""The weights that a stage starts from: of an earlier stage, or put together from several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from torch import Tensor, nn

from mmspec.errors import GraphError
from mmspec.spec.model import InitFrom


def initialise_from(
    network: nn.Module,
    name: str,
    parts: Sequence[InitFrom],
    weights_of: Callable[[str], Mapping[str, Tensor]],
    say: Callable[[str], None],
) -> None:
    """Load from each stage what its patterns match; say what starts fresh, and what is not used.

    `name` is the stage of the network; `weights_of` gives the selected weights of an earlier stage.

    Raises:
        GraphError: nothing matches, shapes differ, or two stages give the same tensor.
    """
    own = network.state_dict()
    given: dict[str, str] = {}
    loaded: dict[str, Tensor] = {}
    for part in parts:
        weights = weights_of(part.stage)
        chosen = {key: value for key, value in weights.items() if _matches(part, key)}
        found = {key: value for key, value in chosen.items() if key in own}
        where = f"stage {name!r}: weights of {part.stage!r}: "
        if not found:
            raise GraphError(where + "no name matches", hint=f"{part.stage} has: {next(iter(weights))}, …")
        _check(where, found, own, given)
        given |= dict.fromkeys(found, part.stage)
        loaded |= found
        _say_names(say, f"{name}: ", chosen.keys() - own.keys(), f"of {part.stage} are not used")
    network.load_state_dict(loaded, strict=False)
    _say_names(say, f"{name}: ", own.keys() - loaded.keys(), "start fresh")


def _matches(part: InitFrom, name: str) -> bool:
    included = any(fnmatchcase(name, pattern) for pattern in part.include)
    return included and not any(fnmatchcase(name, pattern) for pattern in part.exclude)


def _check(
    where: str, found: Mapping[str, Tensor], own: Mapping[str, Tensor], given: Mapping[str, str]
) -> None:
    """Refuse tensors of another shape, and those that another stage has `given`."""
    if wrong := [key for key, value in found.items() if own[key].shape != value.shape]:
        hint = 'leave it out, e.g. exclude = ["branches.*.head.*"]'
        raise GraphError(where + f"{wrong[0]} has another shape there", hint=hint)
    if twice := [key for key in found if key in given]:
        hint = "say with include and exclude which stage gives it"
        raise GraphError(where + f"{given[twice[0]]!r} gives {twice[0]} as well", hint=hint)


def _say_names(say: Callable[[str], None], begin: str, names: set[str], what: str) -> None:
    if names:
        some = ", ".join(sorted(names)[:5]) + (", …" if len(names) > 5 else "")
        say(f"{begin}{len(names)} tensors {what}: {some}")
