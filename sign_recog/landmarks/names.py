"""What each landmark is called.

Names as in MediaPipe's pose and hand models (mediapipe.solutions.holistic.PoseLandmark and HandLandmark), in lower
case; points of the face mesh have no names, so they go by their number. Left and right are the signer's.
"""

from sign_recog.landmarks.layout import NUM_HAND, NUM_POSE, Layout

_SIDES = ("left", "right")
POSE_NAMES = (
    "nose",
    *(f"{side}_eye{corner}" for side in _SIDES for corner in ("_inner", "", "_outer")),
    "left_ear", "right_ear", "mouth_left", "mouth_right",
    *(
        f"{side}_{point}"
        for point in (
            "shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee", "ankle", "heel", "foot_index",
        )
        for side in _SIDES
    ),
)  # fmt: skip
HAND_NAMES = (
    "wrist",
    *(f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip")),
    *(f"{f}_{joint}" for f in ("index_finger", "middle_finger", "ring_finger", "pinky") for joint in
      ("mcp", "pip", "dip", "tip")),
)  # fmt: skip


def point_names(layout: Layout) -> list[str]:
    """The names on ``layout``'s V axis, each with its part: ``pose.nose``, ``left_hand.wrist``, ``face.33``.

    >>> from sign_recog.landmarks.layout import get_layout
    >>> point_names(get_layout("holistic_75"))[33]
    'left_hand.wrist'
    """
    hands, face = NUM_POSE + NUM_HAND, NUM_POSE + 2 * NUM_HAND
    names = []
    for point in layout.ids:
        if point < NUM_POSE:
            names.append(f"pose.{POSE_NAMES[point]}")
        elif point < hands:
            names.append(f"left_hand.{HAND_NAMES[point - NUM_POSE]}")
        elif point < face:
            names.append(f"right_hand.{HAND_NAMES[point - hands]}")
        else:
            names.append(f"face.{point - face}")
    return names
