"""What the documents say works: every command composes, every setting exists."""

import pkgutil
import re
import shlex
from pathlib import Path

import pytest

from sign_recog import cli, config
from sign_recog.config.preflight import check_command
from sign_recog.config.runs import schemas
from sign_recog.errors import ConfigError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SETTING = re.compile(r"[+~]{0,2}[\w./]+=\S+")
GROUPS = {path.name for path in cli.CONF_DIR.iterdir() if path.is_dir()}
KEYS = {"seed", "name", "dry_run"} | {f"{name}." for name in ("paths", *GROUPS)}
BARE = {name for stage in schemas().values() for name in stage.__dataclass_fields__}  # settings of the chosen stage


def settings_of(text: str) -> list[str] | None:
    """The settings of a code span that is a command or settings alone; None if it is neither."""
    words = shlex.split(text.rstrip("\\"))
    if words[:3] == ["python", "run.py", "queue"]:  # its other words: tests/queue/test_main.py
        return words[4:] if words[3:4] == ["add"] else None
    if words[:2] == ["python", "run.py"]:
        return [w for w in words[2:] if w not in ("--multirun", "-m", "--cfg", "job", "--help")]
    if words and all(SETTING.fullmatch(w) or "=" in w for w in words) and any(_is_setting(w) for w in words):
        return words
    return None


def _is_setting(word: str) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    return key.partition("/")[0] in GROUPS or key in BARE or any(key == k or key.startswith(k) for k in KEYS)


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        joined = re.sub(r"\\\n\s*", " ", text)
        blocks = re.findall(r"```(?:bash|sh)?\n(.*?)```", joined, flags=re.S)
        lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
        spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", joined, flags=re.S))
        for candidate in [*(line for line in lines if line.startswith("python run.py")), *spans]:
            if "=" in candidate and not re.search(r"[<…]|\.\.\.|\$", candidate):
                found.append((page.name, candidate))
    return list(dict.fromkeys(found))


COMMANDS = [pytest.param(c, id=f"{page}: {c[:80]}") for page, c in commands() if settings_of(c)]


def test_the_documents_hold_commands():
    assert len(COMMANDS) > 80


YOURS = ("conf/experiment/mine.yaml",)  # what a reader is told to make


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_s0_what_the_documents_name_exists(page):
    """S0's pages described classes that were gone. Here every file, link and Python name is looked for."""
    text = page.read_text(encoding="utf-8")
    files = re.findall(r"(?<![\w./-])((?:sign_recog|conf|tests|benchmarks|launchers|docs)/[\w./-]*\w)(?![\w<])", text)
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing = [name for name in files if name not in YOURS and not (ROOT / name).exists()]
    missing += [name for name in links if not (page.parent / name).exists()]
    for name in re.findall(r"`(sign_recog(?:\.\w+)+)`", text):
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            missing.append(name)
    assert missing == []


# What a setting that is quoted alone may need beside it to be a whole command.
CORPORA = ([], ["data=fsl105", "data.source=x"], ["data=signon", "data.source=x"], ["data=manifest", "data.source=x"])
STAGES = ([], *([f"run={name}"] for name in ("evaluate", "validate", "extract_keypoints", "report", "export")))
STAGES += (["run=predict", "run.input=x.mp4"], ["run=convert", "run.format=fslr"], ["run=predict"], ["run=convert"])
FILLERS = (["data.source=x"], ["run.input=x.mp4"], ["run.format=fslr"], ["transfer.checkpoint=x.ckpt"])
FILLERS += (["data.video_dir=x"], ["model=s3d", "modality=rgb"], ["modality=rgb"], ["run=clean"])


@pytest.mark.usefixtures("composed_once")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_composes(command):
    """A whole command as it stands; settings alone with what they need to be one."""
    config.register_schemas()
    settings = settings_of(command)
    if command.startswith("python run.py"):
        check_command(settings, cli.CONF_DIR)
        return
    contexts = [*FILLERS, *(corpus + stage for stage in STAGES for corpus in CORPORA)]
    given = {s.lstrip("+~").partition("=")[0] for s in settings}
    groups, errors = {key.partition(".")[0] for key in given}, []

    def unlikely(context: list[str]) -> tuple[bool, int]:
        """Contexts that choose an option of a group whose settings are quoted come first."""
        return not groups & {s.partition("=")[0].partition(".")[0] for s in context}, len(context)

    for context in sorted(contexts, key=unlikely):
        if given & {s.partition("=")[0] for s in context}:
            continue
        try:
            check_command([*context, *settings], cli.CONF_DIR)
            return
        except ConfigError as error:
            errors.append(str(error))
    pytest.fail(f"{command}: {min(errors, key=len)}")
