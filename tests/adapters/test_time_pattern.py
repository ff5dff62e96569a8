"""Times as other systems write them, by the letters of their pattern."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from adapters.time_pattern import time_pattern

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy年M月d日 H时m分", "2026年5月20日 8时1分"),
        ("yyyy年MM月dd日HH时mm分", "2026年05月20日08时01分"),
        ("yyyy'年'M'月'd'日 'H'时'm'分'", "2026年5月20日 8时1分"),
        ("yyyy-MM-dd'T'HH:mm", "2026-05-20T08:01"),
    ],
)
def test_chinese_words_between_the_numbers_stand_for_themselves(pattern: str, text: str) -> None:
    made = time_pattern(pattern, ZONE)

    assert made.parse(text) == datetime(2026, 5, 20, 8, 1, tzinfo=ZONE)
    assert made.write(datetime(2026, 5, 20, 8, 1, tzinfo=ZONE)) == text


def test_a_latin_letter_that_means_nothing_is_told() -> None:
    with pytest.raises(ValueError, match="'T' is not known"):
        time_pattern("yyyy-MM-ddTHH:mm", ZONE)
