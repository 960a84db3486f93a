"""The spec as typed records: what the TOML of one experiment may say, key by key.

A record here is a table of the spec; its fields are the table's keys. The help of a field (`metadata`)
is what `mmspec schema` and the reference print. Options of a plugin stay untyped in `Use` until the
plugin that is named there types them.
"""

from __future__ import annotations

from typing import Any, Literal

import attrs

#: The version of the spec language this mmspec speaks.
LANGUAGE = 1


def key(help: str, **kwargs: Any) -> Any:  # noqa: A002 - reads as the field's help
    """A field of a spec table with its help text."""
    return attrs.field(metadata={"help": help}, **kwargs)


def positive(_: object, __: object, value: float) -> None:
    """Accept only numbers above zero."""
    if value <= 0:
        raise ValueError(f"must be above 0, not {value!r}")


def not_negative(_: object, __: object, value: float) -> None:
    """Accept only zero and above."""
    if value < 0:
        raise ValueError(f"must be 0 or above, not {value!r}")


def _share(_: object, __: object, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"must be between 0 and 1, not {value!r}")


def _not_empty(_: object, __: object, value: str | tuple[str, ...]) -> None:
    if not value:
        raise ValueError("must not be empty")


_if_given = attrs.validators.optional


@attrs.frozen
class Use:
    """A plugin by name, with the options that stand beside `use`."""

    use: str
    options: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Modality:
    """`[modalities.NAME]`: one branch of the network."""

    backbone: Use = key("the network of this branch")


@attrs.frozen(kw_only=True)
class Split:
    """`[split]`: a validation set taken from the training set."""

    fraction: float = key("share of the training samples that become validation", validator=_share)
    seed: int = key("which samples: the same seed gives the same split", default=0, validator=not_negative)
    group_by: str | None = key("keep samples of one group (subject, object) on one side", default=None)
    stratify: bool | str = key(
        "keep the shares of the classes, or of a grouping (object): the same share of each", default=True
    )


@attrs.frozen(kw_only=True)
class Fusion(Use):
    """`[fusion]`: units between stages of the branches."""

    at: tuple[str | dict[str, str], ...] = key(
        "stages after which a unit stands: a stage's name, or {modality = stage} where names differ",
        validator=_not_empty,
    )


@attrs.frozen(kw_only=True)
class Group:
    """One learning-rate group of the optimizer."""

    match: str = key("shell pattern over parameter names, e.g. branches.rgb.*")
    lr_scale: float = key("this group's learning rate, relative to lr", default=1.0, validator=not_negative)


@attrs.frozen(kw_only=True)
class Optimizer(Use):
    """`[optimizer]`: the optimizer and its learning-rate groups; what no group names has scale 1."""

    groups: tuple[Group, ...] = key("learning-rate groups; none may overlap", default=())


@attrs.frozen(kw_only=True)
class Stop:
    """`train.stop`: end training early once a metric has been good for some epochs."""

    metric: str = key("e.g. train/accuracy; never a test metric")
    reaches: float = key("the value that counts as reached")
    epochs: int = key("in how many epochs it must have been reached", default=1, validator=positive)


@attrs.frozen(kw_only=True)
class Train:
    """`[train]`: how long, how large, and on what."""

    epochs: int = key("passes over the training set; 0: measure, train nothing", validator=not_negative)
    batch_size: int = key("samples a step", default=32, validator=positive)
    eval_batch_size: int | None = key(
        "samples a step when evaluating; batch_size if absent", default=None, validator=_if_given(positive)
    )
    precision: Literal["float32", "float64", "bf16"] = key("arithmetic of the network", default="float32")
    device: Literal["auto", "cpu", "cuda"] = key("auto: cuda where there is one", default="auto")
    channels_last: bool | None = key("memory layout of images; absent: where it is faster", default=None)
    threads: int | None = key(
        "CPU threads of a run; absent: the cores it is given", default=None, validator=_if_given(positive)
    )
    workers: int = key(
        "processes that read samples; results do not depend on it", default=0, validator=not_negative
    )
    packed: bool = key("read from a packed copy of the data, made when absent", default=False)
    log_every: int = key("steps between two rows of step metrics", default=10, validator=positive)
    checkpoint_every: int | None = key(
        "steps between checkpoints, beside the one each epoch", default=None, validator=_if_given(positive)
    )
    stop: Stop | None = key("end early", default=None)


@attrs.frozen(kw_only=True)
class Select:
    """`[select]`: which checkpoint is the model. Absent: the last. Never chosen on a test split."""

    metric: str = key("e.g. val/accuracy")
    mode: Literal["max", "min"] = key("whether larger or smaller is better", default="max")


@attrs.frozen(kw_only=True)
class Evaluate:
    """`[evaluate]`: what is measured."""

    metrics: tuple[Use, ...] = key("metrics by name, or {use = name, options}", default=(Use("accuracy"),))
    splits: tuple[str, ...] | None = key(
        "splits measured at the end, on the selected checkpoint; absent: all", default=None
    )
    each_epoch: tuple[str, ...] | None = key(
        "splits measured after each epoch; absent: those of validation", default=None
    )
    random_transforms: bool = key(
        "let a dataset change samples at random where nothing is trained, as some published code does",
        default=False,
    )


