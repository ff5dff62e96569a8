"""A folder behind SFTP (OpenSSH's protocol version 3): connections, keys, and the server's words for what went wrong.

One connection, made when it is needed. One that broke since its last use is made anew once; the server's key is
checked before any secret of ours leaves us.
"""

import base64
import binascii
import contextlib
import io
import logging
import socket
import stat
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import paramiko
from paramiko.pkey import UnknownKeyType
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR
from paramiko.ssh_exception import IncompatiblePeer

from canonical.errors import ContractViolation, HubError, InDoubt, Misconfigured, Unauthenticated, Unavailable
from connectors.folders import (
    SFTP_PORT,
    Denied,
    Entry,
    Placed,
    address_path,
    hidden,
    label,
    new_writer,
    raw,
    split_address,
)

KEEP_ALIVE = 15
"""Seconds of silence after which the other side is asked whether it is still there."""

_LOG = "connectors.sftp"
_NO_KEY = (
    "an SFTP server must be known by its key: give host_key what `ssh-keyscan -t ed25519 HOST` prints after the name"
)
_NANO = 1_000_000_000
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_KEY_KINDS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)

_Answer = TypeVar("_Answer")


class SftpFolder:
    """A folder of an SFTP server. Safe to share between threads, which then take turns.

    `timeout`: seconds for connecting and signing in together, and for each wait afterwards. `private_key`: the text of
    an OpenSSH or PEM key, `password` is then its passphrase. Raises Misconfigured when these settings cannot be right.
    """

    def __init__(
        self, url: str, *, timeout: float, username: str, password: str = "", private_key: str = "", host_key: str = ""
    ) -> None:
        parts = split_address(url)
        self._root = address_path(parts).rstrip("/")
        if parts.scheme != "sftp" or not parts.hostname:
            raise Misconfigured("the address of an SFTP folder must look like sftp://host:port/folder")
        if not username or not (password or private_key):
            raise Misconfigured("SFTP needs a username, and a password or a private_key")
        self._address = (parts.hostname, parts.port or SFTP_PORT)
        self._host_key = _public_key(host_key)
        self._username = username
        self._password = password
        self._key = _private_key(private_key, password) if private_key else None
        self._timeout = timeout
        self._client: _Client | None = None
        self._writer = new_writer()
        self._lock = threading.RLock()

    def files(self, folder: str) -> Sequence[Entry]:
        """The regular files lying there; links are left out, wherever they lead."""

        def listed(client: _Client) -> Sequence[Entry]:
            try:
                return client.entries(self._spot(folder))
            except FileNotFoundError:
                raise ContractViolation(f"there is no folder '{label(folder)}' below the root", at="folder") from None

        return self._asked("listing", listed)

    def look(self, path: str) -> Entry | None:
        """The file as it is now; None when it is gone."""
        return self._asked("looking", lambda client: client.entry(self._spot(path)))

    def read(self, path: str, most: int) -> tuple[bytes, Entry] | None:
        """Up to `most` bytes from the start, and the file as it was after reading; None when it is gone."""

        def read(client: _Client) -> tuple[bytes, Entry] | None:
            spot = self._spot(path)
            if client.entry(spot) is None:
                return None
            try:
                with client.open(spot, "rb") as file:
                    data = file.read(most)
                    return data, _entry(_last(spot), file.stat())
            except FileNotFoundError:
                return None

        return self._asked("reading", read)

    def put(self, path: str, data: bytes) -> Placed:
        """A whole new file. Where the connection breaks while it gets its name, we look again what became of it."""
        temporary, spot = self._spot(hidden(path, self._writer)), self._spot(path)
        with self._lock:
            self._asked("writing", lambda client: client.write(temporary, data))
            try:
                placed = self._asked("naming", lambda client: client.renamed(temporary, spot))
            except Denied:
                raise
            except Unavailable as error:
                raise InDoubt(f"{error}; whether the file has its name by now is unknown") from None
            if placed is not Placed.OCCUPIED:
                return Placed.DONE  # when it is gone, an attempt whose answer was lost had renamed it
            self._asked("removing", lambda client: client.removed(temporary))
            return Placed.OCCUPIED

    def move(self, path: str, to: str) -> Placed:
        """Rename, making the folders above `to`."""
        source, target = self._spot(path), self._spot(to)

        def moved(client: _Client) -> Placed:
            client.make_folders(target.rpartition(b"/")[0])
            return client.renamed(source, target)

        return self._asked("moving", moved)

    def remove(self, path: str) -> None:
        """Harmless when it is gone."""
        self._asked("removing", lambda client: client.removed(self._spot(path)))

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            client, self._client = self._client, None
            if client:
                client.hang_up()

    def _spot(self, path: str) -> bytes:
        return raw(f"{self._root}/{path}")

    def _asked(self, doing: str, ask: Callable[["_Client"], _Answer]) -> _Answer:
        """Ask over the connection we have; if that turns out to be broken, once more over a new one."""
        with self._lock:
            kept = self._client is not None
            try:
                return self._asked_once(doing, ask)
            except Denied:
                raise
            except Unavailable:
                if not kept:
                    raise
            return self._asked_once(doing, ask)

    def _asked_once(self, doing: str, ask: Callable[["_Client"], _Answer]) -> _Answer:
        if self._client is None:
            self._client = self._connected()
        client = self._client
        try:
            return ask(client)
        except _TROUBLE as error:
            if not client.alive() or isinstance(error, (TimeoutError, EOFError, paramiko.SSHException)):
                self.close()
                raise Unavailable(f"{doing}: the connection broke ({type(error).__name__})") from None
            raise _refused(doing, error) from None

    def _connected(self) -> "_Client":
        """A connection whose server showed the agreed key and took our credential."""
        try:
            wire = socket.create_connection(self._address, self._timeout)
        except OSError as error:
            raise Unavailable(f"no connection ({type(error).__name__})") from None
        _hear_of_silence(wire, self._timeout)
        try:
            transport = paramiko.Transport(wire)
        except _TROUBLE as error:
            wire.close()
            raise Unavailable(f"no SFTP session ({type(error).__name__})") from None
        return self._signed_in(transport)

    def _signed_in(self, transport: paramiko.Transport) -> "_Client":
        # What goes wrong comes to us as an exception; paramiko would log it once more, with file names and traces.
        logging.getLogger(_LOG).setLevel(logging.CRITICAL + 1)
        transport.set_log_channel(_LOG)
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = self._timeout
        kind = self._host_key.get_name()
        transport.get_security_options().key_types = _RSA if kind == "ssh-rsa" else (kind,)
        watch = threading.Timer(self._timeout, transport.close)  # the library waits for some answers without an end
        watch.daemon = True
        watch.start()
        client = None
        try:
            transport.start_client(timeout=self._timeout)
            if transport.get_remote_server_key().asbytes() != self._host_key.asbytes():
                raise Misconfigured(
                    "the SFTP server shows another key than host_key: ask its operator before changing it"
                )
            if self._key:
                transport.auth_publickey(self._username, self._key)
            else:
                transport.auth_password(self._username, self._password)
            if not transport.is_authenticated():
                raise Unauthenticated("the SFTP server wants more than one credential")
            transport.set_keepalive(KEEP_ALIVE)
            channel = transport.open_session(timeout=self._timeout)
            channel.settimeout(self._timeout)
            channel.invoke_subsystem("sftp")
            client = _Client(channel)
        except _TROUBLE as error:
            raise _not_connected(error, transport.is_active()) from None
        finally:
            watch.cancel()
            if client is None:
                transport.close()
        return client


