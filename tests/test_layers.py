"""Imports point one way: a layer may use the ones listed before it."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "sign_recog"
LAYERS = [
    "errors", "types", "console", "opencv", "torchvision_operators", "landmarks", "config", "video", "storage",
    "text", "formats", "corpora", "data", "models", "extractors", "evaluation", "training", "launch", "stages", "queue",
    "cli",
]  # fmt: skip
HEAVY = {"torch", "mediapipe", "cv2", "av", "transformers", "torchvision", "wandb", "matplotlib", "sklearn", "timm"}


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "sign_recog" else set()
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_file_belongs_to_a_layer():
    found = {layer_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert found <= set(LAYERS)


def test_imports_point_to_earlier_layers():
    upward = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in PACKAGE.rglob("*.py")
        if layer_of(path) != "__init__"
        for name in imported_modules(path)
        if name.startswith("sign_recog.") and LAYERS.index(name.split(".")[1]) > LAYERS.index(layer_of(path))
    ]
    assert upward == []


def test_networks_import_only_torch_and_types():
    own = ("sign_recog.types", "sign_recog.errors", "sign_recog.torchvision_operators", "sign_recog.models")
    allowed = {
        "torch",
        "torchvision",
        "math",
        "collections",
        "copy",
        "typing",
        "dataclasses",
        "functools",
        "itertools",
        "re",
        "pathlib",
        "contextlib",
        "pickle",
        "warnings",
        "transformers",
        "hiera",
        "timm",
        "difflib",
        "peft",
        "safetensors",
    }
    strangers = [
        f"{path.name} imports {name}"
        for path in (PACKAGE / "models").rglob("*.py")
        for name in imported_modules(path)
        if name.split(".")[0] not in allowed and not name.startswith(own)
    ]
    assert strangers == []


def test_the_command_line_starts_without_heavy_libraries():
    code = "import sys, run; print(' '.join(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert HEAVY.isdisjoint(done.stdout.split())


def test_files_stay_short():
    long = [str(p) for p in PACKAGE.rglob("*.py") if len(p.read_text(encoding="utf-8").splitlines()) > 310]
    assert long == []
