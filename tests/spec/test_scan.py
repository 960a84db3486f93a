import tomli
from hypothesis import given
from toml_writer import documents

from mmspec.spec.scan import scan


def paths(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {path} if path else set()
    for step, item in items:
        found |= paths(item, (*path, step))
    return found


@given(documents())
def test_finds_the_keys_that_tomli_finds_where_they_stand(text):
    parsed = tomli.loads(text)
    spans = scan(text)

    assert set(spans) == paths(parsed)
    for path, span in spans.items():
        if span.key:
            start, width = span.key
            assert tomli.loads(text[start : start + width] + "=0") == {path[-1]: 0}
        value = parsed
        for step in path:
            value = value[step]
        start, width = span.value
        written = text[start : start + width]
        if isinstance(value, dict | list) and written[:1] not in "[{":
            assert span.key in (None, span.value)  # a header, or the start of a dotted key
        elif not isinstance(value, dict) or written.startswith("{"):
            assert tomli.loads(f"v = {written}") == {"v": value}


def test_spans_of_every_kind_of_key():
    text = (
        'a.b = 1\n[t."x y"]\nc = [1, {d = """x""""}]\n'
        "[[list]]\n[[list]]\n[list.inner]\nd = 1979-05-27 07:32:00\n"
    )

    found = {path: text[s.value[0] : sum(s.value)] for path, s in scan(text).items()}

    assert found == {
        ("a",): "a",
        ("a", "b"): "1",
        ("t",): "t",
        ("t", "x y"): '"x y"',
        ("t", "x y", "c"): '[1, {d = """x""""}]',
        ("t", "x y", "c", 0): "1",
        ("t", "x y", "c", 1): '{d = """x""""}',
        ("t", "x y", "c", 1, "d"): '"""x""""',
        ("list",): "list",
        ("list", 0): "list",
        ("list", 1): "list",
        ("list", 1, "inner"): "inner",
        ("list", 1, "inner", "d"): "1979-05-27 07:32:00",
    }


def test_a_table_stands_at_its_own_header():
    text = "[a.b]\nx = 1\n[a]\ny = 2\n"

    assert scan(text)["a",].key == (text.index("[a]") + 1, 1)


def test_what_newer_toml_allows():
    text = 'a = {\n  b = "\\e[0m", # note }\n  c = 1,\n}\n'

    assert set(scan(text)) == paths(tomli.loads(text))