class _Client(paramiko.SFTPClient):
    """The protocol's requests with names as bytes: the library's own listing gives up at a name that is no UTF-8."""

    def alive(self) -> bool:
        """False when nothing more can be asked over this connection."""
        channel = self.get_channel()
        transport = channel.get_transport() if channel else None
        return bool(channel and transport and transport.is_active() and not channel.closed and not channel.eof_received)

    def hang_up(self) -> None:
        """Close channel and connection, whatever state they are in."""
        channel = self.get_channel()
        with contextlib.suppress(*_TROUBLE):
            self.close()
        if channel:
            channel.get_transport().close()

    def entries(self, folder: bytes) -> list[Entry]:
        """The regular files of a folder."""
        kind, answer = self._request(CMD_OPENDIR, folder)  # type: ignore[attr-defined]
        if kind != CMD_HANDLE:
            raise paramiko.SFTPError("a handle was expected")
        handle = answer.get_binary()
        found: list[Entry] = []
        while True:
            try:
                kind, answer = self._request(CMD_READDIR, handle)  # type: ignore[attr-defined]
            except EOFError:
                break
            if kind != CMD_NAME:
                raise paramiko.SFTPError("names were expected")
            for _ in range(answer.get_int()):
                name, long_name = answer.get_binary(), answer.get_binary()
                attributes = paramiko.SFTPAttributes._from_msg(answer, "", "")  # type: ignore[attr-defined] # no public way in
                if _is_file(attributes, long_name):
                    found.append(_entry(name, attributes))
        self._request(CMD_CLOSE, handle)  # type: ignore[attr-defined]
        return found

    def entry(self, path: bytes) -> Entry | None:
        """One regular file as it is now."""
        try:
            attributes = self.lstat(path)
        except FileNotFoundError:
            return None
        return _entry(_last(path), attributes) if _is_file(attributes, b"") else None

    def write(self, path: bytes, data: bytes) -> None:
        """The whole of a file, new or anew, and a look whether all of it arrived."""
        with self.open(path, "wb") as file:
            file.set_pipelined(True)
            file.write(data)
        if self.stat(path).st_size != len(data):
            raise paramiko.SFTPError("not all of the file arrived")

    def renamed(self, source: bytes, target: bytes) -> Placed:
        """Rename without overwriting. Servers only say 'failure' when a name is taken: we look first and afterwards.

        GONE also when an attempt whose answer was lost had done it.
        """
        if self._is_taken(target):
            return Placed.OCCUPIED if self._is_taken(source) else Placed.GONE
        try:
            self.rename(source, target)
        except TimeoutError:
            raise
        except OSError:
            if not self._is_taken(source):
                return Placed.GONE
            if self._is_taken(target):
                return Placed.OCCUPIED
            raise
        return Placed.DONE

    def removed(self, path: bytes) -> None:
        """Away, if it was there."""
        with contextlib.suppress(FileNotFoundError):
            self.remove(path)

    def make_folders(self, folder: bytes) -> None:
        """This folder and those above it."""
        if not folder or self._is_taken(folder):
            return
        self.make_folders(folder.rpartition(b"/")[0])
        try:
            self.mkdir(folder)
        except TimeoutError:
            raise
        except OSError:
            if not self._is_taken(folder):  # else another made it meanwhile
                raise

    def _is_taken(self, path: bytes) -> bool:
        try:
            self.lstat(path)
        except FileNotFoundError:
            return False
        return True


