"""Budgets, pauses and the breaker of one system, with a clock that is moved by hand."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.traffic import Breaker, Breaking, Rate, Retry, Share
from tests.routing.intake_city import NOW

SECOND = timedelta(seconds=1)
BREAKING = Breaking(after=3, first=timedelta(seconds=5), ceiling=timedelta(seconds=12))


def opened() -> tuple[Breaker, datetime]:
    """A breaker that has just opened."""
    breaker = Breaker(BREAKING)
    assert [breaker.failed(NOW) for _ in range(3)] == [False, False, True]
    return breaker, NOW


def test_pauses_double_up_to_the_ceiling_and_are_spread_over_their_upper_half() -> None:
    retry = Retry(first=SECOND, ceiling=SECOND * 10)

    assert [retry.pause(n, chance=1.0) for n in (1, 2, 3, 4, 5, 90)] == [SECOND * n for n in (1, 2, 4, 8, 10, 10)]
    assert retry.pause(3, chance=0.0) == SECOND * 2


def test_what_the_other_side_asks_for_is_waited_for_at_least() -> None:
    assert Retry().pause(1, chance=0.5, asked=120) == SECOND * 120
    assert Retry().pause(9, chance=1.0, asked=1) == SECOND * 256


def test_a_breaker_opens_after_failures_in_a_row_and_admits_nothing() -> None:
    breaker, now = opened()

    assert (breaker.admits(4, 0, now + SECOND * 4), breaker.state(now)) == (0, "open")


def test_a_success_between_keeps_it_closed() -> None:
    breaker = Breaker(BREAKING)
    breaker.failed(NOW)
    breaker.failed(NOW)
    assert breaker.succeeded() is False
    breaker.failed(NOW)

    assert (breaker.admits(4, 1, NOW), breaker.state(NOW)) == (4, "closed")


def test_when_its_pause_is_over_one_probe_goes_and_no_second_beside_it() -> None:
    breaker, now = opened()
    later = now + SECOND * 5

    assert (breaker.admits(4, 0, later), breaker.admits(4, 1, later), breaker.state(later)) == (1, 0, "half_open")


def test_failing_probes_double_the_pause_up_to_the_ceiling_and_stragglers_do_not() -> None:
    breaker, now = opened()
    assert breaker.failed(now + SECOND) is False  # one that was under way when it opened
    assert breaker.until == now + SECOND * 5
    for expected in (10, 12, 12):
        assert breaker.until is not None
        now = breaker.until
        breaker.failed(now)
        assert breaker.until == now + SECOND * expected


def test_a_probe_that_gets_through_closes_it_and_forgets_how_often_it_had_opened() -> None:
    breaker, now = opened()
    assert breaker.succeeded() is True
    assert breaker.admits(4, 0, now) == 4
    assert [breaker.failed(now) for _ in range(3)] == [False, False, True]
    assert breaker.until == now + SECOND * 5


def test_a_system_that_asks_to_wait_gets_nothing_until_then_whatever_else_gets_through() -> None:
    breaker = Breaker(BREAKING)
    breaker.hold(NOW + SECOND * 30)
    breaker.succeeded()

    assert [breaker.admits(4, 0, NOW + SECOND * n) for n in (0, 29, 30)] == [0, 0, 4]


def test_a_rate_is_kept_over_time_and_saves_up_no_more_than_a_seconds_worth() -> None:
    rate, now, sent = Rate(10.0), NOW, 0
    for _ in range(100):  # ten seconds
        now += SECOND / 10
        admitted = rate.admits(50, now, 1.0)
        rate.took(admitted)
        sent += admitted
    assert 98 <= sent <= 102

    assert rate.admits(50, now + SECOND * 60, 1.0) == 10


def test_a_slow_rate_lets_one_through_now_and_then() -> None:
    rate = Rate(0.5)
    assert rate.admits(4, NOW, 1.0) == 1
    rate.took(1)

    assert [rate.admits(4, NOW + SECOND * n, 1.0) for n in (1, 2)] == [0, 1]


def test_without_a_rate_all_places_are_free() -> None:
    assert Rate(None).admits(7, NOW, 0.5) == 7


@given(places=st.integers(0, 64), count=st.integers(1, 9), system=st.text(min_size=1))
def test_the_shares_of_all_workers_are_the_places_of_the_system(places: int, count: int, system: str) -> None:
    shares = [Share(index, count).of(places, system) for index in range(count)]

    assert sum(shares) == places
    assert max(shares) - min(shares) <= 1
    parts = [Share(index, count).part(places, system) for index in range(count)]
    assert sum(parts) == pytest.approx(1.0 if places else 0.0)


def test_single_places_of_many_systems_are_spread_over_the_workers() -> None:
    names = [f"system{n}" for n in range(100)]

    assert all(sum(Share(index, 4).of(1, name) for name in names) >= 10 for index in range(4))
