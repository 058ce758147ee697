"""How long the rest of an ingestion takes, told from what was done of late."""

from shared.domain.progress import WINDOW, marked, pace, seconds_left


def test_two_documents_side_by_side_have_one_pace():
    assert pace([[[0, 0], [100, 50]], [[50, 10], [100, 60]]], 100) == 1.0


def test_a_stall_slows_the_pace_and_then_ends_it():
    marks = [[0, 0], [100, 100]]
    assert pace([marks], 200) == 0.5
    assert pace([marks], 100 + WINDOW + 1) is None


def test_what_has_not_moved_has_no_pace():
    assert pace([[[0, 5], [100, 5]]], 100) is None
    assert pace([], 100) is None


def test_marks_stay_few_however_often_they_are_made():
    marks = [[0.0, 0]]
    for second in range(1, 1000):
        marks = marked(marks, float(second), second)
    assert len(marks) < 100
    assert marks[-1] == [999.0, 999]


def test_the_time_left_is_unknown_without_a_number_or_a_pace():
    assert (seconds_left(None, 1.0), seconds_left(5, None), seconds_left(0, None)) == (None, None, 0.0)
    assert seconds_left(5, 0.5) == 10.0
