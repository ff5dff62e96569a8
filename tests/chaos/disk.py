"""A disk of its own for the files of cases, small enough to be filled: a tmpfs, where we may mount one."""

import os
import subprocess
from pathlib import Path

SIZE = 64 * 1024 * 1024


class Disk:
    """`folder`, on a file system of its own when that is possible."""

    def __init__(self, folder: Path, size: int = SIZE) -> None:
        folder.mkdir(parents=True)
        self.folder, self._ballast = folder, folder / "ballast"
        self.apart = os.geteuid() == 0 and _mount(folder, size)

    def fill(self) -> bool:
        """Leave no room at all. False when it is not a disk of its own."""
        if not self.apart:
            return False
        try:
            with self._ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1024 * 1024))
        except OSError:
            pass
        try:
            with self._ballast.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(512))
        except OSError:
            return True

    def free(self) -> None:
        """Room again."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount."""
        if self.apart:
            subprocess.run(["umount", str(self.folder)], check=False, capture_output=True)
            self.apart = False


def _mount(folder: Path, size: int) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "chaos", str(folder)]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False
