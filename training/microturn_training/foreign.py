"""Sentences about anything: what is not a request is most of what is ever said near a microphone.

A small grammar with words from everywhere, most of which are not in the vocabulary. Written for this project.
"""
from __future__ import annotations

import random

from . import domain

NOUNS = """airplane anchor apartment apple arm army artist aunt baby badge bakery balcony ball banana basement basket bear beard bell bench bird blanket
boat bottle bowl brain branch bread breakfast brick broom bucket building butter button cabin camera candle captain carpet castle ceiling chain chair
cheese chicken chimney church circle clerk cloud coat collar cookie corner cousin cow cradle cricket crowd cup curtain customer dancer daughter desk
diamond dinner doctor donkey dragon drawer dream driver drum duck eagle ear elbow elephant elevator envelope factory farmer father feather fence
ferry festival finger fireplace fish flag flower forest fork fox friend frog fruit furniture garage garden gate ghost giraffe glass glove goat
grandmother grass guitar hammer harbor hat heart helmet hill hole honey horse hospital hotel house hunter ice insect island jacket jar jewel
judge juice kettle keyboard king kitchen kite knife ladder lake lamp lawyer leaf leg lemon letter library lion lizard luggage machine magazine
mailbox manager map market medicine message mirror money monkey moon mother motor mountain mouse mouth museum mushroom nail napkin neck needle
nephew nest newspaper nurse ocean office onion orange orchestra oven owl package painter palace pants parade parrot passenger peach pencil pepper
piano picture pig pigeon pillow pilot pipe pirate planet plate pocket poem police pond pony potato prince printer prison program pumpkin puppet
purse puzzle queen rabbit radio railway rainbow restaurant ribbon rice ring river road robot rocket roof rope sailor salad sandwich sauce school
scissors screen secretary shadow sheep shelf ship shirt shoe shop shoulder shovel singer sister skirt smoke snake soap soldier soup spider spoon
stable stadium stairs station statue stone stove street student suitcase sugar supermarket sweater sword table tailor teacher telephone temple
tent theater thief thumb ticket tiger tomato tongue tooth towel tower town toy tractor train tree trumpet truck tunnel turtle uncle umbrella
university valley vegetable village violin waiter wall wallet water wedding whale wheel whistle wife window wing winter wolf wood wool worker yard zebra""".split()
ADJECTIVES = """ancient angry bitter brave bright broken calm careful cheap clean clever cold comfortable crazy dark deep dirty dry early easy empty
expensive famous fancy fast final fresh friendly funny gentle giant gray happy heavy hidden hollow honest huge hungry important lazy little lonely
long loud lovely lucky magic modern muddy narrow nervous noisy northern old ordinary perfect pink plain polite poor pretty proud quiet rare rich
rotten rough round sad salty secret serious shallow sharp shiny short shy sick silent silver simple sleepy slow small smooth soft sour special
square steep sticky strange strong stupid sudden sweet tall tender terrible thick thin tiny tired ugly unusual useful warm weak western wet wide
wild wise wonderful wooden wrong yellow young""".split()
DID = """bought borrowed broke built burned carried caught chased cleaned closed collected cooked counted covered crossed described drew dropped
dug fed filled fixed followed forgot found grabbed hated helped hid hit hurt invented kept kicked knew lifted locked lost loved made married
measured missed moved needed noticed opened ordered painted photographed picked pulled pushed read remembered repaired returned rode saved saw sent
shook signed sold stole studied threw touched trusted visited washed watched wore wrapped""".split()
DO = """borrow break bring build burn buy carry catch chase check clean close collect compare cook copy cover deliver describe draw drop email explain
feed fill find fix fold follow forget grab hang help hide hire invite keep kick lend lift lock lose mail measure mention move need notice open
order organize paint photograph pick print pull push read record recycle rent repair replace return sell send serve shake show sign steal study
taste throw touch trust unlock update visit wash wear wrap""".split()
PEOPLE = """he she they we somebody nobody everybody anna peter martin julia david susan george mary robert helen thomas laura michael emily
daniel sophie oliver charlotte""".split()
PLACES = """abroad africa america australia boston brazil california canada chicago china denmark england florida france germany greece india
ireland japan london madrid mexico moscow paris portugal rome russia scotland sweden texas tokyo turkey vienna""".split()
WHEN = ("again, today, tomorrow, tonight, yesterday, sometimes, often, forever, soon, already, at midnight, in the morning, last summer, next week, on sunday, "
        "every day, after lunch, before dinner, during the storm, at noon, all night, in january, by accident").split(", ")
WHERE = "in near under behind above inside beside across from to with without".split()
PATTERNS = [
    "the N D the A N", "P D the N T", "can you V the N", "please V my A N T", "why did the N V the N", "where is the A N", "there is a N W the N",
    "P never D a N", "how do i V a N", "the N is W the A N", "what kind of N is that", "i think the N is too A", "P will V it T", "the N was very A",
    "does P live in L", "how far is L from L", "i D my N W the N", "we went to L T", "have you ever D a N", "is the N A or A", "V the N and the N",
    "do not V the A N", "who D the N", "A N are always A", "it is a A N", "my N has a A N", "the N from L is A", "could P V your N T",
    "i would rather V the N", "when does the N V", "that N looks A", "P and P D the N", "which N did P V", "maybe the N D it", "i am going to L T",
    "let us V the N", "tell P that the N is A", "what happened to the N", "this N costs too much", "find me a A N in L", "show me N and N",
    "book a N W L", "the A A N", "A N W a N", "N", "A N", "N N N",
]


def sentence(rng: random.Random) -> str:
    """A sentence that is none of the requests and none of those kept for evaluation."""
    lists = {"N": NOUNS, "A": ADJECTIVES, "D": DID, "V": DO, "P": PEOPLE, "L": PLACES, "T": WHEN, "W": WHERE}
    while True:
        text = " ".join(rng.choice(lists[w]) if w in lists else w for w in rng.choice(PATTERNS).split())
        if text not in domain.OUT_OF_DOMAIN_HELD and not any(domain.is_request(" ".join(text.split()[i:])) for i in range(len(text.split()))):
            return text
