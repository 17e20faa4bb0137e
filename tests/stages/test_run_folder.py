"""Whose folder an extractor's files lie in."""

import pytest
from conftest import load_config

from sign_recog.stages.run_folder import extractor_name, stored_extractor


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (("extractor=mediapipe_holistic",), "mediapipe_holistic"),
        (("extractor=s3d",), "s3d"),
        (("extractor=s3d", "extractor.name=s3d_wlasl"), "s3d_wlasl"),
        (("extractor=hiera_base",), "hiera_base"),
        (("extractor=sign_hiera",), "sign_hiera"),
    ],
)
def test_an_extractors_folder_is_its_name_or_else_its_module(overrides, name):
    assert extractor_name(load_config("run=extract_features", "modality=features", *overrides)) == name


def test_an_extractor_from_before_names_keeps_its_folder():
    stored = {"extractor": {"_target_": "sign_recog.extractors.inception_v3.InceptionV3Extractor", "batch_size": 32}}
    assert stored_extractor(stored) == "inception_v3"
