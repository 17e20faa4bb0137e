"""What can be trained: recognition, translation, a pose detector; how a configuration is told, and what each needs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sign_recog.config.targets import parameters
from sign_recog.config.trainer import MONITORED, POSE_METRICS, RECOGNITION_METRICS, TRANSLATION_METRICS

if TYPE_CHECKING:
    from sign_recog.config.schema import Config


@dataclass(frozen=True)
class Task:
    """One kind of training.

    Attributes:
        stage: ``run=`` of it.
        built_with: What its networks are told when they are built, and no other task's.
        networks: What they are for, with an example.
        metrics: What its checkpoints can be chosen by.
    """

    stage: str
    built_with: str
    networks: str
    metrics: tuple[str, ...]


RECOGNITION = Task("classify", "num_glosses", "recognition, such as model=transformer", RECOGNITION_METRICS)
TRANSLATION = Task(
    "translate", "vocab_size", "translation, such as model=transformer_seq2seq", TRANSLATION_METRICS
)  # fmt: skip
POSE = Task("train_pose", "num_landmarks", "landmarks in pictures, such as model=heatmap_tracker", POSE_METRICS)
TASKS = (RECOGNITION, TRANSLATION, POSE)


def trained_by(model: Any, tokenizer: Any) -> str:
    """The stage that trains what the groups ``model`` and ``tokenizer`` describe."""
    if POSE.built_with in (parameters(str(model.get("_target_", ""))) or ()):
        return POSE.stage
    return (TRANSLATION if tokenizer else RECOGNITION).stage


def recognition_problems(config: "Config") -> list[str]:
    """What keeps a configuration from training a recogniser."""
    found = _monitor_problems(config, RECOGNITION)
    if config.tokenizer:
        found.append(
            "run=classify reads no text, so the group tokenizer has no effect. Use tokenizer=none, or run=translate."
        )
    return found + _network_problems(config, RECOGNITION)


def translation_problems(config: "Config") -> list[str]:
    """What keeps a configuration from training a translator."""
    found = _monitor_problems(config, TRANSLATION)
    if not config.tokenizer:
        found.append("run=translate needs a tokenizer. Choose tokenizer=sentencepiece, words or pretrained.")
    found += _network_problems(config, TRANSLATION)
    found += _without_effect(_idle(config), "translation")
    if config.translation.max_tokens is not None and not config.trainer.bucketing:
        found.append(
            f"translation.max_tokens={config.translation.max_tokens} makes batches of clips of similar length, which "
            "trainer.bucketing=false forbids. Use trainer.bucketing=true, or translation.max_tokens=null."
        )
    return found


def pose_problems(config: "Config") -> list[str]:
    """What keeps a configuration from training a detector of landmarks."""
    found = _monitor_problems(config, POSE) + _network_problems(config, POSE)
    if not hasattr(config.modality, "image_height"):
        found.append("run=train_pose learns from labelled pictures. Use modality=labelled_frames.")
    if config.tokenizer:
        found.append("run=train_pose reads no text, so the group tokenizer has no effect. Use tokenizer=none.")
    if config.pose.unfreeze_epoch is not None and "backbone" in config.transfer.freeze_parts:
        found.append(
            f"pose.unfreeze_epoch={config.pose.unfreeze_epoch} frees the backbone that transfer.freeze_parts keeps "
            "frozen. Set one of the two."
        )
    return found + _without_effect(_idle(config), "a detector of landmarks")


def _idle(config: "Config") -> list[tuple[str, Any, Any]]:
    """Settings of recognition alone: key, value, and the value without effect."""
    loss, transfer = config.loss, config.transfer
    return [
        ("loss.focal_gamma", loss.focal_gamma, 0.0),
        ("loss.class_weights", loss.class_weights.value, "none"),
        ("loss.category_weight", loss.category_weight, 0.0),
        ("loss.bias_prior", loss.bias_prior, False),
        ("loss.regularizers", list(loss.regularizers), []),
        ("transfer.extend_head", transfer.extend_head, False),
    ]


def _without_effect(given: list[tuple[str, Any, Any]], task: str) -> list[str]:
    return [
        f"{key}={value} has no effect on {task}. Use {key}={str(usual).lower()}."
        for key, value, usual in given
        if value != usual
    ]


def _monitor_problems(config: "Config", task: Task) -> list[str]:
    stop = config.trainer.early_stopping
    keys = {"trainer.monitor": config.trainer.monitor, "scheduler.monitor": getattr(config.scheduler, "monitor", None)}
    keys |= {"trainer.early_stopping.metric": stop.metric} if stop.enabled else {}
    return [
        f"{key}={name} is not measured by run={task.stage}. Use one of {', '.join(task.metrics)}."
        for key, name in keys.items()
        if name in MONITORED and name not in task.metrics
    ]


def _network_problems(config: "Config", task: Task) -> list[str]:
    """A network is told by what it is built with: the number of glosses, of landmarks, or the size of a vocabulary."""
    known = parameters(str(config.model.get("_target_", "")))
    if known is None or task.built_with in known:
        return []
    return [
        f"The group model names a network for {other.networks.partition(',')[0]} ({config.model['_target_']}). "
        f"Use one for {task.networks}."
        for other in TASKS
        if other.built_with in known
    ]
