"""What `mmspec execute RUN_DIR` does: work on one run until it is finished, stopped or failed."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path

from mmspec.errors import MmspecError, Problem, RecordError
from mmspec.launch import child
from mmspec.launch.mirror import MirroredRun
from mmspec.plugins.plan import RunPlan
from mmspec.records import RunDirectory
from mmspec.records.files import read_json
from mmspec.records.provenance import PACKAGES, versions
from mmspec.system import cores

INTERRUPTED = 130


def execute(path: Path) -> int:
    """Work on the run in this directory; the exit code of the process. Does nothing if it is finished.

    Raises:
        RecordError: it is no run directory, or another process works on it.
    """
    child.follow_parent()
    directory = RunDirectory.open(path)
    if directory.is_finished:
        return 0
    with directory.lock(), child.stop_on_signal() as stop:
        if directory.is_finished:  # by the process that held the lock
            return 0
        return _work(directory, stop)


def _work(directory: RunDirectory, stop: child.StopRequest) -> int:
    threads = _threads(directory)
    child.set_threads(threads)
    child.keep_freed_memory()
    directory.begin(
        host=socket.gethostname(),
        python=platform.python_version(),
        packages=versions(PACKAGES),
        platform=platform.platform(),
        cpus=os.cpu_count(),
        threads=threads or int(os.environ.get("OMP_NUM_THREADS", cores())),
    )
    mirrored = MirroredRun(directory, {})
    try:
        return _train(directory, mirrored, stop)
    except KeyboardInterrupt:
        return _interrupted(directory, mirrored)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is recorded
        directory.fail(error)
        directory.say(f"failed: {error or type(error).__name__}")
        mirrored.end("failed", {})
        return error.exit_code if isinstance(error, MmspecError) else 1


def _train(directory: RunDirectory, mirrored: MirroredRun, stop: child.StopRequest) -> int:
    from mmspec.plugins.resolve import plan_from_json

    plan = plan_from_json(directory.spec)
    _check_identity(directory, plan)
    mirrored.trackers = plan.trackers
    from mmspec.engine.loop import Interrupted
    from mmspec.engine.run import execute_run
    from mmspec.launch.shared import shared_stages

    directory.note(device=_device(plan))
    try:
        if stop():  # it came while packages were imported
            raise Interrupted
        shared = shared_stages(plan, directory, mirrored, stop)
        result = execute_run(
            plan, mirrored, directory.checkpoints, shared=shared, should_stop=stop, at_once=stop.at_once
        )
    except Interrupted:
        return _interrupted(directory, mirrored)
    directory.finish(result.to_json())
    directory.say(f"finished after {directory.seconds:.1f} s")
    mirrored.end("finished", result.values)
    return 0


def _interrupted(directory: RunDirectory, mirrored: MirroredRun) -> int:
    directory.interrupt()
    directory.say("interrupted; the same command goes on from here")
    mirrored.end("interrupted", {})
    return INTERRUPTED


def _threads(directory: RunDirectory) -> int | None:
    """The threads the spec asks for: the most of its stages, since libraries are told once.

    Else those the run began with: sums in another number of threads may differ in their last bits.
    """
    wanted = [stage.get("train", {}).get("threads") for stage in directory.spec["stages"]]
    begun = read_json(directory.path / "provenance.json").get("threads")
    return max((threads for threads in wanted if threads), default=begun)


def _check_identity(directory: RunDirectory, plan: RunPlan) -> None:
    """Refuse to go on with code that is not the code the run's id stands for."""
    from mmspec.graph.identity import identify

    recorded = read_json(directory.path / "identity.json")
    now = identify(plan, recorded["data"], smoke=recorded.get("smoke", False))
    if now.id != recorded["id"]:
        changed = [name for name, code in now.code.items() if recorded["code"].get(name) != dict(code)]
        what = "the code has changed since this run was prepared: " + ", ".join(changed)
        raise RecordError(Problem(what, hint="`mmspec run` of the spec makes a new run of the new code"))


def _device(plan: RunPlan) -> str:
    """The name of the device that the run's stages are computed on."""
    import torch

    wanted = {stage.spec.train.device for stage in plan.networks}
    if wanted != {"cpu"} and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return _processor()


def _processor() -> str:
    """The name of the processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
