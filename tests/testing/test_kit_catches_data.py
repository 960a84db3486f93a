"""Each promise of a dataset, broken, is told."""

from __future__ import annotations

import attrs
import broken_data
import pytest

from mmspec.plugins.api import option
from mmspec.testing import ConformanceError, check_dataset, check_options


@pytest.mark.parametrize("name", ["Good", "Large"])
def test_a_good_dataset_passes(name, tmp_path):
    check_dataset(getattr(broken_data, name)(), tmp_path)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ReadsToDescribe", "describe() without data raises FileNotFoundError"),
        ("TwoTrainingSplits", "one split, called 'train', must have role 'train'"),
        ("MissingSplit", "open() gives the splits ['train'], describe() promises ['test', 'train']"),
        ("SharedSamples", "sharing samples between roles raises DataError"),
        ("WrongShape", "read('a') gives (3, 1, 3), not (3, 3, 1)"),
        ("WrongDtype", "read('a') gives uint8, describe() promises float32"),
        ("SortedReads", "does not give rows in the order asked for"),
        ("TargetsOutOfRange", "targets are not in 0 … 1"),
        ("OpenFile", "pickling raises TypeError: a file is open"),
        ("ForgottenGroups", "split 'train' after pickling has other groups"),
        ("RestlessFingerprint", "fingerprint() is not the same when asked twice"),
        ("BlindFingerprint", "option seed changes the samples, but not fingerprint()"),
        ("FileSizes", "fingerprint() does not notice a changed byte in data"),
        ("HalfFingerprint", "fingerprint() does not notice a changed byte in more"),
        ("SilentlyEmpty", "open() says nothing of what check() finds missing"),
        ("FirstOfBatch", "AddFirst depends on the batch, not on the sample alone"),
        ("AsksForValues", "Brighten waits for the device"),
        ("UncutInEvaluation", "split 'test': read('a') gives (3, 1, 3), not (3, 1, 2)"),
        ("CutTooMuch", "augmentations('a', 'train') make (1, 3) into (1, 1), describe() promises (1, 2)"),
        ("RandomInEvaluation", "RandomCrop is random; only training may be"),
        ("SecretlyRandom", "split 'train': Secret says that it is not random, and is"),
        ("SaysItIsRandom", "split 'test': Overcareful is not random, and is_random says that it is"),
        ("SmokeOfAnother", "smoke() gives Good, not SmokeOfAnother"),
    ],
)
def test_a_broken_promise_is_told(name, told, tmp_path):
    cls = getattr(broken_data, name)
    rooted = {"root": tmp_path / "absent"} if issubclass(cls, broken_data.FileSizes) else {}
    with pytest.raises(ConformanceError) as error:
        check_dataset(cls(**rooted), tmp_path)

    assert told in str(error.value)


def test_a_file_that_is_not_read_need_not_be_hashed(tmp_path):
    check_dataset(broken_data.TwoFiles(root=tmp_path / "absent"), tmp_path)


def test_options_are_checked():
    class Undecorated(broken_data.Good):
        """Has its options from another class."""

    @attrs.frozen(kw_only=True)
    class Undocumented(broken_data.Good):
        """Has an option nobody can read about."""

        size: int = 1

    @attrs.frozen
    class ByPosition(broken_data.Good):
        """Options by position."""

        size: int = option("the size", default=1)

    @attrs.frozen(kw_only=True)
    class Silent(broken_data.Good):
        size: int = option("the size", default=1)

    for cls, told in [
        (Undecorated, "Undecorated is not decorated with @attrs.frozen"),
        (Undocumented, "option size of Undocumented has no help"),
        (ByPosition, "option size of ByPosition can be given by position"),
        (Silent, "Silent has no docstring"),
    ]:
        with pytest.raises(ConformanceError, match=told):
            check_options(cls())


def test_torch_at_import_is_told():
    from mmspec.testing.toys import ToySchedule

    with pytest.raises(ConformanceError, match=r"importing mmspec\.testing\.toys imports torch"):
        check_options(ToySchedule())
