"""A small folder as SSVP-SLT lays it out, and what its own reader would find there."""

import os
from pathlib import Path

import torch

SENTENCES = {  # names of YouTube may begin with any of its characters
    "train": {"-7E2sU6zP4_0-5-rgb_front.mp4": 'He said "go', "00001-cdefgh.mp4": "다시 봐요", "abc.mp4": "Short."},
    "val": {"00002-efghij.mp4": "A line\u2028of two\x0blines"},
    "test": {"00003-ghijkl.mp4": "The end"},
}


def write_features(folder: Path, *, copies: int = 1, dim: int = 4) -> dict[tuple[str, int], torch.Tensor]:
    """Manifests and tensors of L = 3, 4, ... tokens; returns (name, copy) -> tensor."""
    tensors, length = {}, 3
    (folder / "manifests").mkdir(parents=True)
    for split, sentences in SENTENCES.items():
        rows = []
        for name, text in sentences.items():
            rows.append(f"{name}\t{length}\t{text}\n")
            for copy in range(copies):
                generator = torch.Generator().manual_seed(100 * copy + length)
                tensors[name, copy] = torch.randn(length, dim, generator=generator)
                path = folder / "features" / str(copy) / name[:5] / f"{os.path.splitext(name)[0]}.pt"  # noqa: PTH122
                path.parent.mkdir(parents=True, exist_ok=True)
                torch.save(tensors[name, copy], path)
            length += 1
        (folder / "manifests" / f"{split}_features.tsv").write_text("".join(rows), encoding="utf-8")
    return tensors


def write_videos(folder: Path, content: bytes = b"x") -> None:
    """Manifests, and files that need not be videos: the first below its prefix, the others beside each other."""
    (folder / "manifests").mkdir(parents=True)
    for split, sentences in SENTENCES.items():
        rows = [f"{name}\t{i + 1.5}\t{text}\n" for i, (name, text) in enumerate(sentences.items())]
        (folder / "manifests" / f"{split}.tsv").write_text("".join(rows), encoding="utf-8")
        for i, name in enumerate(sentences):
            path = folder / "videos" / (name if i else f"{name[:5]}/{name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content + name.encode())


def found_by_ssvp_slt(folder: Path, split: str, copy: int = 0) -> list[tuple[str, int, str, torch.Tensor]]:
    """Name, length, label and tensor of each row, looked up by the rules that its documents give."""
    rows = []
    for line in (folder / f"manifests/{split}_features.tsv").read_text(encoding="utf-8").split("\n"):
        if line.strip():
            name, length, label = line.strip().split("\t")
            path = folder / "features" / str(copy) / name[:5] / f"{os.path.splitext(name)[0]}.pt"  # noqa: PTH122
            rows.append((name, int(float(length)), label, torch.load(path, weights_only=True)))
    return rows
