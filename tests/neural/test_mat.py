"""MATLAB files: arrays and strings are read, all else is refused."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from mmspec.errors import DataError
from mmspec_neural.mat import read_mat


def element(kind, data):
    """A data element of MATLAB's version 5 format."""
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(mx_class, name, *parts, flags=0):
    """A matrix element of any class, (1, 1)."""
    head = element(6, struct.pack("<II", mx_class | flags, 0))
    head += element(5, struct.pack("<ii", 1, 1)) + element(1, name.encode())
    return element(14, head + b"".join(parts))


def plain(**variables):
    file = io.BytesIO()
    savemat(file, variables)
    return file.getvalue()


def refused(path, names=("x",)):
    with pytest.raises(DataError) as caught:
        read_mat(path, names, hint="get it")
    (problem,) = caught.value.problems
    assert problem.hint
    assert str(path) in problem.what
    return problem.what.removeprefix(f"{path} ")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.mat"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "u1", "?"])
def test_arrays_and_strings_are_read(path, dtype, compressed):
    numbers = np.arange(6).reshape(2, 3).astype(dtype)
    savemat(path, {"x": numbers, "text": ["one", "three"]}, do_compression=compressed)
    read = read_mat(path, ("x", "text"), hint="")
    np.testing.assert_array_equal(read["x"], numbers)
    assert [str(row).split() for row in read["text"]] == [["one"], ["three"]]
    assert set(read) == {"x", "text"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [({"a": 1.0}, "struct"), (np.array([1, "a"], dtype=object), "cell")],
    ids=["struct", "cell"],
)
def test_what_holds_other_things_is_refused(path, value, kind):
    path.write_bytes(plain(x=1.0, other=value))
    assert refused(path) == f"holds what is neither array nor string: other ({kind})"


@pytest.mark.parametrize(
    ("mx_class", "kind"), [(3, "object"), (16, "function"), (5, "sparse"), (18, "unknown"), (0, "unknown")]
)
def test_objects_functions_and_the_unknown_are_refused(path, mx_class, kind):
    path.write_bytes(plain(x=1.0) + matrix(mx_class, "f", element(9, bytes(8))))
    assert refused(path) == f"holds what is neither array nor string: f ({kind})"


def test_an_opaque_one_and_the_workspace_of_functions_are_refused(path):
    opaque = element(6, struct.pack("<II", 17, 0)) + element(1, b"o") + element(1, b"MCOS")
    path.write_bytes(plain(x=1.0) + element(14, opaque) + matrix(2, "", element(2, bytes(8))))
    assert refused(path) == "holds what is neither array nor string: o (opaque), without name (struct)"


def test_a_struct_that_says_it_is_logical_is_refused(path):
    path.write_bytes(plain(y=1.0) + matrix(2, "x", element(9, bytes(8)), flags=1 << 9))
    assert refused(path) == "holds what is neither array nor string: x (struct)"


def test_an_archive_that_would_burst_the_memory_is_refused(path):
    bomb = zlib.compress(struct.pack("<II", 14, 2**32 - 8) + bytes(2**20))
    path.write_bytes(plain(y=1.0) + struct.pack("<II", 15, len(bomb)) + bomb)
    assert refused(path) == "is damaged or cut off: a variable of 4294967288 bytes is too large"


def test_numbers_that_do_not_fit_their_class_and_endless_rows_of_nothing_do_no_harm(path):
    path.write_bytes(plain(y=1.0) + matrix(12, "x", element(9, struct.pack("<d", np.nan))))
    assert read_mat(path, ("x",), hint="")["x"].shape == (1, 1)
    head = element(6, struct.pack("<II", 4, 0)) + element(5, struct.pack("<ii", 2**31 - 1, 0))
    path.write_bytes(plain(y=1.0) + element(14, head + element(1, b"x") + element(16, b"")))
    assert refused(path).startswith("is damaged or cut off: x has 0 characters for shape (2147483647, 0)")


def big_endian(name, numbers):
    """A file of a machine of the other byte order, with numbers stored smaller than their class."""

    def tagged(kind, data):
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    parts = tagged(6, struct.pack(">II", 6, 0)) + tagged(5, struct.pack(">ii", *numbers.shape))
    parts += tagged(1, name.encode()) + tagged(3, numbers.astype(">i2").tobytes(order="F"))
    return b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + tagged(14, parts)


def test_numbers_of_any_byte_order_and_stored_small_are_read(path):
    numbers = np.arange(-5, 7).reshape(3, 4)
    path.write_bytes(big_endian("x", numbers))
    np.testing.assert_array_equal(loadmat(path)["x"], numbers)
    read = read_mat(path, ("x",), hint="")["x"]
    np.testing.assert_array_equal(read, numbers)
    assert read.dtype == np.float64


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        np.zeros((0, 3)),
        np.arange(24.0).reshape(2, 3, 4),
        np.array([[1 + 2j, 3]]),
        ["é", "日本"],
        np.int64([[7]]),
    ],
    ids=["empty", "3-D", "complex", "text", "integer"],
)
def test_scipy_reads_the_same(path, value, compressed):
    savemat(path, {"x": value}, do_compression=compressed)
    read, theirs = read_mat(path, ("x",), hint="")["x"], loadmat(path)["x"]
    np.testing.assert_array_equal(read, theirs)
    assert read.dtype == theirs.dtype


def test_missing_variables_are_named(path):
    path.write_bytes(plain(y=1.0, z=2.0))
    assert refused(path, ("x", "y", "w")) == "has no variable x and no w; it holds y, z"


def test_a_variable_that_is_there_twice_is_refused(path):
    path.write_bytes(plain(x=1.0) + plain(x=2.0)[128:])
    assert refused(path) == "holds more than one variable x"


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_cut_off_anywhere_is_refused(path, compressed):
    savemat(path, {"x": np.random.default_rng(0).normal(size=(40, 9))}, do_compression=compressed)
    whole = path.read_bytes()
    for length in (10, 100, 127, 128, 130, 150, 200, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:length])
        assert refused(path)


@pytest.mark.parametrize("byte", [0, 1, 15, 127, 255])
def test_damaged_bytes_are_refused_or_read_as_numbers(path, byte):
    whole = plain(x=np.arange(4.0), text=["ab", "c"])  # scipy's own reader ends the process at some of these
    for position in range(116, len(whole)):
        path.write_bytes(whole[:position] + bytes([byte]) + whole[position + 1 :])
        try:
            read = read_mat(path, ("x", "text"), hint="get it")
        except DataError:
            continue
        assert {type(value) for value in read.values()} == {np.ndarray}


@pytest.mark.parametrize("content", [b"", b"<html>404 not found</html>", b"MATLAB 4"])
def test_other_files_are_told_apart(path, content):
    path.write_bytes(content)
    assert refused(path) == "is not a MATLAB file of version 5 to 7"


@pytest.mark.parametrize("head", [b"MATLAB 7.3 MAT-file, Platform", b"\x89HDF\r\n\x1a\n" + bytes(20)])
def test_version_7_3_is_told(path, head):
    path.write_bytes(head)
    assert refused(path) == "is of MATLAB's version 7.3, which is another format"


def test_a_file_that_is_not_there_is_told(path):
    assert refused(path) == "cannot be read: No such file or directory"
