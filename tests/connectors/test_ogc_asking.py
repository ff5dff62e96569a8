"""Asking an upstream service over real sockets: what goes wrong is named, and the token goes nowhere else."""

import asyncio
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from canonical.errors import Misconfigured
from connectors.ogc.asking import Asker, Failed, Trouble, checked
from connectors.ogc.capabilities import Kind
from connectors.ogc.reading import read
from connectors.ogc.service import Service, TokenPlace
from tests.connectors.ogc_place import TOKEN, Place, tianditu, upstream, wms
from tests.ports import find_port


@pytest.fixture
def place() -> Iterator[Place]:
    with upstream(Place(tianditu(), token=TOKEN)) as running:
        yield running


def _service(place: Place, **more: object) -> Service:
    settings: dict[str, object] = {
        "name": "base", "kind": Kind.WMTS, "url": place.url, "token": TOKEN, "token_name": "tk", "layers": ("vec",),
    }  # fmt: skip
    return Service(**(settings | more))  # type: ignore[arg-type]


def _document(service: Service, *, ca: str = "", timeout: float = 5.0) -> bytes:
    async def job() -> bytes:
        asker = Asker(service, ca=ca, timeout=timeout)
        try:
            return await asker.document(service.capabilities())
        finally:
            await asker.close()

    return asyncio.run(job())


def _trouble(service: Service, *, ca: str = "", timeout: float = 5.0) -> Failed:
    with pytest.raises(Failed) as caught:
        _document(service, ca=ca, timeout=timeout)
    return caught.value


@pytest.mark.parametrize(
    ("where", "name"), [(TokenPlace.QUERY, "tk"), (TokenPlace.HEADER, "x-token")], ids=["query", "header"]
)
def test_the_token_goes_where_it_is_told_to(place: Place, where: TokenPlace, name: str) -> None:
    body = _document(_service(place, token_in=where, token_name=name))

    assert read(body).title == "天地图"
    [(_, query, headers)] = place.asked
    assert (query.get("tk"), headers.get("x-token")) == ((TOKEN, None) if name == "tk" else (None, TOKEN))


def test_a_token_as_user_and_password_goes_as_http_basic(place: Place) -> None:
    place.token = ""
    _document(_service(place, token="maps:pass", token_in=TokenPlace.BASIC))

    assert place.asked[0][2]["authorization"] == "Basic bWFwczpwYXNz"


def test_parameters_of_the_address_itself_stay(place: Place) -> None:
    _document(_service(place, url=f"{place.url}?map=/maps/city.map&request=nothing"))

    assert place.asked[0][1]["map"] == "/maps/city.map"
    assert place.asked[0][1]["request"] == "GetCapabilities"


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("slow", Trouble.TOO_SLOW), ("hang_up", Trouble.UNREACHABLE), ("half", Trouble.UNREACHABLE),
        ("html", Trouble.CONTENT_TYPE), ("huge", Trouble.TOO_LARGE), ("exception", Trouble.EXCEPTION),
        ("json", Trouble.TOKEN), ("status", Trouble.STATUS),
    ],
)  # fmt: skip
def test_a_fault_is_called_by_its_name(place: Place, fault: str, trouble: Trouble) -> None:
    place.fault = fault

    assert _trouble(_service(place), timeout=1.0).trouble is trouble


def test_a_token_that_is_not_taken_is_told_as_such(place: Place) -> None:
    found = _trouble(_service(place, token="another"))

    assert (found.trouble, found.status) == (Trouble.TOKEN, 403)


def test_nobody_there_is_unreachable() -> None:
    service = _service(Place(b"", url=f"http://127.0.0.1:{find_port()}/maps"))

    assert _trouble(service).trouble is Trouble.UNREACHABLE


def test_a_redirect_to_another_host_is_not_followed_and_the_token_stays(place: Place) -> None:
    with upstream(Place(tianditu())) as other:
        place.fault, place.elsewhere = "elsewhere", other.url.removesuffix("/maps")
        found = _trouble(_service(place))

        assert found.trouble is Trouble.REDIRECT
        assert other.asked == []
        assert TOKEN not in str(found)


@pytest.mark.parametrize("where", ["http://[bad", "http://127.0.0.1:99999", "//", "http://\u57ce.example", "ftp://x"])
def test_a_redirect_to_nowhere_is_a_fault_like_others(place: Place, where: str) -> None:
    place.fault, place.elsewhere = "elsewhere", where

    assert _trouble(_service(place)).trouble in {Trouble.REDIRECT, Trouble.UNREACHABLE}


def test_a_token_that_no_header_can_carry_is_a_fault_and_stays_here(place: Place) -> None:
    found = _trouble(_service(place, token="密\n钥", token_in=TokenPlace.HEADER, token_name="x-token"))

    assert found.trouble is Trouble.UNREACHABLE
    assert "密" not in str(found)


@pytest.mark.parametrize("fault", ["echo", "elsewhere", "html", "json", "status", "half", "hang_up"])
def test_no_error_and_no_log_line_has_the_token(place: Place, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    place.fault, place.elsewhere = fault, "http://127.0.0.1:9"

    found = _trouble(_service(place), timeout=1.0)

    for form in (TOKEN, quote(TOKEN, safe=""), "7f3a"):
        assert form not in str(found)
        assert form not in caplog.text
    assert TOKEN not in repr(_service(place))


def test_an_exception_that_quotes_the_request_is_shown_without_the_token(place: Place) -> None:
    place.fault = "echo"

    assert "tk=***" in str(_trouble(_service(place)))


# --- certificates ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Signed by itself, for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("certificate")
    made, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made, "-days", "2",
               "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return made, key


def test_a_certificate_of_nobody_known_is_refused_and_named(certificate: tuple[str, str]) -> None:
    with upstream(Place(tianditu()), certificate=certificate) as place:
        found = _trouble(_service(place))

        assert found.trouble is Trouble.CERTIFICATE
        assert "self-signed" in str(found)
        assert place.asked == []


def test_an_authority_that_is_declared_is_trusted(certificate: tuple[str, str]) -> None:
    with upstream(Place(tianditu()), certificate=certificate) as place:
        assert read(_document(_service(place), ca=certificate[0])).title == "天地图"


def test_a_plain_server_behind_an_https_address_is_told_as_tls(place: Place) -> None:
    found = _trouble(_service(place, url=place.url.replace("http://", "https://")))

    assert found.trouble is Trouble.CERTIFICATE


def test_an_authority_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="ca:"):
        Asker(_service(Place(b"", url="https://127.0.0.1/")), ca=str(tmp_path / "none.pem"))


@pytest.mark.parametrize("url", ["ftp://x/", "maps", "http://", "http://u:p@x/", "http://x:99999/"])
def test_what_cannot_be_an_address_is_a_finding(url: str) -> None:
    with pytest.raises(Misconfigured, match="address"):
        checked(url)


def test_a_picture_is_known_by_its_bytes_and_not_by_its_name(place: Place) -> None:
    place.capabilities, place.token = wms("roads"), ""
    service = _service(place, kind=Kind.WMS, crs="EPSG:4490", layers=("roads",))
    address = service.map_of((118.0, 31.0, 119.0, 32.0), (64, 64))

    async def job() -> tuple[str, Trouble]:
        asker = Asker(service, timeout=5)
        assert address is not None
        given = await asker.picture(address)
        place.fault = "html"
        try:
            await asker.picture(address)
        except Failed as error:
            return given.content_type, error.trouble
        finally:
            await asker.close()
        raise AssertionError

    assert asyncio.run(job()) == ("image/png", Trouble.CONTENT_TYPE)
