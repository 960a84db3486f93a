import json
import zipfile

import pytest

from mmspec.plugins import discovery
from mmspec.plugins.discovery import discover, editable_root, source_hash

GROUP = "[mmspec.fusion]\n"


@pytest.fixture
def site(tmp_path):
    """A folder of installed distributions, and how to add one."""

    def add(name, text, version="1.0", suffix="dist-info", folder="site"):
        info = tmp_path / folder / (f"{name}-{version}.{suffix}" if version else f"{name}.{suffix}")
        info.mkdir(parents=True)
        if text is not None:
            data = text if isinstance(text, bytes) else text.encode()
            (info / "entry_points.txt").write_bytes(data)
        return info

    add.path = [str(tmp_path / "site")]
    add.root = tmp_path
    return add


def found(path):
    result = discover(path)
    return [(o.kind, o.name, o.distribution, o.version) for o in result.offers], list(
        map(str, result.problems)
    )


def test_offers_of_all_kinds_with_their_distribution(site):
    site("one", "[console_scripts]\nx = y:z\n\n[mmspec.fusion]\nfilm = one.fusions:Film\n")
    site("two_parts", "[mmspec.dataset]\nBirds = two:Birds\n", version="2.0rc1")

    assert found(site.path) == (
        [("fusion", "film", "one", "1.0"), ("dataset", "Birds", "two_parts", "2.0rc1")],
        [],
    )


def test_two_distributions_of_one_name_are_both_kept(site):
    site("one", f"{GROUP}film = one:Film\n")
    site("two", f"{GROUP}film = two:Film\n")

    assert [offer[2] for offer in found(site.path)[0]] == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no section = here\n", "File contains no section headers"),
        ("[console_scripts]\na = b:c\na = d:e\n", "option 'a' in section 'console_scripts' already exists"),
        ("[x]\na = b:c\n[x]\n", "section 'x' already exists"),
        (b"[console_scripts]\na = \xff\n", "codec can't decode byte 0xff"),
    ],
)
def test_one_malformed_file_stops_nothing_but_itself(site, text, reason):
    site("aaa_broken", text)
    site("good", f"{GROUP}film = good:Film\n")

    offers, problems = found(site.path)

    assert [offer[1] for offer in offers] == ["film"]
    assert len(problems) == 1
    assert problems[0].startswith(f"{site.path[0]}/aaa_broken-1.0.dist-info/entry_points.txt: aaa_broken:")
    assert reason in problems[0]
    assert "plugins of aaa_broken are missing, all others work" in problems[0]


def test_a_stray_percent_sign_is_no_interpolation(site):
    site("percent", f"[console_scripts]\na = %b:c\n{GROUP}film = percent:Film\n")

    assert found(site.path) == ([("fusion", "film", "percent", "1.0")], [])


@pytest.mark.parametrize("value", ["not a target!", "a:b:c", "", "a-b:C"])
def test_a_malformed_entry_is_told_and_its_neighbours_stay(site, value):
    site("mixed", f"{GROUP}bad = {value}\ngood = mixed:Good\n")

    offers, problems = found(site.path)

    assert [offer[1] for offer in offers] == ["good"]
    assert f"mixed: the entry point bad = {value} of [mmspec.fusion] is malformed" in problems[0]


def test_a_value_missing_its_equals_sign_is_told(site):
    site("mixed", f"{GROUP}bad\n")

    assert "mixed: its entry points cannot be read" in found(site.path)[1][0]


def test_a_leftover_egg_info_gives_way_to_the_installed_one(site):
    site("my_pack", f"{GROUP}old = my_pack:Old\n", version="", suffix="egg-info", folder="checkout")
    site("my-pack", f"{GROUP}new = my_pack:New\n", version="2.0")

    path = [str(site.root / "checkout"), *site.path]

    assert found(path) == ([("fusion", "new", "my-pack", "2.0")], [])


def test_an_egg_info_alone_counts_with_its_version(site):
    info = site("solo", f"{GROUP}film = solo:Film\n", version="", suffix="egg-info")
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: solo\nVersion: 0.3\n")

    assert found(site.path) == ([("fusion", "film", "solo", "0.3")], [])


def test_the_first_on_the_path_shadows_another_version(site):
    site("pack", f"{GROUP}film = pack:Film\n", version="2.0", folder="first")
    site("pack", f"{GROUP}film = pack:Film\n", version="1.0")

    assert found([str(site.root / "first"), *site.path])[0] == [("fusion", "film", "pack", "2.0")]


def test_odd_things_on_the_path_are_passed_over(site):
    site("empty", None)
    (site.root / "site" / "file.egg-info").write_text("not a folder")
    (site.root / "broken.zip").write_text("no zip")

    path = ["", "/nowhere", str(site.root / "broken.zip"), *site.path]

    assert discover([*path, str(site.root / "site" / "file.egg-info")]).problems == ()


def test_zip_files_on_the_path(site):
    archive = site.root / "plugins.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("pack-1.2.dist-info/entry_points.txt", f"{GROUP}film = pack:Film\n")

    assert found([str(archive)])[0] == [("fusion", "film", "pack", "1.2")]


def test_nothing_is_imported_of_400_distributions(site):
    for index in range(400):
        site(f"pack{index}", f"[console_scripts]\na{index} = b:c\n{GROUP}film{index} = no_such_module:Film\n")

    assert len(discover(site.path).offers) == 400
    assert discover(site.path) is discover(site.path)


@pytest.fixture
def editable(tmp_path, monkeypatch):
    """A distribution in editable form, importable as `edited`."""
    info = tmp_path / "site" / "edited-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: edited\nVersion: 1.0\n")
    (info / "direct_url.json").write_text(
        json.dumps({"url": "file:///src/a%20b", "dir_info": {"editable": True}})
    )
    package = tmp_path / "site" / "edited"
    package.mkdir()
    (package / "__init__.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for cached in (discovery.editable_root, discovery.source_hash):
        cached.cache_clear()
    yield package
    for cached in (discovery.editable_root, discovery.source_hash):
        cached.cache_clear()


def test_the_source_of_an_editable_distribution_is_hashed(editable):
    assert str(editable_root("edited")) == "/src/a b"
    first = source_hash("edited", "edited")
    (editable / "__init__.py").write_text("x = 2\n")

    assert source_hash("edited", "edited") == first  # once a process
    source_hash.cache_clear()
    second = source_hash("edited", "edited")
    (editable / "inner").mkdir()
    (editable / "inner" / "more.py").write_text("")
    source_hash.cache_clear()
    assert len({first, second, source_hash("edited", "edited")}) == 3


@pytest.mark.parametrize("content", [None, "{", "[]", '{"url": "https://x/y.whl", "archive_info": {}}'])
def test_other_distributions_are_not_hashed(editable, content):
    file = editable.parent / "edited-1.0.dist-info" / "direct_url.json"
    file.unlink()
    if content is not None:
        file.write_text(content)

    assert editable_root("edited") is None
    assert source_hash("edited", "edited") is None
    assert source_hash("no-such-distribution", "edited") is None
