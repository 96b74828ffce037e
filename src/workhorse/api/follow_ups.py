"""Options that say what comes before a job, and after it; checked before anything is sent."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, cast

from workhorse.core.callbacks import Callback, CallbackRecord
from workhorse.core.errors import InvalidOptionError
from workhorse.core.limits import RateLimit
from workhorse.core.repeat import Repeat
from workhorse.core.settings import LONGEST_SPAN
from workhorse.core.webhooks import Webhook
from workhorse.wire.payload import name_call


def check_callback(name: str, callback: object) -> CallbackRecord:
    """Return the callback given as the option *name*: a Callback, a function or its name."""
    told = callback if isinstance(callback, Callback) else Callback(cast("Any", callback))
    function, instance = name_call(told.func)
    if instance is not None:
        raise InvalidOptionError(
            f"{name}: {told.func!r} is a method of an object, which a worker does not have; "
            "give a function of a module"
        )
    return CallbackRecord(function, told.timeout)


def check_repeat(repeat: object) -> Repeat:
    """Return *repeat* if it is one."""
    if isinstance(repeat, Repeat):
        return repeat
    raise InvalidOptionError(f"repeat is {repeat!r}: give a Repeat, as in Repeat(times=3)")


def check_rate_limit(limit: object) -> RateLimit:
    """Return *limit* if it is one."""
    if isinstance(limit, RateLimit):
        return limit
    raise InvalidOptionError(
        f"rate_limit is {limit!r}: give a RateLimit, as in RateLimit('mail', concurrency=5)"
    )


def check_webhooks(webhooks: object) -> tuple[Webhook, ...]:
    """Return the webhooks given: one, or several."""
    are_several = isinstance(webhooks, list | tuple)
    several = tuple(cast("list[object]", webhooks)) if are_several else (webhooks,)
    for each in several:
        if not isinstance(each, Webhook):
            raise InvalidOptionError(
                f"webhooks: {each!r} is none; give Webhook(url, job_status='finished')"
            )
    return cast("tuple[Webhook, ...]", several)


def check_moment(name: str, moment: object) -> float:
    """Return *moment*, a datetime, in seconds since 1970; a naive one is of the local zone."""
    if not isinstance(moment, datetime):
        raise InvalidOptionError(f"{name} is {moment!r}: give a datetime")
    try:
        return moment.timestamp()
    except (OverflowError, ValueError, OSError) as error:
        raise InvalidOptionError(f"{name} is {moment!r}: {error}") from None


def check_span(name: str, span: object) -> float:
    """Return *span*, a timedelta or a number, in seconds; none is not negative."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or math.isnan(seconds):
        raise InvalidOptionError(f"{name} is {span!r}: give a timedelta, or seconds")
    if seconds > LONGEST_SPAN:
        raise InvalidOptionError(f"{name} is {span!r}: that is more than three hundred years")
    return max(0.0, float(seconds))
