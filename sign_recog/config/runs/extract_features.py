"""Settings of ``run=extract_features``."""

from dataclasses import dataclass

from sign_recog.config.runs.extract_keypoints import ExtractKeypointsRun


@dataclass
class ExtractFeaturesRun(ExtractKeypointsRun):
    """Video -> features; as for keypoints, but ``num_workers`` are threads that decode ahead of the network."""
