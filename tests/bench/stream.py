"""Requests as a hotline sends them, and a client that does little else than count answers."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

BOUNDARY = b"----gridhub"
PATH = b"/in/hotline_12345"
CASES = (
    ("0401", "路灯不亮", "3盏路灯已连续三天不亮，夜间出行不便，希望尽快维修。", "340202", "镜湖区赭山街道某小区东门外"),
    ("0105", "雨水井盖缺失", "路口雨水井盖缺失，已有电动车险些摔倒。", "340207", "鸠江区官陡街道示例路口"),
    ("0401", "路灯常亮", "路灯白天常亮，浪费用电，请按时启闭。", "340209", "弋江区马塘街道示例路"),
)


def document(number: int, run: str, token: str) -> bytes:
    """A ticket nobody sent before, as JSON."""
    code, title, content, area, address = CASES[number % len(CASES)]
    params = {
        "taskGuid": f"{run}-t{number}", "taskType": "10", "taskTarget": "20", "taskStatus": "10",
        "rowGuid": f"{run}-r{number}", "serialNum": f"DH{number:013d}", "cstatus": "35", "rqstTitle": title,
        "rqstContent": content, "rqstType": "20", "rqstSource": "DH", "accordType": code, "rqstAreaCode": area,
        "areaCode": "3402", "rqstAddress": address, "rqstPerson": "张某某", "sex": "1", "rqstNumber": "138****0001",
        "linkNumber": "13800000001", "userType": "10", "isSecret": "0", "isImpt": "30", "replayType": "20",
        "rqstTime": "2026-03-16 09:12:33", "registerName": "示例话务员01", "sendTime": "2026-03-16 09:40:00",
        "signLimit": {"value": "4", "unit": "1"}, "finishLimit": {"value": "5", "unit": "2"},
        "answerDeadline": "2026-03-23 09:40:00", "opinion": "请核实处理并答复来电人。", "attachList": [],
    }  # fmt: skip
    return orjson.dumps({"params": params, "token": token})


def plain(number: int, run: str, token: str) -> bytes:
    """One HTTP request with the ticket as a JSON body."""
    body = (
        document(number, run, token)
        .replace(b"2026-03-16 09", b"2026-03-16T09")
        .replace(b"2026-03-23 09", b"2026-03-23T09")
    )
    head = b"POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (PATH, len(body)) + body


def ticket(number: int, run: str, token: str) -> bytes:
    """One HTTP request with the ticket as the hotline sends it."""
    part = document(number, run, token)
    opening = b'--%s\r\nContent-Disposition: form-data; name="params"\r\n\r\n' % BOUNDARY
    body = opening + part + b"\r\n--%s--\r\n" % BOUNDARY
    kind = b"multipart/form-data; boundary=" + BOUNDARY
    head = b"POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (
        PATH,
        kind,
        len(body),
    )
    return head + body


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run gave."""

    seconds: float
    accepted: int
    refused: int
    waits: list[float]
    """Seconds from the first byte sent to the last byte received, one a request."""

    @property
    def per_second(self) -> float:
        """Accepted requests a second."""
        return self.accepted / self.seconds


async def stream(port: int, lines: Sequence[bytes], streams: int) -> Measured:
    """Send all lines over so many streams of the bulk door; a line counts when its verdict is there."""
    waits: list[float] = []
    counts = {True: 0, False: 0}

    async def one(mine: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        body = b"\n".join(mine)
        kind = b"Content-Type: application/x-ndjson\r\nContent-Length: %d" % len(body)
        writer.write(b"POST /bulk/hotline_12345 HTTP/1.1\r\nHost: bench\r\n%s\r\n\r\n" % kind)
        writer.write(body)
        async for line in reader:
            if b'"line"' in line:
                counts[b'"verdict":"case"' in line] += 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(lines[number::streams]) for number in range(streams)))
    return Measured(time.perf_counter() - began, counts[True], counts[False], waits)


async def push(port: int, requests: Sequence[bytes], connections: int) -> Measured:
    """Send all requests over so many kept-alive connections; each connection waits for its answer."""
    waiting = iter(requests)
    waits: list[float] = []
    counts = {True: 0, False: 0}

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            at = head.lower().index(b"content-length:")
            length = int(head[at + 15 : head.index(b"\r", at)])
            body = await reader.readexactly(length)
            waits.append(time.perf_counter() - began)
            counts[head.startswith(b"HTTP/1.1 200") and b'"code":"1"' in body.replace(b" ", b"")] += 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return Measured(time.perf_counter() - began, counts[True], counts[False], waits)
