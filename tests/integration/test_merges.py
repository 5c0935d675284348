"""Which patients became part of which: an erasure follows every merge, however long the chain."""

import pytest

from patient_service.merges import merged_into, record_merge
from shared.database.engine import transaction


@pytest.fixture
def found(engine):
    """Records merges, each of a newer patient into an older one, and tells who became part of somebody."""

    def find(merges, patient_id):
        with transaction(engine) as connection:
            for newer, older in merges:
                record_merge(connection, newer, older, "api:test")
            return merged_into(connection, patient_id)

    return find


@pytest.mark.parametrize(
    ("merges", "patient_id", "expected"),
    [
        ([], 1, []),
        ([(2, 1)], 1, [2]),
        ([(2, 1)], 2, []),
        ([(2, 1), (3, 1)], 1, [2, 3]),
        ([(3, 2), (2, 1)], 1, [2, 3]),
        ([(4, 3), (3, 2), (2, 1)], 1, [2, 3, 4]),
        ([(4, 3), (3, 2), (2, 1)], 2, [3, 4]),
        ([(5, 4), (4, 2), (3, 1), (2, 1)], 1, [2, 3, 4, 5]),
        # The number of one patient is the beginning of another's.
        ([(2, 11), (3, 1)], 1, [3]),
        # A merge that was undone can be made again.
        ([(2, 1), (2, 1)], 1, [2]),
        ([(2, 1), (3, 2), (3, 1)], 1, [2, 3]),
        ([(2, 1), (1, 2)], 3, []),
    ],
)
def test_everybody_is_found_over_any_number_of_merges(found, merges, patient_id, expected):
    assert set(found(merges, patient_id)) == set(expected)


def test_merges_in_a_circle_come_to_an_end(found):
    assert set(found([(2, 1), (1, 2), (3, 2)], 1)) >= {2, 3}


def test_what_else_people_did_about_a_patient_is_no_merge(found, engine, patients):
    patients.rows(
        "INSERT INTO patient_service.operator_actions (action, actor, entity_id, reason)"
        " VALUES ('undo', 'api:test', 2, 'into 1') RETURNING id"
    )
    assert found([], 1) == []


def test_a_merge_is_kept_with_who_did_it(found, patients):
    found([(2, 1)], 1)
    kept = patients.rows("SELECT action, actor, entity_id, reason FROM patient_service.operator_actions")
    assert kept == [{"action": "merge", "actor": "api:test", "entity_id": 2, "reason": "into 1"}]
