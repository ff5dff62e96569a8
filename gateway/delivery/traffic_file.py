"""What `systems.yaml` says about the traffic to a system."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway.delivery.traffic import Breaking, Retry, Traffic

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: object) -> object:
    """`60s`, `5m`, `1h`, `2d` or plain seconds."""
    if isinstance(value, str) and value[-1:] in _SECONDS and value[:-1].strip().isdigit():
        return int(value[:-1]) * _SECONDS[value[-1]]
    return value


Seconds = Annotated[float, BeforeValidator(seconds)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RetryFile(_File):
    """How often one class of failure is tried again."""

    first: Seconds = Field(default=1, ge=0.1, le=3600, description="pause after the first failure, such as 1s")
    ceiling: Seconds = Field(default=300, ge=0.1, le=86400, description="longest pause; it doubles up to this")
    end: Seconds = Field(
        default=86400, gt=0, le=30 * 86400, description="how long it is tried before a person must look"
    )

    def retry(self) -> Retry:
        """As the lanes use it."""
        return Retry(timedelta(seconds=self.first), timedelta(seconds=self.ceiling), timedelta(seconds=self.end))


def _off(value: object) -> object:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


Policy = Annotated[RetryFile | Literal["off"], BeforeValidator(_off)]


class RetriesFile(_File):
    """Retry by class of failure."""

    unavailable: Policy = Field(
        default=RetryFile(),
        description="certainly not taken: `first`, `ceiling`, `end` of its pauses; `off`: not tried again",
    )
    in_doubt: Policy = Field(
        default=RetryFile(),
        description="it may have arrived, and may be asked for or sent again; the same keys; `off`: parks at once",
    )


class BreakerFile(_File):
    """When nothing more is sent to a system that is not there."""

    after: int = Field(default=5, ge=1, le=1000, description="failures in a row that open it")
    first: Seconds = Field(default=5, ge=0.1, le=3600, description="its first pause; then one delivery is a probe")
    ceiling: Seconds = Field(default=60, ge=0.1, le=86400, description="longest pause; it doubles up to this")

    def breaking(self) -> Breaking:
        """As the lanes use it."""
        return Breaking(self.after, timedelta(seconds=self.first), timedelta(seconds=self.ceiling))


def traffic(rate: float | None, retry: RetriesFile, breaker: BreakerFile) -> Traffic:
    """As the lanes use it."""
    return Traffic(rate, _policy(retry.unavailable), _policy(retry.in_doubt), breaker.breaking())


def _policy(policy: RetryFile | Literal["off"]) -> Retry:
    return policy.retry() if isinstance(policy, RetryFile) else Retry(end=timedelta())
