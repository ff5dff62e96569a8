"""One example for every function an expression has. A test runs them; the reference page shows them."""

from typing import Any

EXAMPLES: tuple[tuple[str, dict[str, Any], Any], ...] = (
    ("doc.a + '-' + text(doc.n)", {"a": "x", "n": 7}, "x-7"),
    ("doc.level in ['1', '2'] ? 'urgent' : 'normal'", {"level": "2"}, "urgent"),
    ("doc.rows.filter(r, r.name == 'level')[0].value", {"rows": [{"name": "level", "value": 42}]}, 42),
    ("doc.rows.map(r, r.v).join(';')", {"rows": [{"v": "a"}, {"v": "b"}]}, "a;b"),
    ("has(doc.a) ? doc.a : 'none'", {}, "none"),
    ("num(doc.v) * 0.1", {"v": "402"}, 40.2),
    ("round(num(doc.v), 1)", {"v": "1.26"}, 1.3),
    ("abs(doc.v)", {"v": -3}, 3),
    ("text(doc.v)", {"v": 48213}, "48213"),
    ("halfwidth(doc.t)", {"t": "ＡＢ１２（３）"}, "AB12(3)"),
    ("digits(doc.t)", {"t": "第12号(3)"}, "123"),
    ("plain(doc.t)", {"t": "<p>路面&nbsp;积水</p>"}, "路面 积水"),
    ("degrees(doc.t)", {"t": "118°22'34.5\""}, 118.37625),
    ("pair(doc.t, 1)", {"t": "POINT(118.37 31.33)"}, 31.33),
    ("written(time(doc.t, 'epoch_ms'), 'yyyy-MM-dd HH:mm:ss')", {"t": 1773598508277}, "2026-03-16 02:15:08"),
    ("time(doc.t, 'yyyyMMddHHmmss').getFullYear()", {"t": "20260316091233"}, 2026),
    ("trim(doc.t)", {"t": " x "}, "x"),
    ("doc.t.split(',')[0]", {"t": "a,b"}, "a"),
    ("doc.t.replace('/', '-')", {"t": "2026/03/16"}, "2026-03-16"),
    ("doc.t.substring(0, 6)", {"t": "340202001"}, "340202"),
    ("lowerAscii(doc.t)", {"t": "AbC"}, "abc"),
    ("doc.t.matches('^[0-9]+$')", {"t": "12"}, True),
    ("size(doc.rows)", {"rows": [1, 2]}, 2),
    ("doc.rows.sort().join('')", {"rows": ["b", "a"]}, "ab"),
)