@attrs.frozen(kw_only=True)
class InitFrom:
    """`init_from`: start from the weights of an earlier stage."""

    stage: str = key("name of an earlier stage")
    include: tuple[str, ...] = key(
        "shell patterns over parameter names", default=("*",), validator=_not_empty
    )
    exclude: tuple[str, ...] = key("shell patterns over parameter names", default=())


#: What `extract` calls the samples themselves, what the classifier sees, and what it says.
INPUT, FEATURES, LOGITS = "input", "features", "logits"


@attrs.frozen(kw_only=True)
class Extract:
    """`extract`: write what a layer gives for every sample as a feature table, and train nothing."""

    layer: str = key(
        'what is written: "features" (what the classifier sees), "logits", "input" (the samples as the '
        "dataset has them, without a network), or a layer of the branch by name, such as stages.conv5 or "
        "stages.layer4.1.conv2",
        default="features",
        validator=_not_empty,
    )
    modality: str | None = key("the branch; absent: the only one there is", default=None)
    pool: Literal["flatten", "mean"] = key(
        "how a feature map (C, *space) becomes a row: all of it, or its mean over space", default="flatten"
    )
    splits: tuple[str, ...] | None = key(
        "the splits whose samples are written; absent: all",
        default=None,
        validator=_if_given(_not_empty),
    )
    random_transforms: bool = key(
        "let a dataset change these samples at random, as some published code does", default=False
    )


#: What `shuffle` calls the shuffling of single samples.
SAMPLES = "samples"


@attrs.frozen(kw_only=True)
class Read:
    """One entry of `reads`: what an earlier stage has left, as it is or as a control."""

    stage: str = key("name of an earlier stage")
    shuffle: str | None = key(
        'a control: "samples" gives every sample the row of another at random, a grouping (object) gives '
        "every group the rows of another",
        default=None,
    )
    seed: int = key("which way it is shuffled", default=0, validator=not_negative)


@attrs.frozen(kw_only=True)
class NetworkStage:
    """What stages with a network have in common."""

    dataset: Use = key("where the samples come from")
    split: Split | None = key("validation taken from training; absent: the dataset's own", default=None)
    modalities: dict[str, Modality] = key("the branches, in this order")
    fusion: Fusion | None = key("units between the branches", default=None)
    train: Train = key("how long, how large, on what")
    init_from: InitFrom | None = key("start from an earlier stage's weights", default=None)
    assemble: tuple[InitFrom, ...] = key(
        "start from weights of several earlier stages, each with its patterns: body of one, head of another",
        default=(),
    )

    @property
    def weights_from(self) -> tuple[InitFrom, ...]:
        """The earlier stages that its weights come from."""
        return self.assemble if self.init_from is None else (self.init_from,)


@attrs.frozen(kw_only=True)
class Stage(NetworkStage):
    """A stage that trains: all that decides its numbers, but the seed."""

    balancing: Use = key("the balancing strategy", default=Use("none"))
    objective: Use = key("the loss", default=Use("cross_entropy"))
    optimizer: Optimizer = key("the optimizer")
    schedule: Use = key("the learning-rate schedule", default=Use("constant"))
    sampler: Use = key("which training samples a step sees", default=Use("shuffle"))
    select: Select | None = key("which checkpoint is the model; absent: the last", default=None)
    evaluate: Evaluate = key("what is measured", factory=Evaluate)
    freeze: tuple[str, ...] = key(
        "shell patterns over names of parameters that stay as they are, statistics of normalisation included",
        default=(),
    )
    freeze_statistics: bool = key(
        "false: of what is frozen, statistics of normalisation go on moving, as in some published code",
        default=True,
    )
    reads: dict[str, Read] = key(
        "what earlier stages have left, by the names that objective, metrics or analysis know it by",
        factory=dict,
    )


@attrs.frozen(kw_only=True)
class ExtractStage(NetworkStage):
    """A stage that writes a feature table. Of `train` it uses batch size, arithmetic and device."""

    extract: Extract = key("write a layer's output as a feature table; nothing is trained")


@attrs.frozen(kw_only=True)
class AnalysisStage:
    """A stage that computes something from what earlier stages have left."""

    analysis: Use = key("work on what earlier stages have left; nothing is trained")
    reads: dict[str, Read] = key(
        "what earlier stages have left, by the names that the analysis knows it by", factory=dict
    )


@attrs.frozen(kw_only=True)
class Header:
    """The keys of a spec that stand above its stages."""

    mmspec: int = key("version of the spec language")
    name: str = key("name of the experiment and of its folder of runs")
    description: str = key("one or two sentences for a reader", default="")
    seeds: tuple[int, ...] = key("one run each", default=(0,))
    track: tuple[Use, ...] = key("trackers that mirror the records", default=())
    launch: Use = key("where runs execute", default=Use("local"))


#: The kinds of stages, told apart by a key that no other has.
STAGE_KINDS: tuple[type, ...] = (Stage, ExtractStage, AnalysisStage)
STAGE_KEYS = tuple(dict.fromkeys(name for kind in STAGE_KINDS for name in attrs.fields_dict(kind)))
HEADER_KEYS = tuple(attrs.fields_dict(Header))

#: All that may stand at the top of a spec.
ROOT_KEYS = (*HEADER_KEYS, *STAGE_KEYS, "extends", "variants", "sweep", "stages")

#: Tables of a stage that are the spec's own, with the record of each.
OWN_TABLES: dict[str, type] = {
    "train": Train,
    "select": Select,
    "evaluate": Evaluate,
    "split": Split,
    "extract": Extract,
}
