"""The utilities' daily files, as the simulated companies write them."""

from datetime import date
from random import Random

import adapters
from canonical.errors import Unacceptable
from canonical.reading import Reading
from simulators import utility_usage as companies
from tests.adapters.systems import inbound, loaded

SYSTEM = loaded(adapters.shipped()["utility_usage"])
DAY = date(2026, 5, 19)


def read(day: date = DAY, more: bytes = b"") -> tuple[list[tuple[str, ...]], list[Reading | Unacceptable]]:
    rows = list(companies._rows(Random(1), Random(2), day, 60, 0.3, certain=True))
    return rows, SYSTEM.read(inbound(companies._csv(rows) + more, door="usage_files"))


def test_every_alert_is_an_alarm_and_every_other_row_is_noted() -> None:
    rows, found = read()

    assert len(found) == len(rows) == 180
    for row, reading in zip(rows, found, strict=True):
        assert isinstance(reading, Reading), reading
        assert (reading.alarm is not None) is (reading.report is not None) is bool(row[8])
        assert row[2] not in reading.model_dump_json()  # the householder's name
        if reading.alarm and reading.report:
            assert (reading.alarm.device, reading.alarm.kind, reading.alarm.active) == (row[0], row[8], True)
            assert (reading.report.title, reading.report.address) == (row[9], row[3])
            assert (reading.report.reported_on, reading.report.class_code) == (DAY, None)


def test_the_same_alert_of_the_next_day_is_the_same_alarm() -> None:
    alarms = [{(one.alarm.device, one.alarm.kind) for one in read(day)[1] if isinstance(one, Reading) and one.alarm}
              for day in (DAY, date(2026, 5, 20))]  # fmt: skip

    assert alarms[0]
    assert alarms[0] == alarms[1]


def test_a_file_that_is_not_gbk_is_refused_as_a_whole() -> None:
    [content] = read(more=companies._BROKEN)[1]

    assert isinstance(content, Unacceptable)
