"""A real mail server and a real webhook that notices are told to."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.notify_file import MailFile, Notify, WebhookFile
from tests.gateway.pulling import Platform

SECRET = "the-key-of-the-notices"


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mails as RFC 5321 says; refuses what the test says."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.mails: list[str] = []
        self.refusing = ""


class _Mail(socketserver.StreamRequestHandler):
    server: MailServer

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self) -> None:
        self.say("220 mail.example ready")
        while line := self.rfile.readline():
            word = line.decode().strip().upper()
            if word.startswith("QUIT"):
                self.say("221 bye")
                return
            if word == "DATA":
                self.take()
            elif word.startswith("MAIL") and self.server.refusing:
                self.say(self.server.refusing)
            else:
                self.say("250 ok")

    def take(self) -> None:
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline().decode()) not in (".\r\n", ""):
            lines.append(line)
        self.server.mails.append("".join(lines))
        self.say("250 taken")


@contextmanager
def serving(server: MailServer) -> Iterator[MailServer]:
    """Up until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def declared(duty: Platform, desk: MailServer) -> Notify:
    port = int(desk.server_address[1])
    mail = MailFile(host="127.0.0.1", port=port, starttls=False, sender="hub@city.example", to=["desk@city.example"])
    return Notify(webhook=WebhookFile(url=f"{duty.url}/duty", secret=SECRET), mail=mail)
