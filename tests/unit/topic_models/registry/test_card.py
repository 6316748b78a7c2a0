"""The card of a model, from manifests of this release and of older ones."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.unit.topic_models.registry.test_promotion_tasks import METRICS as PROMOTED
from twitter_topics.topic_models.registry.card import model_card
from twitter_topics.topic_models.registry.topic_names import Naming, TopicNames

VERSION = "20261102T000000Z-gsdmm"
METRICS = PROMOTED | {"coherence": None}
MANIFEST: dict[str, Any] = {
    "trainer": "gsdmm", "tweets": 6_000, "documents": 5_000, "snapshot": 42, "text_rules": 2,
    "code": "1.2.3", "lock": "abcdef0123456789",
    "parameters": {"k": 20, "seed": 1, "start": "2026-10-19T00:00:00+00:00", "end": "2026-11-02T00:00:00+00:00"},
    "topics": [
        {"topic_id": 7, "label": "storm · flood", "top_words": ["storm", "a|b"], "documents": 1_234, "share": 0.2468,
         "status": "kept"},
    ],
    "evaluation": {
        "metrics": METRICS,
        "champion": {"version": "20261101T000000Z-gsdmm", "etag": "x"},
        "comparison": {
            "challenger_perplexity": 500.0, "champion_perplexity": 510.0, "common_words_share": 0.95,
            "share_kept": 0.876, "champion": METRICS | {"topics": 9}, "ratio": {"low": 0.95, "high": 1.01},
        },
        "verdict": {"state": "cannot_tell", "promote": False, "reasons": ["too few", "try later"]},
    },
}  # fmt: skip


def test_the_card_has_origin_topics_and_evaluation() -> None:
    card = model_card(VERSION, MANIFEST)
    assert card.startswith(f"# Topic model {VERSION}\n")
    assert "- 6,000 tweets from 2026-10-19T00:00 to 2026-11-02T00:00 UTC; archive snapshot 42" in card
    assert "| 7 | storm · flood | 1,234 (24.7%) | kept | storm, a\\|b |" in card
    assert "| topics | 8 | 9 |" in card
    assert "| coherence | not measured | not measured |" in card
    assert "perplexity 500.0 and 510.0, -5.0% to +1.0% (95 %)" in card
    assert "87.6% of the tweets keep their topic." in card
    assert "**Gate: cannot tell.** too few; try later." in card
    assert "twitter-topics 1.2.3, requirements.txt with sha256 abcdef012345…" in card


def test_the_card_says_what_was_read_and_how_much_of_it_was_deleted_since() -> None:
    manifest = deepcopy(MANIFEST)
    manifest["window"] = {"start": "2026-10-30T12:30:05+00:00", "end": "2026-11-02T00:00:00+00:00"}
    manifest["evaluation"]["deleted"] = 12
    line = (
        "- 6,000 tweets from 2026-10-30T12:30 to 2026-11-02T00:00 UTC, 12 of them deleted before the evaluation; "
        "archive snapshot 42"
    )
    assert line in model_card(VERSION, manifest).splitlines()


def test_tweets_after_the_window_are_reported_where_there_were_enough() -> None:
    manifest = deepcopy(MANIFEST)
    evaluation = manifest["evaluation"]
    evaluation["later"] = None
    assert "after the window" not in model_card(VERSION, manifest)
    evaluation["later"] = {"metrics": METRICS | {"held_out": 3_120}, "comparison": evaluation["comparison"]}
    assert (
        "On 3,120 tweets after the window, which do not count for the gate: perplexity 500.0, of word frequencies "
        "900.0; against the champion's on the words that both know -5.0% to +1.0% (95 %)."
    ) in model_card(VERSION, manifest)
    evaluation["later"]["comparison"] = None
    assert "of word frequencies 900.0." in model_card(VERSION, manifest)


def test_languages_are_shown_where_the_model_has_them() -> None:
    manifest = deepcopy(MANIFEST)
    manifest["topics"][0]["language"] = "ja"
    spoken = {"language": "ja", "topics": 8, "documents": 5_000, "held_out": 250, "perplexity": 500.0}
    manifest["evaluation"]["metrics"] = METRICS | {"languages": [spoken | {"unigram_perplexity": 900.0}]}
    manifest["evaluation"]["comparison"]["languages"] = [{"language": "ja", "ratio": {"low": 0.9, "high": 1.0}}]
    card = model_card(VERSION, manifest)
    assert "| id | language | label |" in card
    assert "| 7 | ja | storm · flood |" in card
    assert "| ja | 8 | 5,000 | 250 | 500.0 | 900.0 | -10.0% to +0.0% (95 %) |" in card


def test_what_people_call_a_topic_is_next_to_its_label() -> None:
    how: dict[str, Any] = {"by": "anna", "at": "2026-11-05T00:00:00+00:00", "reason": ""}
    assert "| 7 | Eunice (storm · flood), shown with 3 |" in model_card(
        VERSION, MANIFEST, TopicNames({7: Naming(7, "Eunice", 3, **how)})
    )
    assert "| 7 | storm · flood, shown with 3 |" in model_card(
        VERSION, MANIFEST, TopicNames({7: Naming(7, "", 3, **how)})
    )


def test_the_card_says_what_is_a_clear_topic() -> None:
    manifest = deepcopy(MANIFEST)
    manifest["evaluation"]["metrics"] = METRICS | {"without_topic": 0.123}
    manifest["parameters"]["min_confidence"] = 0.5
    found = {
        "tweets": 900,
        "agreement": 0.75,
        "curve": [[0.2, 0.45], [0.4, 0.52]],
        "min_share": 0.4,
        "confidence": 0.52,
    }
    manifest["confidence"] = {"en": found, "ja": found | {"min_share": 0.0, "confidence": 0.61}}
    card = model_card(VERSION, manifest)
    assert "| without topic | 0.123 | not measured |" in card
    assert "\n\n## Clear topics\nA topic is clear if another seed would serve the same one" in card
    assert "(confidence) of 0.5 or more" in card
    assert "| en | 900 | 75.0% | 0.400 | 0.52 |\n| ja | 900 | 75.0% | all are clear | 0.61 |\n" in card
    manifest["confidence"] = {}
    assert "Clear" not in model_card(VERSION, manifest)
    assert "Clear" not in model_card(VERSION, MANIFEST)


def test_the_card_has_the_advice_to_start_from_scratch() -> None:
    manifest = deepcopy(MANIFEST)
    manifest["evaluation"]["from_scratch"] = {"better": True, "advice": "Topics from scratch would fit better"}
    assert model_card(VERSION, manifest).endswith("\n\nTopics from scratch would fit better.\n")
    manifest["evaluation"]["from_scratch"] = None
    assert model_card(VERSION, manifest) == model_card(VERSION, MANIFEST)


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    manifest = deepcopy(MANIFEST)
    for languages in (False, True):
        if languages:
            manifest["topics"][0]["language"] = "ja"
        rows = [line.replace("\\|", "") for line in model_card(VERSION, manifest).splitlines() if line.startswith("| ")]
        tables = {line.count("|") for line in rows if not line.startswith("| |")}
        assert tables <= {4, 6, 7}, rows


def test_a_manifest_of_an_older_release_has_a_card() -> None:
    manifest = {"trainer": "gsdmm", "documents": 5_000, "topics": MANIFEST["topics"]}
    card = model_card(VERSION, manifest)
    assert "5,000 of them trained on" in card
    assert "Evaluation" not in card


def test_a_first_model_is_compared_with_none() -> None:
    manifest = deepcopy(MANIFEST)
    manifest["evaluation"] |= {"champion": None, "comparison": None}
    assert "Compared with" not in model_card(VERSION, manifest)
