"""What objective and metric ask of a stage: a target that it reads, groups that the data have, one branch."""

from __future__ import annotations

from collections.abc import Iterator

from mmspec.plugins.api import Mistake, Outline

#: The grouping that every dataset has: samples of one class.
CLASS = "class"
#: What borders are drawn between, if the data have such groups.
CATEGORY = "category"


def mistakes_of_target(outline: Outline, target: str) -> Iterator[Mistake]:
    """The stage reads a feature table under this name."""
    if target not in outline.reads:
        what = f"the stage reads nothing under the name {target!r}"
        hint = f'add reads.{target} = "STAGE", where STAGE extracts the features to become like'
        if outline.reads:
            hint = f"it reads {', '.join(outline.reads)}; or {hint}"
        yield Mistake(what, "target", hint)


def mistakes_of_grouping(outline: Outline, option: str, grouping: str) -> Iterator[Mistake]:
    """The dataset knows the grouping that `option` names."""
    known = (*outline.data.groups, CLASS) if outline.data else (grouping,)
    if grouping not in known:
        what = f"the dataset has no groups {grouping!r}"
        yield Mistake(what, option, f"it has {', '.join(known)}")


def mistakes_of_modality(outline: Outline, modality: str | None) -> Iterator[Mistake]:
    """It is clear which branch is meant."""
    branches = ", ".join(outline.modalities)
    if modality is None and len(outline.modalities) > 1:
        what = "it is not clear whose features are meant"
        yield Mistake(what, None, f"add modality = …: {branches}")
    elif modality is not None and modality not in outline.modalities:
        yield Mistake(f"there is no branch {modality!r}", "modality", f"branches: {branches}")
