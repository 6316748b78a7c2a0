"""X's own count of the posts that a project has read."""

from __future__ import annotations

from producer.receiving.fields import as_count, as_object, as_text, objects
from twitter_topics.backends.x_api import USAGE, XApi


def used_by_day(api: XApi) -> dict[str, int]:
    """Return the posts that X counted for the whole project in the last 31 days, by UTC day (`YYYY-MM-DD`).

    Raises:
        ConfigurationError, RetryableError: see XApi.call.
    """
    answer = api.call("GET", USAGE, {"days": "31", "usage.fields": "daily_project_usage"})
    daily = as_object(as_object(answer.get("data")).get("daily_project_usage"))
    used: dict[str, int] = {}
    for entry in objects(daily.get("usage")):
        day = as_text(entry.get("date"))[:10]
        used[day] = used.get(day, 0) + as_count(entry.get("usage"))
    return used
