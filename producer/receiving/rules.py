"""How long to wait before the next attempt, by the rules of the networks."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WaitRules:
    """Waits in seconds, by kind of failure.

    Attributes:
        network_step_s, network_max_s: connection refused, lost or silent: one step more each time. The first attempt
            after a healthy connection is immediate.
        http_first_s, http_max_s: a response other than 200: doubling.
        rate_limit_first_s, rate_limit_max_s: rate limited (420, 429): doubling.
        stall_s: silence after which a connection is treated as lost.
        jitter: share of a wait added at random, so that many clients do not reconnect at once.
    """

    network_step_s: float
    network_max_s: float
    http_first_s: float
    http_max_s: float
    rate_limit_first_s: float
    rate_limit_max_s: float
    stall_s: float
    jitter: float = 0.0


X = WaitRules(0.25, 16.0, 5.0, 320.0, 60.0, 960.0, stall_s=21.0)
"""https://docs.x.com/x-api/fundamentals/handling-disconnections: network 250 ms more each time up to 16 s, HTTP errors
5 s doubling to 320 s, 429 one minute doubling (no maximum is given; ours is 16 minutes), a keep-alive every 20 s: one
second more for transit, as Tweepy does since 4.12.1. The v1.1 guide "Connecting to a streaming endpoint" had the same
table.
"""

MASTODON = WaitRules(1.0, 30.0, 5.0, 320.0, 60.0, 960.0, stall_s=31.0, jitter=0.2)
"""Mastodon documents no table, so this is our choice: X's, slower and with jitter after a failed attempt, because the
server may be small and have many clients. Its streaming server sends a heartbeat every 15 s: we allow two plus a
second. https://docs.joinmastodon.org/api/rate-limits: 429 with `X-RateLimit-Reset`, an ISO time.
"""

BLUESKY = WaitRules(0.25, 30.0, 1.0, 60.0, 30.0, 600.0, stall_s=60.0, jitter=0.2)
"""Between 250 ms and 30 s like the client in https://github.com/bluesky-social/jetstream (specs/client.md); the rest is
our choice. Even at night there are 50 posts a second: after a minute without one, the server is broken.
"""

RATE_LIMITED = frozenset({420, 429})


class Backoff:
    """Returns the next wait, growing separately for each kind of failure.

    Args:
        rules: of the network.
        chance: random generator for the jitter.
    """

    def __init__(self, rules: WaitRules, chance: random.Random) -> None:
        self._rules = rules
        self._chance = chance
        self.reset()

    def reset(self) -> None:
        """Start from the smallest waits again, after a healthy connection."""
        self._network = self._http = self._rate_limit = 0.0

    def network(self) -> float:
        """Return the wait after a connection was refused, lost or silent."""
        self._network = min(self._network + self._rules.network_step_s, self._rules.network_max_s)
        return self._spread(self._network)

    def http(self) -> float:
        """Return the wait after a response other than 200."""
        self._http = min(self._http * 2 or self._rules.http_first_s, self._rules.http_max_s)
        return self._spread(self._http)

    def rate_limit(self, reset_in_s: float | None = None) -> float:
        """Return the wait after 420 or 429: until the server's window ends, if it names a time. If it rejects us again
        after that, at least the doubling wait."""
        before = self._rate_limit
        self._rate_limit = min(before * 2 or self._rules.rate_limit_first_s, self._rules.rate_limit_max_s)
        if reset_in_s is not None and reset_in_s > 0:
            return self._spread(max(reset_in_s, self._rate_limit if before else 0.0))
        return self._spread(self._rate_limit)

    def _spread(self, seconds: float) -> float:
        return seconds * (1 + self._rules.jitter * self._chance.random())
