"""Whatever is told, in whatever order: nothing told is lost, no device has two open cases, no cap is exceeded."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.alarm import Alarm, AlarmPolicy, AlarmState, CapState
from canonical.case import Case
from canonical.lifecycle import Stage
from routing.storm import Decision, tell
from tests.routing.intake_city import NOW

STAGES = (Stage.CLOSED, Stage.CANCELLED, Stage.REFUSED)
values = st.none() | st.floats(60, 90) | st.just(float("nan"))
policies = st.builds(
    AlarmPolicy,
    hold=st.sampled_from([0, 0, 5, 30]),
    times=st.integers(1, 3),
    raise_at=st.sampled_from([None, 80]),
    clear_below=st.sampled_from([None, 70]),
    quiet=st.sampled_from([0, 20]),
    rearm=st.sampled_from(["closed", "cleared"]),
    forget=st.sampled_from([60, 86_400]),
    cap=st.integers(0, 3),
    cap_window=st.sampled_from([30, 300]),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One telling of one device, `wait` seconds after the last step, or the end of its case."""

    device: str
    wait: float
    active: bool = True
    value: float | None = None
    late: float | None = 0
    """Seconds by which the device's clock is behind; None: it has none."""
    ends: Stage | None = None
    has_report: bool = True


tellings = st.builds(
    Step,
    device=st.sampled_from("abc"),
    wait=st.sampled_from([0, 1, 4, 10, 40]),
    active=st.sampled_from([True, True, False]),
    value=values,
    late=st.sampled_from([0, 0, 0, 5, -5, -100_000, None]),
    has_report=st.sampled_from([True, True, True, False]),
)
endings = st.builds(Step, device=st.sampled_from("abc"), wait=st.just(1), ends=st.sampled_from(STAGES))
stories = st.lists(st.one_of(tellings, tellings, tellings, endings), max_size=60)


@dataclass(slots=True)
class Street:
    """Three devices of one kind, the cases they got, and what every telling came to."""

    policy: AlarmPolicy
    now: datetime = NOW
    states: dict[str, AlarmState] = field(default_factory=dict)
    cases: dict[UUID, Case] = field(default_factory=dict)
    devices: dict[UUID, str] = field(default_factory=dict)
    cap: CapState | None = None
    decisions: Counter[Decision] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    opened: list[datetime] = field(default_factory=list)

    def take(self, step: Step) -> None:
        """One step, with the laws that hold after each."""
        self.now += timedelta(seconds=step.wait)
        state = self.states.get(step.device) or AlarmState(system="iot", device=step.device, kind="k")
        case = self.cases.get(state.case_id) if state.case_id else None
        if step.ends is not None:
            if case is not None and not case.ended:
                closed_at = self.now if step.ends is Stage.CLOSED else None
                self.cases[case.id] = case.model_copy(update={"stage": step.ends, "closed_at": closed_at})
            return
        at = None if step.late is None else self.now - timedelta(seconds=step.late)
        alarm = Alarm(device=step.device, kind="k", active=step.active, value=step.value, at=at)
        result = tell(
            state, self.cap, alarm, self.policy, case, received_at=self.now, now=self.now, may_open=step.has_report
        )
        self.told[step.device] += 1
        self.decisions[result.decision] += 1
        self.cap, self.states[step.device] = result.cap, result.state
        if result.decision is Decision.OPEN:
            assert step.has_report
            self._open(step.device)
        if result.decision is Decision.ANNOTATE:
            assert case is not None
            assert not case.ended

    def _open(self, device: str) -> None:
        assert not [case for case in self.cases.values() if self.devices[case.id] == device and not case.ended]
        case_id = UUID(int=len(self.cases) + 1)
        self.cases[case_id] = Case(
            id=case_id, no=str(len(self.cases)), sequence=1, stage=Stage.FILED, version=1, source="iot",
            received_at=self.now,
        )  # fmt: skip
        self.devices[case_id] = device
        self.opened.append(self.now)
        self.states[device] = self.states[device].model_copy(update={"case_id": case_id})


def walked(policy: AlarmPolicy, story: list[Step]) -> Street:
    street = Street(policy)
    for step in story:
        street.take(step)
    return street


@settings(max_examples=200, deadline=None)
@given(policy=policies, story=stories)
def test_every_telling_is_counted_and_comes_to_one_thing(policy: AlarmPolicy, story: list[Step]) -> None:
    street = walked(policy, story)

    assert {device: state.told for device, state in street.states.items()} == dict(street.told)
    assert street.decisions.total() == street.told.total()
    assert street.decisions[Decision.OPEN] == len(street.cases)


@settings(max_examples=200, deadline=None)
@given(policy=policies, story=stories)
def test_in_no_window_are_more_cases_opened_than_the_cap_allows(policy: AlarmPolicy, story: list[Step]) -> None:
    street = walked(policy, story)

    if policy.cap:
        for first, beyond in zip(street.opened, street.opened[policy.cap :], strict=False):
            assert beyond - first >= timedelta(seconds=policy.cap_window)
        withheld = street.cap.withheld if street.cap else 0
        assert withheld == sum(state.capped for state in street.states.values())
        assert street.cap is None or len(street.cap.opened) <= policy.cap


@settings(max_examples=100, deadline=None)
@given(policy=policies, story=stories)
def test_the_same_story_ends_in_the_same_state_even_through_the_store_s_form(
    policy: AlarmPolicy, story: list[Step]
) -> None:
    stored = Street(policy)
    for step in story:
        stored.take(step)
        stored.states = {
            device: AlarmState.model_validate_json(state.model_dump_json(exclude_defaults=True))
            for device, state in stored.states.items()
        }
        stored.cap = stored.cap and CapState.model_validate_json(stored.cap.model_dump_json(exclude_defaults=True))

    assert walked(policy, story) == stored


@settings(max_examples=100, deadline=None)
@given(policy=policies, story=st.lists(tellings, max_size=30))
def test_a_story_told_again_opens_no_second_case_while_the_first_is_open(
    policy: AlarmPolicy, story: list[Step]
) -> None:
    street = walked(policy, story)
    before = set(street.devices.values())

    for step in story:
        street.take(step)

    assert len(street.cases) == len(set(street.devices.values()))
    assert before <= set(street.devices.values())
