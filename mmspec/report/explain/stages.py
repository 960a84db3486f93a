"""Which stage of a run made a number, and all the stages that what it took came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mmspec.graph.stages import StageNode, stage_graph
from mmspec.plugins.recorded import RecordedRun


def about_stages(run: RecordedRun, value: str) -> Iterator[tuple[str, str]]:
    """The stage that made a value, at which checkpoint, and where what it took came from.

    Of a run with a single stage only the checkpoint is said.
    """
    nodes = {node.name: node for node in stage_graph(run.spec["stages"])}
    made = nodes.get(run.place_of(value).stage)
    if made is None:
        return
    if len(nodes) > 1:
        yield "made by", f"stage {made.name}: {_in_words(made)}"
        if made.inputs:
            yield "takes", "\n".join(each.words for each in made.inputs)
    if at := _selected(run, made.name):
        yield "measured at", at
    if earlier := [name for name in _before(made, nodes) if name != made.name]:
        yield "comes from", "\n".join(_lineage(run, nodes[name]) for name in nodes if name in earlier)


def _in_words(node: StageNode) -> str:
    """What a stage does, with its dataset and network."""
    of = " → ".join(filter(None, (node.data, node.network)))
    return node.does + (f", {of}" if of else "")


def _lineage(run: RecordedRun, node: StageNode) -> str:
    """What an earlier stage did, what it took itself, and at which epoch it ended."""
    takes = "; ".join(each.words for each in node.inputs)
    at = _selected(run, node.name) if node.kind == "trains" else ""
    return f"{node.name}: {_in_words(node)}" + "".join(f"; {said}" for said in (takes, at) if said)


def _before(node: StageNode, nodes: Mapping[str, StageNode]) -> set[str]:
    """The names of all stages that a stage depends on, directly or not."""
    found: set[str] = set()
    waiting: Sequence[str] = [each.stage for each in node.inputs]
    while waiting:
        new = [name for name in waiting if name in nodes and name not in found]
        found.update(new)
        waiting = [each.stage for name in new for each in nodes[name].inputs]
    return found


def _selected(run: RecordedRun, stage: str) -> str:
    """The checkpoint that a stage's values are of; empty where it trains nothing."""
    result = run.stages.get(stage, {})
    chosen = result.get("selected")
    if not result.get("epochs") or not isinstance(chosen, Mapping) or chosen.get("epoch") is None:
        return ""
    by = f", by {chosen['metric']} = {chosen.get('value')!r}" if chosen.get("metric") else ""
    return f"epoch {chosen['epoch']} of {result['epochs']}{by}"
