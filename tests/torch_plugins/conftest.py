"""What tests of weights share: a published network, and a machine of its own."""

from __future__ import annotations

import pytest
import torch
from cuts import unsettle

from mmspec.plugins.api import load_torchvision
from mmspec_torch import download


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A ResNet-18 as one downloads it, and its file."""
    torch.manual_seed(0)
    network = unsettle(load_torchvision().models.resnet18(weights=None))
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(network.state_dict(), path)
    return network, path


@pytest.fixture
def own_machine(tmp_path, monkeypatch):
    """Neither the reader's caches nor the network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "BASE", f"{(tmp_path / 'server').as_uri()}/")
    (tmp_path / "server").mkdir()
