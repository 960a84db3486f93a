from __future__ import annotations

from mmspec.track.wandb.names import artifact_name, wandb_id


def test_names_that_w_and_b_takes():
    assert wandb_id("uni modal/grey?s0-01") == "uni-modal-grey-s0-01"
    assert artifact_name("uni modal (grey) s0-01", "best") == "uni-modal-grey-s0-01-best"
    assert len(artifact_name("x" * 500, "report")) <= 128
