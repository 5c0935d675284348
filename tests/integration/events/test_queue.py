"""What a batch of events costs the server, which knows nothing yet of a table that was just filled."""

import pytest
import sqlalchemy as sa

from shared.events.queue import next_events, park

WAITING = 3000
ROWS_READ = sa.text(
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
    " WHERE schemaname = 'patient_service' AND relname = 'event_outbox'"
)


def read_batch(connection, kernel):
    before = connection.execute(ROWS_READ).scalar_one()
    events = next_events(connection, kernel, 10)
    return [event.key for event in events], connection.execute(ROWS_READ).scalar_one() - before


@pytest.mark.parametrize("parked", [0, 5])
def test_a_batch_reads_its_own_events_and_never_sorts_what_waits(outbox, parked):
    keys = [number % 100 for number in range(WAITING)]
    outbox.write(*keys)
    for number in outbox.ask(f"SELECT id FROM patient_service.event_outbox ORDER BY id LIMIT {parked}"):
        outbox.do(park, number, "event_too_large")
    found, rows_read = outbox.do(read_batch)
    assert found == [str(key) for key in range(parked, parked + 10)]
    # All that waits is looked through once: whether anything is parked.
    assert WAITING <= rows_read < WAITING + 100


def test_those_behind_a_parked_event_wait_and_those_before_it_go(outbox):
    outbox.write(1, 2, 1, 2, 1)
    second_of_one = outbox.ask("SELECT id FROM patient_service.event_outbox ORDER BY id")[2]
    outbox.do(park, second_of_one, "event_too_large")
    assert [event.key for event in outbox.do(next_events, 10)] == ["1", "2", "2"]
