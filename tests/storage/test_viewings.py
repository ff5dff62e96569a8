"""Looks at personal data: each is kept, and found by who looked, what at, and of which case."""

from datetime import timedelta

from canonical.rights import EVERYTHING
from storage.viewings import Viewed, Viewings
from tests.routing.intake_city import NOW
from tests.storage.storeroom import Storeroom, story

CASE = "3402202605200000001"


def test_looks_are_found_by_person_case_and_time(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        viewings = Viewings(room.store)
        for number in range(5):
            await viewings.looked(
                login="li" if number % 2 else "wang", what=Viewed.REPORTER, case_no=CASE if number < 4 else "other",
                subject=f"{number}", reason="回访", at=NOW + timedelta(minutes=number),
            )  # fmt: skip

        assert [one.subject for one in await viewings.listed(scope=EVERYTHING)] == ["4", "3", "2", "1", "0"]
        assert [one.subject for one in await viewings.listed(scope=EVERYTHING, login="wang")] == ["4", "2", "0"]
        assert [one.subject for one in await viewings.listed(scope=EVERYTHING, case_no=CASE, login="li")] == ["3", "1"]
        assert await viewings.listed(scope=EVERYTHING, what=Viewed.MESSAGE) == []
        between = await viewings.listed(
            scope=EVERYTHING, since=NOW + timedelta(minutes=1), until=NOW + timedelta(minutes=3)
        )
        assert [one.subject for one in between] == ["2", "1"]
        first = await viewings.listed(scope=EVERYTHING, limit=2)
        assert [one.subject for one in await viewings.listed(scope=EVERYTHING, after=first[-1].id, limit=2)] == [
            "2",
            "1",
        ]

    story(database_url, tell)
