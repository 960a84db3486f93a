from __future__ import annotations

import pytest

from mmspec.errors import RecordError
from mmspec.track.wandb.address import parse_address


def test_an_address_names_entity_and_project():
    address = parse_address("//lab/colored%20digits")

    assert (address.entity, address.project, address.query) == ("lab", "colored digits", {})
    assert str(address) == "wandb://lab/colored digits"


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("group=digits/guided", {"group": "digits/guided"}),
        ("tags=a&tags=b", {"tags": {"$in": ["a", "b"]}}),
        ("state=finished&job_type=train", {"$and": [{"state": "finished"}, {"jobType": "train"}]}),
        ("created_after=2026-01-31", {"createdAt": {"$gte": "2026-01-31T00:00:00Z"}}),
        ("created_before=2026-01-31T12:00:00%2B02:00", {"createdAt": {"$lt": "2026-01-31T10:00:00Z"}}),
        ('filters={"config.seed":{"$lt":3}}', {"config.seed": {"$lt": 3}}),
        ("filters=%7B%22%24or%22%3A%5B%7B%22group%22%3A%22a%22%7D%5D%7D", {"$or": [{"group": "a"}]}),
    ],
)
def test_filters_become_what_the_service_takes(query, filters):
    assert parse_address(f"//lab/digits?{query}").query == filters


@pytest.mark.parametrize(
    ("address", "told", "hint"),
    [
        ("//lab", '"wandb://lab" is no address', "wandb://entity/project"),
        ("", "is no address of a W&B project", "wandb://entity/project"),
        ("//lab/a/b", "is no address", "entity/project"),
        ("//lab/a#b", "is no address", "entity/project"),
        ("lab/a", "is no address", "entity/project"),
        ("//lab/a?state=finishd", "no run in the state", 'did you mean "finished"'),
        ("//lab/a?created_after=yesterday", '"yesterday" is no date', "2026-01-31"),
        ("//lab/a?created_after=2026-01-01&created_after=2026-01-02", "given 2 times", "once"),
        ("//lab/a?group=", "group has no value", "group="),
        ("//lab/a?filters={", "filters is no JSON", "config.seed"),
        ("//lab/a?filters=[1]", "must be a JSON object", "filters="),
        ('//lab/a?filters={"a":{"$sum":1}}', 'no operator "$sum"', "$and"),
        ("//lab/a?grup=x", 'no filter "grup"', 'did you mean "group"'),
    ],
)
def test_what_is_wrong_with_an_address_is_told(address, told, hint):
    with pytest.raises(RecordError) as error:
        parse_address(address)
    (problem,) = error.value.problems
    assert told in problem.what
    assert hint in problem.hint
