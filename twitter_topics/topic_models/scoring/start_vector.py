"""The start vector of Spark's LDA inference, computed without a JVM.

Spark draws it from Gamma(100, 1/100) with a fixed seed, once per model, and uses it for every row. It decides between
local optima, so a scorer must start from it to get Spark's results. Sources: Spark's
`OnlineLDAOptimizer.variationalTopicInference` (seed = Java's hash of the class name), commons-math's
MersenneTwister(long), breeze's Gamma (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000)
and its Gaussian (Box and Muller). A test compares it with the JVM.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

_CLASS_NAME = "org.apache.spark.ml.clustering.LocalLDAModel"
_SHAPE, _SCALE = 100.0, 0.01


@cache
def _drawn(k: int) -> tuple[float, ...]:
    numbers = _RandomNumbers(_java_hash(_CLASS_NAME))
    return tuple(numbers.gamma() for _ in range(k))


def spark_start_vector(k: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return K float64 numbers, equal to Spark's."""
    return np.array(_drawn(k))


def _java_hash(text: str) -> int:
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


class _RandomNumbers:
    """Random numbers, drawn as breeze does."""

    def __init__(self, seed: int) -> None:
        self._twister = np.random.MT19937()
        words = np.array([(seed >> 32) & 0xFFFFFFFF, seed & 0xFFFFFFFF], dtype=np.uint32)
        self._twister._legacy_seeding(words)
        self._spare: float | None = None

    def gamma(self) -> float:
        shifted = _SHAPE - 1.0 / 3.0
        factor = 1.0 / math.sqrt(9.0 * shifted)
        while True:
            normal = self._gaussian()
            root = 1.0 + factor * normal
            while root <= 0:
                normal = self._gaussian()
                root = 1.0 + factor * normal
            cube = root * root * root
            square = normal * normal
            uniform = self._uniform()
            surely = uniform < 1.0 - 0.0331 * square * square
            if surely or math.log(uniform) < 0.5 * square + shifted * (1.0 - cube + math.log(cube)):
                return _SCALE * shifted * cube

    def _gaussian(self) -> float:
        if self._spare is not None:
            spare, self._spare = self._spare, None
            return spare
        angle = 2.0 * math.pi * self._uniform()
        radius = math.sqrt(-2.0 * math.log(self._uniform()))
        self._spare = radius * math.sin(angle)
        return radius * math.cos(angle)

    def _uniform(self) -> float:
        return ((self._bits(26) << 26) | self._bits(26)) * 2.0**-52

    def _bits(self, count: int) -> int:
        return int(self._twister.random_raw()) >> (32 - count)
