"""Whether workers fit into what PostgreSQL and the container give them."""

import pytest

from curavani.sizes import connections_advice, memory_advice
from shared.core.memory import BYTES_PER_WORKER, memory_limit
from shared.database.engine import POOL_SIZE, create_engine
from shared.database.room import CONNECTIONS_PER_PROCESS, FOR_COMMANDS, Room

MB = 1024 * 1024


def test_a_process_opens_no_more_connections_than_it_is_counted_with():
    engine = create_engine("postgresql://nobody@127.0.0.1:1/nothing", application_name="tests")
    assert engine.pool.size() + engine.pool._max_overflow == CONNECTIONS_PER_PROCESS == 2 * POOL_SIZE


@pytest.mark.parametrize(("limit", "others", "fits"), [(50, 4, True), (50, 5, False), (46, 0, True), (45, 0, False)])
def test_two_processes_fit_where_both_and_the_commands_do(limit, others, fits):
    assert 2 * CONNECTIONS_PER_PROCESS + FOR_COMMANDS == 46
    advice = connections_advice(Room(limit, others), 2)
    assert (advice is None) == fits
    assert fits or "may need 46" in advice


def test_workers_fit_into_the_containers_memory_or_it_is_said_how_much_they_need():
    assert memory_advice(2 * BYTES_PER_WORKER, 2) is None
    assert memory_advice(None, 64) is None
    assert "256 MB; 2 worker(s) may need 512" in memory_advice(2 * BYTES_PER_WORKER - MB * 256, 2)


@pytest.mark.parametrize(
    ("texts", "limit"),
    [(["536870912"], 536870912), (["max"], None), ([None, "268435456"], 268435456), ([None, str(1 << 62)], None)],
)
def test_the_containers_limit_is_read_as_either_kind_of_kernel_gives_it(texts, limit, tmp_path):
    files = []
    for number, text in enumerate(texts):
        file = tmp_path / str(number)
        if text is not None:
            file.write_text(text)
        files.append(file)
    assert memory_limit(tuple(files)) == limit
