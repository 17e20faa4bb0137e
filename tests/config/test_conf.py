"""Every file in conf/ can be used, and the help shows it."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, get_method

from sign_recog import cli, config

EXPERIMENTS = sorted(path.stem for path in (cli.CONF_DIR / "experiment").glob("*.yaml"))
GROUPS = sorted(p.name for p in cli.CONF_DIR.iterdir() if p.is_dir() and p.name not in ("hydra", "experiment", "sweep"))
OPTIONS = [f"{group}={path.stem}" for group in GROUPS for path in sorted((cli.CONF_DIR / group).glob("*.yaml"))]
OVER_FRAMES = [p.stem for p in (cli.CONF_DIR / "model").glob("*.yaml") if "video: default" in p.read_text("utf-8")]
OWN_SOURCE = (
    "data=synthetic",
    "data=synthetic_sentences",
    "data=synthetic_pose",
    "data=combined",
    "data=fsl105_folders",
    "data=ssvp_slt_features",
)
TRANSLATORS = [p.stem for p in (cli.CONF_DIR / "model").glob("*.yaml") if "encoder_decoder" in p.read_text("utf-8")]
TRANSLATORS += [p.stem for p in (cli.CONF_DIR / "model").glob("*.yaml") if "Seq2Seq" in p.read_text("utf-8")]
TRANSLATES = ["model=transformer_seq2seq", "tokenizer=words"]
TRACKERS = [p.stem for p in (cli.CONF_DIR / "model").glob("*_tracker.yaml")]
TRACKS = ["modality=labelled_frames", "model=heatmap_tracker"]
NEEDED = {
    "run=predict": ["run.input=x.mp4"],
    "run=convert": ["run.format=fslr", "run.output_dir=x"],
    **{o: ["modality=features"] for o in OPTIONS if o.startswith("extractor=") and "mediapipe" not in o},
    "extractor=pose_detector": ["extractor.checkpoint=x.ckpt"],
    "transfer=extend": ["transfer.checkpoint=x"],
    "modality=rgb": ["model=vtn"],
    "modality=gloss": TRANSLATES,
    "run=translate": TRANSLATES,
    "run=train_pose": TRACKS,
    "modality=labelled_frames": TRACKS,
    "augment=labelled_frames": TRACKS,
    **{f"model={name}": ["modality=labelled_frames"] for name in TRACKERS},
    "trainer=translation": ["run=translate", *TRANSLATES],
    **{f"tokenizer={name}": TRANSLATES for name in ("sentencepiece", "words")},
    **{f"model={name}": ["tokenizer=words"] for name in TRANSLATORS},
    "tokenizer=pretrained": ["tokenizer.folder=x", "model=t5_small"],
    **{o: ["modality=rgb", "model=vtn"] for o in OPTIONS if o.startswith("augment=rgb")},
    **{f"model={name}": ["modality=rgb"] for name in OVER_FRAMES},
    **{o: ["data.source=x"] for o in OPTIONS if o.startswith("data=") and o not in OWN_SOURCE},
    **{o: ["data.video_dir=x"] for o in OPTIONS if o.startswith("data=wlasl")},
    "data=combined": ["data.corpus.members={a: x, b: y}"],
    "data=ssvp_slt_features": ["data.train_dirs=[x,y]", "data.val_dir=x"],
    "data=fsl105_folders": ["data.corpus.sources={train: a, val: b}"],
}


def load(*overrides: str) -> config.Config:
    config.register_schemas()
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        return config.validate(compose("config", list(overrides)))


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes_and_its_targets_exist(option):
    loaded = load(option, *NEEDED.get(option, []))
    assert callable(get_method(loaded.run._target_))
    nodes = [loaded.data.corpus, loaded.extractor, loaded.model, loaded.optim, loaded.scheduler]
    nodes += [loaded.tokenizer] if loaded.tokenizer else []
    for node in [*nodes, *loaded.augment.values(), *loaded.logger.values()]:
        name = node["_target_"] if isinstance(node, dict) else node._target_
        assert callable(get_class(name) if name.rpartition(".")[2][0].isupper() else get_method(name))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_names_a_stage_that_exists(experiment):
    needed = ["data.source=x"] if experiment.startswith(("fsl105", "signon", "mirror_mouse")) else []
    needed += ["data.train_dirs=[x,y]", "data.val_dir=x"] if experiment.startswith("how2sign") else []
    if experiment.startswith(("how2sign_t5", "how2sign_bart")):
        needed.append("tokenizer.folder=x")
    assert callable(get_method(load(f"+experiment={experiment}", *needed).run._target_))


def test_several_loggers_can_be_chosen():
    assert set(load("logger=[tensorboard,wandb]").logger) == {"tensorboard", "wandb"}


def test_help_names_every_group_and_option():
    text = cli.help_text()
    for group in [*GROUPS, "experiment", "sweep"]:
        assert f"\n  {group} " in text
    for option in [*OPTIONS, *(f"experiment={name}" for name in EXPERIMENTS)]:
        assert option.partition("=")[2] in text


@pytest.mark.parametrize("cluster", ["local", "local_parallel", "slurm"])
def test_the_cluster_chooses_hydras_launcher(cluster):
    config.register_schemas()
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        cfg = compose("config", [f"launcher.cluster={cluster}", "hydra.verbose=false"], return_hydra_config=True)
    launchers = {"local": "BasicLauncher", "local_parallel": "LocalLauncher", "slurm": "SlurmLauncher"}
    assert cfg.hydra.launcher._target_.endswith(launchers[cluster])
    assert str(cfg.hydra.mode.name) == ("MULTIRUN" if cluster == "slurm" else "RUN")


def test_the_multirun_flag_may_stand_anywhere():
    arguments = ["+experiment=x", "--multirun", "seed=1,2"]
    assert cli.flags_before_overrides(arguments) == ["--multirun", "+experiment=x", "seed=1,2"]
