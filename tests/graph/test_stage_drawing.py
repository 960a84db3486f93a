"""The graph of a run's stages: what is said of each, and that nothing in the picture covers anything."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest

from mmspec.graph.layered import Box, Link, lay_out
from mmspec.graph.stages import as_mermaid, as_svg, as_text, stage_graph

SVG = "{http://www.w3.org/2000/svg}"
NETWORK = {
    "dataset": {"use": "colored_digits"},
    "modalities": {"grey": {"backbone": {"use": "small_cnn"}}, "color": {"backbone": {"use": "small_cnn"}}},
    "fusion": {"use": "mmtm"},
    "train": {"epochs": 12},
}
HEAD = "branches.*.head.*"
STAGES = [
    {"name": "learn", **NETWORK},
    {"name": "grown", **NETWORK, "init_from": {"stage": "learn", "include": ["*"], "exclude": [HEAD]}},
    {
        "name": "after",
        **NETWORK,
        "train": {"epochs": 0},
        "assemble": [{"stage": "grown"}, {"stage": "learn", "include": [HEAD], "exclude": []}],
    },
    {"name": "features", **NETWORK, "extract": {"layer": "stages.conv3", "modality": "grey", "pool": "mean"}},
    {
        "name": "likeness",
        "analysis": {"use": "sit"},
        "reads": {
            "features": {"stage": "features", "shuffle": None, "seed": 0},
            "target": {"stage": "features", "shuffle": "object", "seed": 3},
        },
    },
]


def test_what_is_said_of_each_stage():
    learn, grown, after, features, likeness = stage_graph(STAGES)
    assert learn.lines == ["trains, 12 epochs", "colored_digits", "small_cnn + mmtm"]
    assert [each.words for each in grown.inputs] == [f"weights ← learn, but {HEAD}"]
    assert (after.does, [each.words for each in after.inputs]) == (
        "measures",
        ["weights ← grown", f"weights ← learn, only {HEAD}"],
    )
    assert features.does == "extracts stages.conv3 of grey, its mean over space"
    assert likeness.lines == [
        "analysis sit",
        "features ← features",
        "target ← features, shuffled (object, seed 3)",
    ]
    assert [each.shuffled for each in likeness.inputs] == [False, True]
    assert [node.kind for node in stage_graph(STAGES)] == [
        "trains", "trains", "measures", "extracts", "analyses",
    ]  # fmt: skip


def test_as_text_a_line_each_and_one_for_each_input():
    lines = as_text(stage_graph(STAGES)).splitlines()
    assert lines[0] == "5 stages"
    assert lines[1].split() == [
        "learn",
        "trains,",
        "12",
        "epochs",
        "colored_digits",
        "→",
        "small_cnn",
        "+",
        "mmtm",
    ]
    assert lines[3].strip() == f"weights ← learn, but {HEAD}"
    assert lines[-1].strip() == "target ← features, shuffled (object, seed 3)"


def test_as_mermaid_reading_is_dotted():
    said = as_mermaid(stage_graph(STAGES))
    assert 's0 -- "weights, but branches.*.head.*" --> s1' in said
    assert 's3 -. "target, shuffled (object, seed 3)" .-> s4' in said


def test_the_picture_has_every_stage_line_and_kind_of_line():
    root = ET.fromstring(as_svg(stage_graph(STAGES)))
    said = [element.text for element in root.iter(f"{SVG}text")]
    assert {"learn", "likeness", "analysis sit", "target ← features, shuffled (object, seed 3)"} <= set(said)
    looks = [path.get("class") for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert sorted(looks) == ["edge reads", "edge shuffled", *["edge weights"] * 3]
    assert {"weights", "what is read", "read shuffled"} <= set(said)  # the legend


def test_names_are_escaped_and_cut_to_their_boxes():
    hostile = '<script>"&amp;' + "W" * 200
    nodes = stage_graph([{"name": hostile, "dataset": {"use": hostile}, "train": {"epochs": 1}}])
    root = ET.fromstring(as_svg(nodes))
    (box,) = (rect for rect in root.iter(f"{SVG}rect") if rect.get("class") != "paper")
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert float(box.get("width")) <= 280
    assert max(len(text) for text in texts) < 40
    assert hostile in next(root.iter(f"{SVG}g")).find(f"{SVG}title").text
    assert "<script>" not in as_mermaid(nodes)


@pytest.mark.parametrize("count", [1, 2, 5, 12, 30])
def test_no_box_covers_a_box_or_a_line(count):
    draw = random.Random(count)
    boxes = {f"s{i}": Box(draw.uniform(80, 280), draw.uniform(40, 150)) for i in range(count)}
    links = [
        Link(f"s{j}", f"s{i}", draw.choice(["weights", "reads"]))
        for i in range(count)
        for j in sorted(draw.sample(range(i), min(i, draw.randrange(4))))
    ]
    placed = lay_out(boxes, links)
    corners = {name: (*placed.corners[name], box.width, box.height) for name, box in boxes.items()}
    for (a, first), (b, second) in combinations(corners.items(), 2):
        assert not _overlap(first, second), (a, b)
    for link, path in zip(links, placed.paths, strict=True):
        for part in pairwise(path):
            inside = [name for name, box in corners.items() if _crosses(part, box)]
            assert not inside, (link, inside)
        assert [y for _, y in path] == sorted(y for _, y in path)
    assert all(x >= -0.1 and x + w <= placed.width + 0.1 for x, _, w, _ in corners.values())


def test_lines_of_one_source_that_go_down_beside_boxes_run_together():
    boxes = {name: Box(100, 50) for name in "abcd"}
    links = [
        Link("a", "b", "reads"),
        Link("b", "c", "reads"),
        Link("c", "d", "reads"),
        Link("a", "c", "reads"),
    ]
    alone = lay_out(boxes, [*links, Link("a", "d", "weights")]).paths
    together = lay_out(boxes, [*links, Link("a", "d", "reads")]).paths
    assert alone[3][2:4] != alone[4][2:4]
    assert together[3][2:4] == together[4][2:4]


def _overlap(first, second):
    (ax, ay, aw, ah), (bx, by, bw, bh) = first, second
    return ax < bx + bw and bx < ax + aw and ay < by + bh and by < ay + ah


def _crosses(part, box):
    """Whether the rectangle around this part of a line, all that its curve keeps within, is in a box."""
    (x1, y1), (x2, y2) = part
    x, y, width, height = box
    return (
        max(x1, x2) > x + 0.2
        and min(x1, x2) < x + width - 0.2
        and max(y1, y2) > y + 0.2
        and min(y1, y2) < y + height - 0.2
    )


def test_every_point_of_a_path_is_a_number():
    drawn = as_svg(stage_graph(STAGES))
    assert not re.search(r"nan|inf", drawn)


def test_what_is_tied_to_nothing_stands_beside_the_rest():
    names = ["alone", "first", *(f"below{i}" for i in range(8))]
    boxes = {name: Box(100.0, 40.0) for name in names}
    placed = lay_out(boxes, [Link("first", name, "reads") for name in names[2:]])
    row = 8 * 100 + 7 * 24
    assert placed.width <= row  # it widens nothing
    assert placed.corners["alone"][0] + 100 <= placed.corners["first"][0]
    assert placed.corners["first"][0] - placed.corners["alone"][0] < 200
