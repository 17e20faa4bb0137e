"""Which settings make two runs the same experiment.

A run's folder is named by a hash of the settings that decide its result, so that repeating a
command resumes or skips, and changing a setting never meets another run's files.
"""

import hashlib
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sign_recog.config.tasks import trained_by

SECTIONS = ("data", "modality", "augment", "extractor", "model", "optim", "scheduler", "loss", "trainer", "transfer")
TRANSLATION_SECTIONS = ("tokenizer", "translation")  # of trainings that have a tokenizer
POSE_SECTIONS = ("pose",)  # of trainings of a detector of landmarks
ALL_SECTIONS = (*SECTIONS, *TRANSLATION_SECTIONS, *POSE_SECTIONS)
# How fast, not what: a run may be resumed with other values of these.
WITHOUT_EFFECT = (
    *(("trainer", name) for name in ("num_workers", "num_threads", "accelerator", "devices", "keep", "memory_probe")),
    *(("extractor", name) for name in ("batch_size", "device", "compile")),
)


_POSE_NETWORKS = "sign_recog.models.pose."

# Named steps that are taken in the order in which they stand.
ORDERED = (("augment",), ("modality", "sampler"), ("modality", "eval_sampler"))


def settings_id(config: dict[str, Any]) -> str:
    """The digest of a plain configuration's settings, seed aside; the names of run folders hold it."""
    return digest([settings_of(config), *orders_of(config)])


def orders_of(config: dict[str, Any]) -> list[list[str]]:
    """The names of the steps of each of ``ORDERED``, in their order, which :func:`digest` does not see."""
    found = []
    for path in ORDERED:
        node: Any = config
        for name in path:
            node = node.get(name) if isinstance(node, dict) else None
        found.append(list(node) if isinstance(node, dict) else [])
    return found


def settings_of(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a plain configuration that decides a run's result, seed aside."""
    # Sections of other tasks are left out: what was trained before there were such keeps the name of its folder.
    sections = sections_of(str(config.get("model", {}).get("_target_", "")), translates=bool(config.get("tokenizer")))
    settings = {section: config.get(section, {}) for section in SECTIONS}
    settings |= {section: config[section] for section in sections if section in config}
    for section, key in WITHOUT_EFFECT:
        settings[section] = {name: value for name, value in settings[section].items() if name != key}
    return settings


def sections_of(network: str, *, translates: bool) -> tuple[str, ...]:
    """The sections that decide a run's result, given the ``_target_`` of its network."""
    own = TRANSLATION_SECTIONS if translates else ()
    return (*SECTIONS, *own, *(POSE_SECTIONS if network.startswith(_POSE_NETWORKS) else ()))


def digest(value: Any) -> str:
    """Eight hexadecimal digits that depend on nothing but ``value``, and not on the order of a mapping's keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def register_resolver() -> None:
    """Make ``${settings_id:}``, the digest of the composed configuration, ``${training:}`` and ``${shard:}`` known."""
    OmegaConf.register_new_resolver("settings_id", _settings_id, replace=True)
    OmegaConf.register_new_resolver("training", _training, replace=True)
    OmegaConf.register_new_resolver("shard", _shard, replace=True)


def _training(*, _root_: DictConfig) -> str:
    """The stage that trains what the configuration describes."""
    return trained_by(_root_.model, _root_.tokenizer)


def _settings_id(*, _root_: DictConfig) -> str:
    plain = {section: OmegaConf.to_container(_root_[section], resolve=True) for section in ALL_SECTIONS}
    return settings_id(plain)


def _shard(*, _root_: DictConfig) -> str:
    """What the folder of one part of a divided extraction is called besides: "-shard3of8"; "" = it is not divided."""
    run = _root_.run
    num_shards = run.get("num_shards", 1) if OmegaConf.is_config(run) else 1
    return "" if num_shards == 1 else f"-shard{run.shard}of{num_shards}"


def changed_settings(now: dict[str, Any], before: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(key, value before, value now) of every setting in which two plain configurations are not the same run."""
    parts = ({**settings_of(c), "seed": c.get("seed"), "order of steps": orders_of(c)} for c in (now, before))
    new, old = map(_flat, parts)
    return [
        (k, old.get(k, "null"), new.get(k, "null")) for k in sorted(new.keys() | old.keys()) if new.get(k) != old.get(k)
    ]


def _flat(node: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(node, dict) and node:
        return {k: v for name, value in node.items() for k, v in _flat(value, f"{prefix}{name}.").items()}
    return {prefix.rstrip("."): json.dumps(node)}
