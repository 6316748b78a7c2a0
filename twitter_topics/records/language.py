"""The language of a post: what its source says, else what its words say."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNKNOWN = "und"
"""Code of an undetermined language (ISO 639-2)."""

MIN_LETTERS = 6
MIN_PROBABILITY = 0.8
"""Shorter or less certain texts stay undetermined. Of 5,000 English tweets 70 % pass, and none as another language."""

_LONG_CODES = (
    "am:amh ar:ara,arb bg:bul bn:ben bs:bos ca:cat cs:ces,cze cy:cym,wel da:dan de:deu,ger el:ell,gre en:eng es:spa "
    "et:est,ekk eu:eus,baq fa:fas,per,pes fi:fin fr:fra,fre gu:guj he:heb hi:hin hr:hrv ht:hat hu:hun hy:hye,arm "
    "id:ind is:isl,ice it:ita ja:jpn ka:kat,geo km:khm kn:kan ko:kor lo:lao lt:lit lv:lav,lvs ml:mal mr:mar "
    "ms:msa,may,zsm my:mya,bur ne:nep,npi nl:nld,dut no:nor,nob,nno or:ori,ory pa:pan pl:pol ps:pus pt:por ro:ron,rum "
    "ru:rus si:sin sk:slk,slo sl:slv sr:srp sv:swe sw:swa,swh ta:tam te:tel th:tha tl:tgl,fil tr:tur ug:uig uk:ukr "
    "ur:urd vi:vie zh:zho,chi,cmn"
)
"""Codes with three letters (ISO 639-2 and 639-3) of the languages that are told apart."""

_SHORT = {
    code: short for short, _, codes in (one.partition(":") for one in _LONG_CODES.split()) for code in codes.split(",")
}
_RENAMED = {"in": "id", "iw": "he", "ji": "yi", "nb": "no", "nn": "no"} | _SHORT
"""Codes of the same language: what old X objects and other programs say, and what the detector calls it."""

_NO_LANGUAGE = frozenset({"und", "zxx", "mis", "mul", "art", "qam", "qct", "qht", "qme", "qst"})
"""Codes that name no language; X's begin with q (only mentions, hashtags, links or media, or a very short text)."""

_TOLD_APART = (
    "am ar bg bn bs ca cs cy da de el en es et eu fa fi fr gu he hi hr ht hu hy id is it ja ka km kn ko lo lt lv ml mr "
    "ms my ne nl no or pa pl ps pt ro ru si sk sl sr sv sw ta te th tl tr ug uk ur vi zh"
)
DETECTED = frozenset(_TOLD_APART.split())
"""Languages that are told apart: those that X knows. More of them make every short text less certain."""

_LONGEST_CODE = 35
_CODE = re.compile(r"[a-z]{2,3}(?![a-z0-9])", re.IGNORECASE | re.ASCII)
_NOISE = re.compile(r"https?://\S+|www[.]\S+|[@#＠＃]\S+")


class Language(NamedTuple):
    """A code of ISO 639, without region and script, and how it is known."""

    code: str
    known_from: Literal["source", "text", "unknown"]


def language_of(said: Any, text: str) -> Language:
    """Return the language of a post. Never raises.

    Args:
        said: the code that the source gives, perhaps with a region (`pt-BR`); anything else is ignored.
        text: of the post, read only if the source says nothing.
    """
    code = _code(said)
    if code != UNKNOWN:
        return Language(code, "source")
    detected = _detect(text)
    return Language(detected, "text") if detected != UNKNOWN else Language(UNKNOWN, "unknown")


def short_code(said: str) -> str:
    """Return a code in lower case, with two letters where its language has them: `pt-br` of `POR-BR`."""
    code, dash, region = said.lower().partition("-")
    return f"{_SHORT.get(code, code)}{dash}{region}"


def _code(said: Any) -> str:
    return _code_of(said[:_LONGEST_CODE]) if isinstance(said, str) else UNKNOWN


@lru_cache(maxsize=1024)
def _code_of(said: str) -> str:
    match = _CODE.match(said.strip())
    if match is None:
        return UNKNOWN
    code = match[0].lower()
    return UNKNOWN if code in _NO_LANGUAGE else _RENAMED.get(code, code)


def _detect(text: str) -> str:
    words = _NOISE.sub(" ", text)
    if sum(map(str.isalpha, words)) < MIN_LETTERS:
        return UNKNOWN
    code, probability = _detector().classify(words)
    return _RENAMED.get(code, code) if probability >= MIN_PROBABILITY else UNKNOWN


@cache
def _detector() -> LanguageIdentifier:
    # Lui & Baldwin (2012), "langid.py: An Off-the-shelf Language Identification Tool"; loading takes half a second
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    detector.set_languages(DETECTED)
    return detector
