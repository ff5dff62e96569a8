"""With whose credential a file is asked for: by the address it lies at."""

import pytest

from canonical.errors import ContractViolation, Unavailable
from canonical.message import Message
from connectors.http import HttpConnector
from gateway.fetch import by_host
from gateway.hub import clock, fresh_id
from storage.attachments import DueFile
from tests.gateway.fetch_desk import CASE, DOWNLOADS, NOW, PICTURE, Fetching, Platform, Reply, platform, served

__all__ = ["platform", "served"]


def signed(platform: Platform) -> Fetching:
    def own(system: str, file: DueFile) -> Message:
        path = file.url.removeprefix(platform.url)
        headers = {"authorization": "signed"}
        connector = HttpConnector(platform.url, timeout=5, ids=fresh_id, now=clock)
        asked = Message(system=system, body=b"", at=NOW, id=fresh_id(), method="GET", path=path, headers=headers)
        try:
            return connector.send(connector.seal(asked))
        finally:
            connector.close()

    return own


def due(url: str) -> DueFile:
    return DueFile(CASE, "hotline", url, "", 1, None, NOW)


def test_what_lies_at_the_systems_own_address_is_asked_for_as_the_system_wants_it(platform: Platform) -> None:
    fetch = by_host(signed(platform), DOWNLOADS, lambda _: f"{platform.url}/api")

    assert fetch("hotline", due("/1.jpg")).body == PICTURE
    assert fetch("hotline", due(f"{platform.url}/2.jpg")).body == PICTURE

    assert platform.asked == [("/1.jpg", "signed"), ("/2.jpg", "signed")]


def test_what_lies_elsewhere_is_asked_for_without_our_credential(platform: Platform) -> None:
    fetch = by_host(signed(platform), DOWNLOADS, lambda _: "http://127.0.0.1:1/api")

    assert fetch("hotline", due(f"{platform.url}/1.jpg")).status == 200
    platform.replies["/2.jpg"] = [Reply(403)]
    with pytest.raises(Unavailable, match="HTTP 403"):  # signing in at the system would not help there
        fetch("hotline", due(f"{platform.url}/2.jpg"))

    assert [credential for _, credential in platform.asked] == ["", ""]


def test_where_the_system_leads_us_we_go_without_our_credential(platform: Platform) -> None:
    fetch = by_host(signed(platform), DOWNLOADS, lambda _: platform.url)
    platform.replies["/1"] = [Reply(302, b"", {"location": "/store/1.jpg"})]
    platform.replies["/2"] = [Reply(302, b"", {"location": "http://169.254.169.254/latest/meta-data"})]

    assert fetch("hotline", due("/1")).body == PICTURE
    with pytest.raises(ContractViolation, match="never fetched"):
        fetch("hotline", due("/2"))

    assert platform.asked[:2] == [("/1", "signed"), ("/store/1.jpg", "")]


@pytest.mark.parametrize(
    "url", ["ftp://files.example/1.jpg", "data:image/jpeg;base64,AA", "http://[::1", "//127.0.0.1"]
)
def test_an_address_of_another_kind_reaches_nobody(platform: Platform, url: str) -> None:
    fetch = by_host(signed(platform), DOWNLOADS, lambda _: platform.url)

    with pytest.raises(ContractViolation):
        fetch("hotline", due(url))
    assert platform.asked == []


def test_a_system_without_an_address_may_get_one_later(platform: Platform) -> None:
    with pytest.raises(Unavailable, match="no address"):
        by_host(signed(platform), DOWNLOADS, lambda _: "")("hotline", due("/1.jpg"))
