"""A small part of the suite on the oldest PostgreSQL that a city may bring: Debian's, where it is installed.

All of it runs there with `make postgresql BINARIES=/usr/lib/postgresql/15/bin`, or on any server with `URL=...`.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from tests.conftest import QUICK
from tests.databases import made
from tests.storage import (
    test_alarms,
    test_journal_and_casebook,
    test_outbox_lanes,
    test_store_transactions,
    test_tallies,
)

OLDEST = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))[:1]
TOLD: tuple[Callable[[str], None], ...] = (
    test_store_transactions.test_what_was_saved_is_known_again_word_for_word,
    test_store_transactions.test_batches_that_touch_the_same_cases_in_opposite_order_do_not_deadlock,
    test_store_transactions.test_the_same_report_through_many_processes_at_once_is_one_case,
    test_journal_and_casebook.test_the_journal_is_filtered_by_every_word_and_newest_first,
    test_journal_and_casebook.test_a_case_is_found_by_every_number_anybody_has_for_it,
    test_journal_and_casebook.test_the_books_balance_and_count_what_is_overdue,
    test_outbox_lanes.test_many_claimers_never_hold_one_delivery_twice_nor_two_of_one_lane,
    test_outbox_lanes.test_the_message_and_its_answer_stand_in_the_journal_with_the_verdict,
    test_tallies.test_what_is_due_becomes_one_row_when_it_is_past,
    test_tallies.test_what_was_spoilt_is_found_and_put_right_beside_who_writes,
    test_alarms.test_through_many_processes_at_once_a_new_device_gets_one_case,
)


@pytest.fixture(scope="module")
def older() -> Iterator[EmbeddedPostgres]:
    """A server of those binaries."""
    if not OLDEST:
        pytest.skip("no PostgreSQL of the system's own; deploy/test-servers.sh installs it")
    with EmbeddedPostgres(None, binaries=OLDEST[0], settings=QUICK) as server:
        yield server


@pytest.mark.parametrize("tell", TOLD, ids=lambda told: told.__name__)
def test_it_is_no_different_there(older: EmbeddedPostgres, tell: Callable[[str], None]) -> None:
    with made(older, f"older_{uuid4().hex}", "ENCODING 'UTF8' TEMPLATE template0") as name:
        asyncio.run(migrate(older.url_of(name)))
        tell(older.url_of(name))
