"""Logs are facts with names. Bodies and personal data never: only ids, counts and reasons."""

import logging
import sys

import structlog


def set_up(*, json: bool = False) -> None:
    """Log to standard error: one line a fact, as text for people or as JSON for machines."""
    renderer = structlog.processors.JSONRenderer(ensure_ascii=False) if json else _for_people()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_on_standard_error,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")


def is_set_up() -> bool:
    """True when it was; whoever else has set up logging in this process would have it on standard output."""
    return structlog.is_configured() and structlog.get_config()["logger_factory"] is _on_standard_error


def _on_standard_error(*_: object) -> structlog.PrintLogger:
    """Where standard error is now: whoever redirects it later gets the lines."""
    return structlog.PrintLogger(sys.stderr)


def _for_people() -> structlog.types.Processor:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


log: structlog.stdlib.BoundLogger = structlog.get_logger()
