"""Group commit: what is given while a commit is under way shares the next one. Nobody waits for a batch to fill."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from canonical.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class Group(Generic[Item, Result]):
    """Commits items in batches, one batch at a time, and hands each giver its own result after its commit.

    `commit` is all or nothing. A batch that fails is halved until the poisonous item stands alone; Unavailable goes to
    all of a batch, because halving helps nobody then.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], *, most: int = 500) -> None:
        self._commit, self._most = commit, most
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Result:
        """Raises what committing this item raises."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="group-commit")
        return await done

    async def _run(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most))]
            await self._together(batch)

    async def _together(self, batch: Sequence[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await self._commit([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 handed to everyone who waits for it
            if len(batch) > 1 and not isinstance(error, Unavailable):
                middle = len(batch) // 2
                await self._together(batch[:middle])
                await self._together(batch[middle:])
                return
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return
        for (_, done), result in zip(batch, results, strict=True):
            if not done.done():
                done.set_result(result)