_TROUBLE = (paramiko.SSHException, paramiko.SFTPError, EOFError, OSError, UnicodeDecodeError)
"""What the library raises. UnicodeDecodeError: a server's words in GBK."""


def _is_file(attributes: paramiko.SFTPAttributes, long_name: bytes) -> bool:
    """Some servers tell no mode; the line they print for people then says what is no file."""
    if attributes.st_mode is None:
        return long_name[:1] in {b"", b"-"}
    return stat.S_ISREG(attributes.st_mode)


def _last(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _entry(name: bytes, attributes: paramiko.SFTPAttributes) -> Entry:
    size, modified = attributes.st_size, attributes.st_mtime
    return Entry(name.decode("utf-8", "surrogateescape"), -1 if size is None else size, (modified or 0) * _NANO)


def _hear_of_silence(wire: socket.socket, timeout: float) -> None:
    """Ends a connection whose other side takes nothing any more, where the system can do that."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        wire.setsockopt(socket.IPPROTO_TCP, option, int(timeout * 1000))


def _public_key(text: str) -> paramiko.PKey:
    """A server's key from `type base64`, with or without a comment. Raises Misconfigured."""
    words = text.split()
    if len(words) < 2:
        raise Misconfigured(_NO_KEY)
    try:
        return paramiko.PKey.from_type_string(words[0], base64.b64decode(words[1], validate=True))
    except (paramiko.SSHException, UnknownKeyType, binascii.Error, ValueError, IndexError, TypeError):
        raise Misconfigured(f"host_key cannot be read. {_NO_KEY}") from None


def _private_key(text: str, passphrase: str) -> paramiko.PKey:
    """Our key from its text. Raises Misconfigured."""
    for kind in _KEY_KINDS:
        try:
            return kind.from_private_key(io.StringIO(text), passphrase or None)
        except paramiko.PasswordRequiredException:
            raise Misconfigured("private_key has a passphrase: give it as password") from None
        except (paramiko.SSHException, ValueError, IndexError, TypeError):
            continue  # another kind of key
    raise Misconfigured("private_key is no Ed25519, ECDSA or RSA key, or its passphrase is another")


def _not_connected(error: Exception, alive: bool) -> HubError:
    """Why there is no session. `alive`: the server had not hung up, so that its word about us is its answer."""
    what = type(error).__name__
    if isinstance(error, IncompatiblePeer):
        return Misconfigured("the SFTP server has no key of the kind of host_key, or no way of enciphering we know")
    if isinstance(error, paramiko.BadAuthenticationType):
        return Unauthenticated("the SFTP server does not let us in this way; ask its operator: password or key?")
    if isinstance(error, paramiko.AuthenticationException) and alive:
        return Unauthenticated("the SFTP server does not accept our username with this password or key")
    return Unavailable(f"no SFTP session ({what})")


def _refused(doing: str, error: Exception) -> HubError:
    """What the server refused over a connection that is well."""
    return Denied(f"{doing}: the SFTP server refuses ({type(error).__name__})")
