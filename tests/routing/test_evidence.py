"""Pictures of later tellings belong to the open case of their device: each once, and not without end."""

from canonical.message import Verdict
from canonical.reading import Addition
from canonical.report import Attachment
from routing.evidence import MOST_FILES
from tests.routing.intake_city import verdicts
from tests.routing.test_storm_intake import PHOTO, VIDEO, AlarmDesk, telling


def pictures(desk: AlarmDesk) -> list[str]:
    [case] = desk.cases.values()
    return [file.url for file in case.attachments]


def test_a_later_picture_under_an_id_of_its_own_is_added_to_the_open_case() -> None:
    desk = AlarmDesk()
    desk.take(telling("one"))
    later = telling("two", 5, report=False, addition=Addition(attachments=(PHOTO,)))
    assert verdicts(desk.take(later)) == [Verdict.ADDED]
    assert pictures(desk) == [PHOTO.url]


def test_the_pictures_of_counted_reports_are_kept_once() -> None:
    desk = AlarmDesk()
    desk.take(telling("one", files=[PHOTO]))
    told = desk.take(telling("two", 5, files=[PHOTO, VIDEO]), telling("three", 9, files=[VIDEO]))
    assert verdicts(told) == [Verdict.COUNTED, Verdict.COUNTED]
    assert pictures(desk) == [PHOTO.url, VIDEO.url]


def test_a_case_gets_no_more_than_so_many_files_and_the_journal_says_how_many_were_left_out() -> None:
    desk = AlarmDesk()
    desk.take(telling("one"))
    for number in range(MOST_FILES - 1):
        desk.take(telling(f"t{number}", 1 + number, files=[Attachment(url=f"http://iot/more/{number}.jpg")]))
    [last] = desk.take(telling("last", 99, files=[PHOTO, VIDEO]))
    assert len(pictures(desk)) == MOST_FILES
    assert "1 files left out" in last.text


def test_a_picture_that_comes_after_the_case_has_ended_is_not_forced_upon_it() -> None:
    desk = AlarmDesk()
    desk.take(telling("one"))
    desk.close()
    desk.take(telling("two", 5, active=False, report=False, addition=Addition(attachments=(PHOTO,))))
    assert pictures(desk) == []
