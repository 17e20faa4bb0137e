"""Video -> landmarks with MediaPipe Holistic (Lugaresi et al. 2019, arXiv:1906.08172; Grishchenko and
Bazarevsky 2020, https://research.google/blog/mediapipe-holistic-simultaneous-face-hand-and-pose-prediction-on-device/).

Every clip starts from a fresh tracking state, so its landmarks do not depend on the clips before it.
Layouts without face points run Holistic's graph without its face network: the pose and hand landmarks
are the same to the bit, and a frame costs less.
"""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sign_recog import opencv
from sign_recog.errors import ConfigError, DataError, SignRecogError
from sign_recog.extractors.frames import Change, build_changes, check_changes
from sign_recog.extractors.jobs import source_meta
from sign_recog.landmarks.layout import NUM_FACE, NUM_HAND, NUM_POSE, get_layout
from sign_recog.storage.sequences import KeypointSequence
from sign_recog.video.reader import VideoReader

_NAME = "mediapipe_holistic"
_GRAPH = "modules/holistic_landmark/holistic_landmark_cpu.binarypb"
_POSE_MODELS = {0: "pose_landmark_lite", 1: "pose_landmark_full", 2: "pose_landmark_heavy"}
# Output stream -> its part of holistic_543, in that layout's order.
_PARTS = {
    "pose_landmarks": slice(0, NUM_POSE),
    "left_hand_landmarks": slice(NUM_POSE, NUM_POSE + NUM_HAND),
    "right_hand_landmarks": slice(NUM_POSE + NUM_HAND, NUM_POSE + 2 * NUM_HAND),
    "face_landmarks": slice(NUM_POSE + 2 * NUM_HAND, NUM_POSE + 2 * NUM_HAND + NUM_FACE),
}
# Names of two nodes in the graph, as MediaPipe's own solutions/holistic.py has them.
_DETECTION_THRESHOLD = "poselandmarkcpu__posedetectioncpu__TensorsToDetectionsCalculator.min_score_thresh"
_TRACKING_THRESHOLD = (
    "poselandmarkcpu__poselandmarkbyroicpu__tensorstoposelandmarksandsegmentation__ThresholdingCalculator.threshold"
)


