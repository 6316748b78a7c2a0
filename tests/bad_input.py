"""What a training, an evaluation and a promotion say about bad input. `python -m tests.bad_input` writes the table in
docs/operations.md; tests compare it, and prove each row."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

OPERATIONS = Path(__file__).resolve().parents[1] / "docs" / "operations.md"
BEGIN, END = "<!-- tests/bad_input.py -->\n", "<!-- end -->\n"

WAITS, NEW_RUN, SETTING, AGAIN = "75", "73", "78", "1"
"""Exit codes of the jobs. Airflow tries a task again only after the last one."""

REFUSED, FAILS = "*refuse*", "*judge* fails"


@dataclass(frozen=True, slots=True)
class Row:
    """`says`: with … for what differs; `ends`: the exit code of the job, or what becomes of the promotion."""

    given: str
    task: str
    says: str
    ends: str

    def matches(self, text: str) -> bool:
        """Return whether a log line or message says this."""
        return re.search(".+".join(re.escape(part) for part in self.says.split("…")), text) is not None


TRAIN, EVALUATE, BOTH, PROMOTE = "train", "evaluate", "train, evaluate", "model_promotion"

_TOO_FEW = "tweets between … UTC; at least … are required (TOPICS_MIN_DOCUMENTS)"

ROWS = {
    "no table": Row("an archive that does not exist yet", TRAIN, "the archive is empty", WAITS),
    "no snapshot": Row("an archive without a tweet", TRAIN, "the archive is empty", WAITS),
    "empty window": Row("a window without a tweet", TRAIN, f"0 {_TOO_FEW}", WAITS),
    "one word": Row("tweets of one word each", TRAIN, "… share two or more words with other tweets", WAITS),
    "no language": Row(
        "`languages` of which the window has few tweets",
        TRAIN,
        "no language of TOPICS_LANGUAGES=… has … tweets in the window",
        WAITS,
    ),
    "deleted": Row("tweets that were deleted after the training", EVALUATE, f"… {_TOO_FEW}", WAITS),
    "lost language": Row(
        "`languages` without one of the champion's, which has enough tweets",
        EVALUATE,
        "has no topics in … any more",
        "0, and the gate refuses it",
    ),
    "unfinished training": Row(
        "a version whose training was killed, or whose files were deleted since",
        EVALUATE,
        "model … lacks training.json: an earlier step did not finish, or model_retention has deleted its files",
        NEW_RUN,
    ),
    "other champion": Row(
        "another champion since the training",
        EVALUATE,
        "model … continues …, but the champion is now …: nothing was evaluated; train again",
        NEW_RUN,
    ),
    "flipped challenger": Row("arrays with a flipped byte", EVALUATE, "arrays.npz is unreadable: …", AGAIN),
    "damaged pipeline": Row(
        "a damaged Spark pipeline", EVALUATE, "the Spark pipeline of model … cannot be loaded: …", AGAIN
    ),
    "flipped champion": Row(
        "a champion with a flipped byte",
        BOTH,
        "arrays.npz of model … has changed since registration: its sha256 differs",
        AGAIN,
    ),
    "denied": Row(
        "S3 that refuses (403)",
        BOTH,
        "…: AccessDenied. Check S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.",
        SETTING,
    ),
    "away": Row("S3 that is away", BOTH, "s3://…: no answer from …", AGAIN),
    "flipped file": Row(
        "a file with a flipped byte",
        PROMOTE,
        "… cannot serve: arrays.npz of model … has changed since registration: its sha256 differs",
        REFUSED,
    ),
    "foreign file": Row(
        "`arrays.npz` that is something else", PROMOTE, "… cannot serve: arrays.npz is unreadable: …", REFUSED
    ),
    "newer format": Row(
        "a model of a later release",
        PROMOTE,
        "… cannot serve: arrays.npz has format …; this version reads formats 1 to …",
        REFUSED,
    ),
    "newer rules": Row(
        "text rules of a later release",
        PROMOTE,
        "… cannot serve: the topic model needs text rules …; this version has …",
        REFUSED,
    ),
    "foreign golden": Row(
        "`golden.json` of another model",
        PROMOTE,
        "… cannot serve: golden.json of model … does not match its … topics",
        REFUSED,
    ),
    "never evaluated": Row(
        "a version that was never evaluated", PROMOTE, "… cannot be judged: model … has no evaluation: …", REFUSED
    ),
    "foreign evaluation": Row(
        "an evaluation of something else",
        PROMOTE,
        "… cannot be judged: evaluation.json is not an evaluation: …",
        REFUSED,
    ),
    "newest never evaluated": Row(
        "a newest version that was never evaluated",
        "topic_retraining",
        "model … has no evaluation: topic_retraining did not make it",
        "*enough_new_tweets* fails, unless a person triggered it",
    ),
    "unregistered": Row(
        "a version that is not registered", PROMOTE, "model … has no manifest.json: it was never registered", FAILS
    ),
    "expired": Row("a version that has expired", PROMOTE, "model … has expired: it was deleted on …", FAILS),
    "damaged champion": Row("a damaged `champion.json`", PROMOTE, "models/champion.json lacks …", FAILS),
    "missing champion": Row(
        "no `champion.json`, though there were promotions",
        PROMOTE,
        "models/champion.json is missing: copy the promotion that is to serve from models/history/ to it",
        FAILS,
    ),
}


def table() -> str:
    """Return the rows in Markdown."""
    lines = ["| given | task | says | ends |", "|---|---|---|---|"]
    lines += [f"| {one.given} | {one.task} | `{one.says}` | {one.ends} |" for one in ROWS.values()]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the page with the rows of now."""
    before, rest = OPERATIONS.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    OPERATIONS.write_text(page(), encoding="utf-8")
    sys.stdout.write(table())
