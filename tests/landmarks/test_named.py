

def test_points_with_holistics_names_have_its_pairs_and_limbs_unless_others_are_given():
    names = ("pose.nose", "pose.left_wrist", "pose.left_elbow", "pose.right_wrist", "tail")
    found = NamedLandmarks(names).with_holistics()
    assert found.swap_pairs == (("pose.left_wrist", "pose.right_wrist"),)
    assert set(found.limbs) == {("pose.left_elbow", "pose.left_wrist")}
    own = NamedLandmarks(names, swap_pairs=(("pose.nose", "tail"),), limbs=(("pose.nose", "tail"),))
    assert own.with_holistics() == own
