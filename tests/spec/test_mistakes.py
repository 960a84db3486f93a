import pytest
from told import FOLDER, cases, told


@pytest.mark.parametrize("case", cases())
def test_what_a_mistake_is_told_as(case):
    expected = (FOLDER / f"{case}.txt").read_text(encoding="utf-8")

    assert told(case) == expected


def test_every_text_has_its_spec():
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(cases())
    assert len(cases()) >= 45
