"""A small invented sign language and its English: the signs of a sentence in their order, and its translation.

Signed: time, what is acted on, MANY if there are several of it, who acts, what is done, NOT if it is not done. So the
topic comes first and the verb last, and nothing is inflected. English puts the actor first and the time last, and has
articles, tense, agreement, plurals and ``do``, which follow from the signs but are none of them.

    YESTERDAY BOOK MANY WOMAN BUY NOT       The woman did not buy the books yesterday.

All choices are independent and uniform, so that of a sentence nothing can be told but by watching it.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

# Gloss -> singular and plural.
THINGS = {
    "BOOK": ("book", "books"), "HOUSE": ("house", "houses"), "KNIFE": ("knife", "knives"), "BOX": ("box", "boxes"),
    "PICTURE": ("picture", "pictures"),
}  # fmt: skip
PEOPLE = {"WOMAN": "woman", "FARMER": "farmer", "CHILD": "child", "TEACHER": "teacher", "DOCTOR": "doctor"}
# Gloss -> infinitive, third person singular, past.
ACTIONS = {
    "BUY": ("buy", "buys", "bought"), "FIND": ("find", "finds", "found"), "SELL": ("sell", "sells", "sold"),
    "PAINT": ("paint", "paints", "painted"), "FORGET": ("forget", "forgets", "forgot"),
}  # fmt: skip
TIMES = {"YESTERDAY": "yesterday", "NOW": "now", "TOMORROW": "tomorrow"}
MANY, NOT = "MANY", "NOT"
GLOSSES = (*TIMES, *THINGS, *PEOPLE, *ACTIONS, MANY, NOT)


@dataclass(frozen=True)
class Sentence:
    """One sentence, as glosses of its parts."""

    time: str
    thing: str
    many: bool
    person: str
    action: str
    negated: bool

    @property
    def glosses(self) -> list[str]:
        """As it is signed.

        >>> Sentence("NOW", "BOX", False, "CHILD", "SELL", True).glosses
        ['NOW', 'BOX', 'CHILD', 'SELL', 'NOT']
        """
        return [self.time, self.thing, *[MANY] * self.many, self.person, self.action, *[NOT] * self.negated]

    @property
    def text(self) -> str:
        """In English.

        >>> Sentence("NOW", "BOX", False, "CHILD", "SELL", True).text
        'The child does not sell the box now.'
        """
        plain, third, past = ACTIONS[self.action]
        auxiliary = {"YESTERDAY": "did", "NOW": "does", "TOMORROW": "will"}[self.time]
        if self.negated:
            verb = f"{auxiliary} not {plain}"
        else:
            verb = {"YESTERDAY": past, "NOW": third, "TOMORROW": f"will {plain}"}[self.time]
        return f"The {PEOPLE[self.person]} {verb} the {THINGS[self.thing][self.many]} {TIMES[self.time]}."


def all_sentences() -> list[Sentence]:
    """Every sentence there is, in a fixed order."""
    return [Sentence(*parts) for parts in product(TIMES, THINGS, (False, True), PEOPLE, ACTIONS, (False, True))]


def draw_sentences(number: int, rng: np.random.Generator) -> list[Sentence]:
    """``number`` different sentences, at random: a longer list begins with the shorter one.

    Raises:
        ValueError: If there are not so many.
    """
    known = all_sentences()
    if number > len(known):
        raise ValueError(f"there are {len(known)} sentences, and {number} were asked for.")
    return [known[i] for i in rng.permutation(len(known))[:number]]
