"""Edits on X: each version of a post has an id of its own, and names all of them."""

from __future__ import annotations

from producer.receiving.fields import Object, as_list, as_object
from producer.sources.x_v2.times import is_id
from twitter_topics.records.tweet import tweet_identity

_LISTS = (
    ("edit_history_tweet_ids",),  # API v2
    ("edit_history_post_ids",),
    ("edit_history", "edit_tweet_ids"),  # v1.1 of the enterprise APIs
    ("edit_control", "edit_control_initial", "edit_tweet_ids"),  # X's website
    ("edit_control", "edit_tweet_ids"),
    ("edit_info", "edit", "editControlInitial", "editTweetIds"),  # account export
    ("edit_info", "initial", "editTweetIds"),
)


def versions(post: Object) -> list[str]:
    """Return the ids of all versions that a post names, the first one first."""
    for *way, name in _LISTS:
        place = post
        for step in way:
            place = as_object(place.get(step))
        if found := as_list(place.get(name)):
            return [one for its_id in found if (one := tweet_identity({"id": its_id}))]
    return []


def original_id(post: Object, its_id: str) -> str:
    """Return the id under which a post was first sent; its own id if it names no other."""
    named = versions(post)
    return named[0] if len(named) > 1 and is_id(named[0]) else its_id