class HolisticExtractor:
    """One clip of a video -> a :class:`KeypointSequence`.

    MediaPipe is loaded with the first clip, so an extractor is cheap to make and to send to another process.

    Args:
        layout: Which points to keep; ``fslr_78`` and ``holistic_543`` need the face network.
        target_fps: Resample to this rate first; None = every frame of the video.
        model_complexity: Pose model 0, 1 or 2; only 1 comes with MediaPipe's wheel.
        min_detection_confidence, min_tracking_confidence: In [0, 1]; below them a person is not found, or lost.
        smooth_landmarks: MediaPipe's own filter over time.
        sharpen: Sigma in pixels of an unsharp mask on every frame; None = none.
        background: "black" = frames show people on black; None = frames as they are.

    Raises:
        ConfigError: If a setting is out of its range.
    """

    makes: ClassVar[str] = "keypoints"

    def __init__(
        self,
        *,
        layout: str,
        target_fps: float | None,
        model_complexity: int,
        min_detection_confidence: float,
        min_tracking_confidence: float,
        smooth_landmarks: bool,
        sharpen: float | None,
        background: str | None,
    ) -> None:
        self.layout = get_layout(layout)
        if target_fps is not None and not target_fps > 0:
            raise ConfigError(f"extractor.target_fps={target_fps} must be above 0, or null for the video's own.")
        if model_complexity not in _POSE_MODELS:
            raise ConfigError(f"extractor.model_complexity={model_complexity} must be 0, 1 or 2.")
        thresholds = {"detection": min_detection_confidence, "tracking": min_tracking_confidence}
        for name, value in thresholds.items():
            if not 0 <= value <= 1:
                raise ConfigError(f"extractor.min_{name}_confidence={value} must be between 0 and 1.")
        check_changes(sharpen, background)
        self.target_fps = target_fps
        self.options: dict[str, Any] = {
            "target_fps": target_fps,
            "model_complexity": model_complexity,
            "min_detection_confidence": min_detection_confidence,
            "min_tracking_confidence": min_tracking_confidence,
            "smooth_landmarks": smooth_landmarks,
        }
        # Only where they are on: files extracted before there were such options stay what they are.
        self.options |= {k: v for k, v in {"sharpen": sharpen, "background": background}.items() if v is not None}
        self._graph: Any = None  # MediaPipe's SolutionBase, running
        self._changes: list[Change] = []

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_graph": None, "_changes": []}  # running graphs cannot be sent to another process

    def description(self) -> dict[str, Any]:
        """What decides the landmarks of a given video, as JSON values; two equal ones give equal files.

        Raises:
            SignRecogError: If MediaPipe is not installed.
        """
        try:
            installed = version("mediapipe")
        except PackageNotFoundError as error:
            raise SignRecogError("MediaPipe is not installed. Run pip install -e . in the project's folder.") from error
        return {
            "extractor": _NAME,
            "version": f"mediapipe {installed}",
            "layout": self.layout.name,
            "options": self.options,
        }

    def extract(self, video: Path, start_s: float = 0.0, end_s: float | None = None) -> KeypointSequence:
        """Return the landmarks of ``[start_s, end_s)`` of ``video``.

        A pose point's confidence is MediaPipe's visibility. MediaPipe gives none for hands and face, so
        there a detected point has confidence 1. A part that was not detected is NaN with confidence 0.

        Raises:
            DataError: If the video cannot be read (see :class:`VideoReader`), or shows nobody in any frame.
            SignRecogError: If MediaPipe cannot be loaded.
        """
        reader = VideoReader(video, start_s=start_s, end_s=end_s, target_fps=self.target_fps)
        ids = np.array(self.layout.ids)
        keypoints, confidence, timestamps_ms = [], [], []
        with _native_stderr_hidden():
            self._restart()
            for image, timestamp_ms in reader:
                for change in self._changes:
                    image = change(image)
                points, scores = self._detect(image)
                keypoints.append(points[ids])
                confidence.append(scores[ids])
                timestamps_ms.append(timestamp_ms)
        pose = self.layout.parts["pose"]
        if all(np.isnan(points[pose]).all() for points in keypoints):
            raise DataError(
                f"{video}: no person was detected in {len(confidence)} frames. Look at the clip; if it does show "
                "someone, lower extractor.min_detection_confidence, else leave it out."
            )
        meta = {"extractor": _NAME, "extraction": self.description()} | source_meta(reader)
        times = np.array(timestamps_ms, dtype=np.int64)
        return KeypointSequence(np.stack(keypoints), np.stack(confidence), times, self.layout, meta)

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One frame -> (543, 3) float32 in image widths and (543,) float32 confidence."""
        height, width, _ = image.shape
        points = np.full((_PARTS["face_landmarks"].stop, 3), np.nan, dtype=np.float32)
        scores = np.zeros(len(points), dtype=np.float32)
        results = self._graph.process({"image": image})
        for name, part in _PARTS.items():
            found = getattr(results, name, None)
            if found is not None:
                # x and z come in image widths, y in image heights.
                points[part] = [(p.x, p.y * height / width, p.z) for p in found.landmark]
                scores[part] = [p.visibility for p in found.landmark] if name == "pose_landmarks" else 1.0
        return points, scores

    def _restart(self) -> None:
        """Forget the clip before. Restarting a graph gives the same landmarks as building a new one, and is faster."""
        if self._graph is None:
            self._graph = _build_graph(self.layout.has_face, self.options)
            # A graph that nobody closes keeps its threads, and half of its 200 MB.
            weakref.finalize(self, self._graph.close).atexit = False
            self._changes = build_changes(self.options.get("sharpen"), self.options.get("background"))
        else:
            self._graph.reset()


def _build_graph(with_face: bool, options: dict[str, Any]) -> Any:
    """Start Holistic's graph, without the nodes that nobody reads."""
    root, calculator_pb2, solution_base = _import_mediapipe()
    model = root / "modules" / "pose_landmark" / f"{_POSE_MODELS[options['model_complexity']]}.tflite"
    if not model.exists():
        raise ConfigError(
            f"extractor.model_complexity={options['model_complexity']} needs the model {model}, which does not come "
            "with MediaPipe's wheel. Download it once with: python -c 'import mediapipe as mp; "
            f"mp.solutions.holistic.Holistic(model_complexity={options['model_complexity']})', or use 1."
        )
    config = calculator_pb2.CalculatorGraphConfig()
    config.ParseFromString((root / _GRAPH).read_bytes())
    side_inputs = {
        "model_complexity": options["model_complexity"],
        "smooth_landmarks": options["smooth_landmarks"],
        "enable_segmentation": False,
        "smooth_segmentation": False,
        "use_prev_landmarks": True,
    }
    if with_face:
        side_inputs["refine_face_landmarks"] = False
    else:
        _keep(config.node, lambda node: not any("face" in name.lower() for name in node.output_stream))
        _keep(config.output_stream, lambda name: "face" not in name)
        _keep(config.input_side_packet, lambda name: "face" not in name)
    return solution_base.SolutionBase(
        graph_config=config,
        side_inputs=side_inputs,
        outputs=[name for name in _PARTS if with_face or name != "face_landmarks"],
        calculator_params={
            _DETECTION_THRESHOLD: options["min_detection_confidence"],
            _TRACKING_THRESHOLD: options["min_tracking_confidence"],
        },
    )


def _keep(repeated: Any, wanted: Any) -> None:
    """Delete the entries of a repeated protobuf field that are not ``wanted``."""
    for i in reversed(range(len(repeated))):
        if not wanted(repeated[i]):
            del repeated[i]


def _import_mediapipe() -> tuple[Path, Any, Any]:
    """MediaPipe's folder and two of its modules.

    Raises:
        SignRecogError: If it is not installed, or a system library is missing.
    """
    try:
        import mediapipe
        from mediapipe.framework import calculator_pb2
        from mediapipe.python import solution_base
        from mediapipe.python.solutions import holistic  # noqa: F401  # registers the messages the graph holds
    except ImportError as error:
        if ".so" in str(error):  # a library that OpenCV, which MediaPipe imports, misses
            remedy = opencv.remedy()
        else:
            remedy = (
                "Run pip install -e . in the project's folder, which installs the version this project is made for."
            )
        raise SignRecogError(f"MediaPipe cannot be loaded: {error}. {remedy}") from error
    return Path(mediapipe.__file__).parent, calculator_pb2, solution_base


@contextmanager
def _native_stderr_hidden() -> Iterator[None]:
    """Send the process's file descriptor 2 nowhere meanwhile: C++ libraries write notices there for every clip.

    Python exceptions pass through, and are printed by whoever catches them afterwards.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
