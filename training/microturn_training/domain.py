"""What may be said in the closed world of `mini`: requests with their phrasings, answers, and the vocabulary.

A request is named by a key such as `greet`, `count:5` or `sum:3,4`. Every intent has phrasings used in training and
some that are only used in evaluation (`held=True`); the latter are made of words that training knows.
"""
from __future__ import annotations

import functools
import re

DIGITS = "zero one two three four five six seven eight nine".split()
NUMBERS = DIGITS + "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen".split()
COLORS = "red green blue yellow white black".split()
SHAPES = "circle square triangle".split()
RGB = {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (40, 60, 220),
       "yellow": (235, 220, 40), "white": (240, 240, 240), "black": (15, 15, 15)}
WORDS = "apple banana robot window music paper".split()
STORY = ("once upon a time there was a little robot",
         "every day it learned to listen while it was talking",
         "one day it met a friend and they talked all night")
COUNT_TO = range(3, 10)
WAIT_SECONDS = range(2, 6)
EVERY_SECONDS = range(2, 5)
ELAPSED_SECONDS = range(2, 10)

# Requests that are not over with a first "okay": what is awaited, timed, repeated or listened to. None is 0.
GOING_ON = ["", *(f"watch:{i}" for i in range(len(COLORS))), *(f"spot:{i}" for i in range(len(SHAPES))), "jumps", "tale", "echo", "clock",
            *(f"every:{n}" for n in EVERY_SECONDS), *(f"wait:{n}" for n in WAIT_SECONDS)]

# What may come before or after any request in training, without changing it.
OPENERS = ["um", "so", "well", "now", "okay", "mini", "hey mini", "okay mini", "uh", "and"]
CLOSERS = ["mini", "please", "now", "then"]

# intent -> (phrasings for training, phrasings for evaluation only). `(a|b|)` stands for each of its alternatives. A training
# phrasing that is also an evaluation phrasing is left out of training.
PHRASINGS: dict[str, tuple[list[str], list[str]]] = {
    "greet": (["(hello|hi|hey)( there| mini| again|)", "good (morning|evening|afternoon)( mini|)", "hello hello",
               "(hi|hello) how nice to see you"],
              ["hey there", "hi mini", "good morning mini", "hello again mini"]),
    "name": (["what is your name", "who are you", "(please|can you|could you|) tell me (your name|who you are)",
              "what are you called", "do you have a name", "may i (know|ask|have) your name", "what (should|can|do) i call you",
              "i (want|would like) to know your name", "tell me what your name is", "so what is your name again",
              "what do they call you"],
             ["can you tell me your name", "please tell me your name", "could i have your name", "what is your name please"]),
    "how": (["how are you( today| doing| now|)", "are you (fine|well|okay)", "how do you do", "how is it going( today|)",
             "how do you feel( today|)", "how are things", "are you doing (well|okay)( today|)", "tell me how you are",
             "is everything okay", "and how are you"],
            ["how are you doing today", "are you doing fine", "are you well today"]),
    "thanks": (["thank you( very much| so much|)", "thanks( a lot| again|)", "many thanks", "thank you( mini| again)",
                "i thank you", "thank you for that", "thanks for (that|telling me)", "that was nice thank you", "okay thank you"],
               ["thanks mini", "thank you a lot", "thanks very much", "thank you for telling me"]),
    "bye": (["goodbye( mini|)", "bye( bye|)( mini|)", "see you( later| soon| again|)", "good night", "bye for now", "i have to go( now|)",
             "goodbye and good night", "okay goodbye"],
            ["bye mini", "good night mini", "see you later mini"]),
    "color": (["(what|which) color (is it|do you see|is this|is that)( now|)", "(tell me|can you tell me|say) the color", "what do you see( now|)",
               "do you see a color", "(can you |please |)tell me which color it is", "what can you see", "what color can you see",
               "tell me what color (this|that) is", "which color do you see right now", "please look and tell me the color"],
              ["tell me what color it is", "tell me what you see", "can you see which color it is"]),
    "shape": (["(what|which) shape (is it|do you see|is this|is that)( now|)", "(tell me|can you tell me|say) the shape", "do you see a shape",
               "(can you |please |)tell me which shape it is", "(what|which) shape can you see", "tell me what shape (this|that) is", "please look and tell me the shape"],
              ["tell me what shape it is", "can you see which shape it is", "what shape do you see right now"]),
    "spot": (["(please |can you |)tell me when you see a {s}", "(say|let me know) when (it is|there is) a {s}", "watch for a {s}", "(please |)say so (when|as soon as) you see a {s}",
              "wait for a {s}", "call me when you see a {s}", "look out for a {s}", "i want to know when there is a {s}"],
             ["let me know when you see a {s}", "say when you see a {s}", "please watch for a {s}"]),
    # every jump that follows is counted
    "jumps": (["(please |can you |)count (the|its) jumps", "(please |)count (every|each) jump( you see|)", "count how often it jumps", "(please |)count when it jumps",
               "how often does it jump", "watch it and count the jumps"],
              ["please count how often it jumps", "can you count every jump", "count the jumps you see"]),
    "story": (["(can you |could you |will you |please |)tell (me|us) a (story|little story|short story)",
               "i (want|would like) (to hear |)a story", "do you know a (story|good story)", "let me hear a story",
               "read me a story", "(tell|say) a story", "how about a story", "a story please", "i want you to tell a story"],
              ["can you please tell me a story", "tell me a story please", "could you tell a short story"]),
    "count": (["(please |can you |could you |i want you to |)count (to|up to|from one to) {n}", "let me hear you count to {n}",
               "(count|please count) from one up to {n}", "start to count and stop at {n}", "count until {n}",
               "do you know how to count to {n}"],
              ["please count from one to {n}", "can you count up to {n}", "could you count until {n}"]),
    "sum": (["(what is|how much is|tell me|what makes|and what is|) {a} plus {b}", "(please |can you |could you |)add {a} (and|to) {b}",
             "what (do you get|do we get|do i get) for {a} plus {b}", "what does {a} plus {b} make", "what is the sum of {a} and {b}",
             "(do you know |tell me |can you say |)what {a} plus {b} is", "i want to know {a} plus {b}", "how much do {a} and {b} make",
             "if i add {a} and {b} what do i get", "{a} and {b} makes what"],
            ["can you add {a} and {b}", "can you tell me what is {a} plus {b}", "please tell me how much is {a} plus {b}",
             "how much does {a} plus {b} make"]),
    "say": (["(please |can you |could you |) (say|repeat) {w}", "(please |can you |could you |now |)(say|repeat) the word {w}",
             "i want (you to say|to hear) {w}", "say {w} for me", "repeat after me {w}", "let me hear {w}", "say it again {w}",
             "let me hear you say {w}", "the word is {w}"],
            ["please repeat {w}", "can you say the word {w}", "i want to hear the word {w}"]),
    "digit": (["{d}", "(please |can you |could you |) (say|repeat) {d}", "(please |can you |could you |now |)(say|repeat) the number {d}",
               "i want (you to say|to hear) {d}", "say {d} for me", "repeat after me {d}", "let me hear {d}", "let me hear you say {d}",
               "the number is {d}"],
              ["please repeat {d}", "repeat the number {d}", "i want to hear the number {d}"]),
    "watch": (["(please |can you |) tell me when it (turns|is|gets) {c}", "(say|let me know) when it (turns|gets) {c}", "watch for {c}",
               "(please |)(tell me|say so) (when|as soon as) you see {c}", "let me know when it is {c}", "wait until it (is|turns) {c}",
               "wait for {c}", "call me when it turns {c}", "look out for {c}", "i want to know when it turns {c}"],
              ["let me know when you see {c}", "say when it is {c}", "please watch for {c}"]),
    "wait": (["(please |can you |could you |)wait (for |){n} seconds", "(tell me|say so|call me) when {n} seconds are over",
              "(please |)set a timer (for|to) {n} seconds", "let me know (in|after) {n} seconds", "tell me in {n} seconds",
              "start a timer for {n} seconds", "give me {n} seconds", "count {n} seconds for me"],
             ["please wait for {n} seconds", "let me know when {n} seconds are over", "give me a timer for {n} seconds"]),
    "stop": (["stop( it| now| talking| that|)", "(please |)stop( it|)", "be quiet( now|)", "quiet( please| now|)", "that is enough( now|)",
              "(okay |)that will do", "enough", "stop stop", "no stop", "stop please", "please be quiet now", "you can stop( now|)", "okay stop",
              "wait stop", "hold on", "stop right there", "no more", "silence please"],
             ["please be quiet", "stop it please", "please stop talking", "enough now"]),
    "back": (["uh huh", "mm hmm", "yeah", "right", "okay", "yes", "i see", "sure", "oh", "really", "yes yes", "oh okay", "oh really", "wow",
              "nice", "go on", "good", "ah", "great", "yeah yeah"],
             ["oh yeah", "yeah right", "okay sure", "oh i see"]),
    # what puts right the last number of a request, said after it
    "fix": (["(no|sorry|oh no|no no) {d}", "(no |sorry |oh |)i (mean|meant) {d}", "no (wait|sorry) {d}", "i meant to say {d}"],
            ["sorry i mean {d}", "no wait i mean {d}", "oh sorry {d}"]),
    # a story of the user begins, goes on and ends; while it goes on the assistant listens aloud
    "tale": (["(let me |i will |now i )tell you (my story|something|what happened( today|))", "(please |)listen to (my story|this|me)",
              "i have (something to tell you|a story for you)", "you will not believe what happened( today|)", "just listen( to me|)",
              "do you want to hear my story"],
             ["please let me tell you something", "i have to tell you what happened", "please just listen", "i want to tell you my story"]),
    "line": (["(yesterday|last week|this morning) (i|we) went to the (market|station|beach|river)", "the (train|bus|boat) was (very |)late", "it began to (rain|snow)",
              "(i|we) waited for (one|two|three) hours", "a man came and sat down (beside|next to) me", "he (had|carried) a big (box|bag|hat)",
              "my (brother|sister|friend) (laughed|was angry|fell asleep)", "(then|so) (we|i) walked home in the dark", "(i|we) could not find the (house|way|key)",
              "and there was a dog in the garden", "she (called|asked) me (twice|again and again)", "the door was open but nobody was there",
              "(i|we) had no money left", "then the lights went out", "everybody was looking at us", "(he|she) gave me a (letter|picture|flower)",
              "the old lady smiled at me", "(i|we) ran as fast as (i|we) could", "it was already (dark|late|evening)", "and then the phone rang"],
             ["last week i went to the river", "the boat was very late", "we waited for two hours", "he carried a big hat", "my sister fell asleep",
              "so i walked home in the dark", "she asked me again and again", "we ran as fast as we could", "she gave me a picture", "we could not find the key"]),
    "fin": (["(this|that) was (my|the whole) story", "(and |)that is (all|the end|what happened)", "(and |)this is how it ended", "the end", "(well |so |)now you know it all",
             "(and |)that was all"],
            ["that was my story", "and that is the end", "so that is all", "well that is what happened"]),
    # every number that follows is repeated while the user goes on
    "echo": (["(please |can you |)repeat (all my numbers|every number|after me all the time)", "(please |)say (every|each) number (after me|i say)",
              "repeat (every|each) number( i say| after me|)", "echo (my numbers|me|what i say)( please|)", "i say numbers and you repeat them"],
             ["please say each number after me", "can you repeat each number i say", "please echo what i say"]),
    "every": (["(please |)say now every {n} seconds( until i say stop|)", "(please |)(call me|tell me) every {n} seconds", "every {n} seconds say now",
               "(can you |please |)give me a sign every {n} seconds", "say something every {n} seconds( until i say stop|)"],
              ["please tell me every {n} seconds until i say stop", "can you say now every {n} seconds", "give me a sign every {n} seconds please"]),
    "clock": (["(please |)start the clock( now|)", "(please |)(take|measure) the time( now|)", "look at the clock( now|)", "now we measure the time", "see how long (this|it) takes"],
              ["please start the clock now", "please measure the time now", "look how long this takes"]),
    "elapsed": (["(and |)how long (did that take|was that|did it take|was it)", "how many seconds (was that|were that|did that take)", "(tell me |)how long that (took|was)",
                 "(please |)stop the clock", "how much time was that"],
                ["tell me how long it was", "how many seconds did it take", "please tell me how long that was"]),
}

# Requests of which one clip is not a request by itself.
PARTS_OF_REQUESTS = ("back", "fix", "line")

# Speech that is none of the requests. Mostly whole sentences of their own kind, so that not their words but their sense is foreign.
OUT_OF_DOMAIN = [
    "the weather report said it might rain", "i left my keys on the kitchen table", "(can you |please |)order (a|two) (pizza|coffee|sandwich)",
    "we should paint the fence next summer", "play some (jazz|music|rock)", "the train leaves from platform (nine|two|seven)",
    "where did he put the big ladder", "my (brother|sister|cousin) lives near the (river|station|beach)", "(open|close) the (garage|kitchen|back) door",
    "she bought a new pair of (shoes|gloves|trousers)", "how far is the (moon|sun|next town)", "turn (on|off) the (kitchen|bedroom|bathroom) light",
    "this soup needs more (salt|pepper)", "nobody knew the answer", "please call (the office|my mother|a taxi)", "i want to book a (flight|table|room)",
    "what time does the (shop|bank|bakery) (close|open)", "they moved to another city last (year|month|week)", "remind me to (water the plants|buy milk|call mom)",
    "the old bridge was closed in winter", "how tall is the (tower|mountain)", "send a message to my (sister|boss|neighbor)",
    "we had (dinner|lunch|breakfast) by the lake", "the doctor will be back on (monday|tuesday|friday)", "find a cheap hotel for two nights",
    "is there any (milk|juice|butter) in the fridge", "her bicycle has a flat tire", "show me the way to the (museum|airport|hospital)",
    "the children built a snowman", "who won the (game|match|race) (yesterday|today)", "it was a long and boring meeting",
    "can you translate this letter", "he forgot his umbrella on the bus", "set the oven to medium heat",
    "the cat is sleeping (under|on|behind) the sofa", "how many people live in (france|berlin|china)", "please lock the front door",
    "i need a bigger box for these books", "the market opens early on saturday", "what is the capital of (spain|italy|norway|egypt)",
    "my phone battery is almost empty", "they are planning a trip to the mountains", "turn the (volume|heating) (down|up) a bit",
    "the soup smells wonderful", "why is the sky so dark tonight", "buy two tickets for the concert",
    "what is the weather like (today|tomorrow|in paris)", "who wrote this (book|song)", "tell me a joke", "what day is it( today|)", "what time is it( now|)",
    "what is the (height|price|age) of that", "tell me about (dogs|history|the war)", "can you (sing|dance|swim|cook)", "do you know my (mother|teacher|friend)",
    "i am (hungry|tired|very thirsty|cold)", "how old are you", "where are you from", "what is (five|six) times (three|nine)", "what is ten minus (two|four)",
    "my name is (peter|anna|john|maria)", "i see a (house|tree|car|dog)", "the robot is broken", "look at the window over there", "my favorite color is purple",
    "give me the (phone|keys|map)", "did you read the paper today", "the music is too loud", "an apple a day keeps the doctor away", "he has one banana left",
    "she said she would come at (three|four|eight)", "there are (two|five|seven) birds on the roof", "we need (six|four|nine) eggs for the cake",
    "can i have a glass of water", "this is not what i wanted", "i do not know what to do", "let us go for a walk", "where is the nearest station",
    "read my (messages|mail|news)", "start the washing machine", "cancel my appointment", "that movie was really good", "the black dog ran over the green field",
    "the red car stopped at the corner", "blue and white flags were everywhere", "a yellow taxi waited outside",
]
OUT_OF_DOMAIN_HELD = [
    "the farmer sold his horses in spring", "can you check my email", "how deep is the ocean",
    "we missed the last ferry home", "please bring me a glass of lemonade", "her garden is full of roses",
    "what does this button do", "the teacher wrote a poem on the board", "book a taxi for tomorrow",
    "somebody parked in front of our gate", "where can i buy fresh bread", "the engine makes a strange noise",
    "is the library open on sunday", "my uncle collects old coins", "switch off the heating in the hall",
    "the river rose after the storm",
]


def expand(pattern: str) -> list[str]:
    """Every sentence of a pattern in which `(a|b|)` stands for each of its alternatives."""
    found = re.search(r"\(([^()]*)\)", pattern)
    if not found:
        return [" ".join(pattern.split())]
    return [s for part in found[1].split("|") for s in expand(pattern[: found.start()] + part + pattern[found.end():])]


def keys() -> list[str]:
    """Every request key of the domain, out-of-domain speech (`ood`) last."""
    out = [k for k in PHRASINGS if k not in ("count", "sum", "say", "digit", "watch", "spot", "wait", "fix", "every")]
    out += [f"count:{n}" for n in COUNT_TO]
    out += [f"sum:{a},{b}" for a in range(10) for b in range(10)]
    out += [f"say:{i}" for i in range(len(WORDS))]
    out += [f"digit:{i}" for i in range(10)]
    out += [f"watch:{i}" for i in range(len(COLORS))]
    out += [f"spot:{i}" for i in range(len(SHAPES))]
    out += [f"wait:{n}" for n in WAIT_SECONDS]
    out += [f"fix:{i}" for i in range(10)]
    out += [f"every:{n}" for n in EVERY_SECONDS]
    return out + ["ood"]


@functools.cache
def _patterns(intent: str, held: bool) -> list[str]:
    """The phrasings of an intent, still with `{n}` and the like in them."""
    train, kept = (OUT_OF_DOMAIN, OUT_OF_DOMAIN_HELD) if intent == "ood" else PHRASINGS[intent]
    if held:
        return kept
    return [t for t in dict.fromkeys(t for p in train for t in expand(p)) if not contains(t, kept)]


def contains(text: str, phrasings) -> bool:
    """Whether one of the phrasings stands in a text, word by word: words around it do not make it a new one."""
    return any(f" {p} " in f" {text} " for p in phrasings)


def texts(key: str, held: bool) -> list[str]:
    """The sentences that express `key`: those of training, or those kept for evaluation."""
    intent, _, argument = key.partition(":")
    fill: dict[str, str] = {}
    if intent in ("count", "wait", "every"):
        fill["n"] = DIGITS[int(argument)]
    elif intent == "sum":
        a, b = argument.split(",")
        fill = {"a": DIGITS[int(a)], "b": DIGITS[int(b)]}
    elif intent == "say":
        fill["w"] = WORDS[int(argument)]
    elif intent in ("digit", "fix"):
        fill["d"] = DIGITS[int(argument)]
    elif intent == "watch":
        fill["c"] = COLORS[int(argument)]
    elif intent == "spot":
        fill["s"] = SHAPES[int(argument)]
    return [t.format(**fill) for t in _patterns(intent, held)]


@functools.cache
def requests() -> frozenset[str]:
    """Every sentence that is a request, of training and of evaluation."""
    return frozenset(t for k in keys() if k.partition(":")[0] not in ("ood", "fix", "line") for held in (False, True) for t in texts(k, held))


def is_request(text: str) -> bool:
    """Whether a text is a request, with or without words around it that do not change it."""
    if text in requests():
        return True
    for opener in OPENERS:
        if text.startswith(opener + " ") and is_request(text[len(opener) + 1:]):
            return True
    return any(text.endswith(" " + closer) and is_request(text[: -len(closer) - 1]) for closer in CLOSERS)


def pause_points(text: str) -> list[int]:
    """Word borders at which a speaker may pause: what came before must not be a request by itself."""
    w = text.split()
    return [i for i in range(1, len(w)) if not is_request(" ".join(w[:i]))]


def varied(text: str, random) -> str:
    """A request with words before or after it that do not change it; never a phrasing that is kept for evaluation."""
    new = text
    if random.random() < 0.22:
        new = f"{random.choice(OPENERS)} {new}"
    if random.random() < 0.14 and len(text.split()) > 1:
        new = f"{new} {random.choice(CLOSERS)}"
    return text if new in requests() or contains(new, held_requests()) else new


@functools.cache
def held_requests() -> frozenset[str]:
    """Every request in a phrasing kept for evaluation."""
    return frozenset(t for k in keys() if k.partition(":")[0] not in ("ood", *PARTS_OF_REQUESTS) for t in texts(k, True))


def jumble(random) -> str:
    """Known words in an order that means nothing: heard word by word, answered like any other foreign speech."""
    while True:
        text = " ".join(random.choice(request_words()) for _ in range(random.choice([2, 3, 3, 4, 4, 5, 6])))
        if not any(is_request(" ".join(text.split()[i:])) for i in range(len(text.split()))):
            return text


@functools.cache
def request_words() -> list[str]:
    return sorted({w for t in requests() for w in words(t)})


def answers() -> dict[str, str]:
    """Answer key -> what the assistant says; one clip is synthesised for each."""
    out = {"greet": "hello, how can i help", "name": "my name is mini", "how": "i am fine, thank you",
           "thanks": "you are welcome", "bye": "goodbye", "okay": "okay", "ood": "let me look",
           "time": "time is up", "blind": "i see nothing", "no shape": "i see no shape", "tick": "now", "aha": "uh huh", "fin": "that is a nice story"}
    out |= {f"story:{i}": s for i, s in enumerate(STORY)}
    out |= {f"number:{i}": n for i, n in enumerate(DIGITS)}
    out |= {f"sum:{a},{b}": f"{DIGITS[a]} plus {DIGITS[b]} is {NUMBERS[a + b]}" for a in range(10) for b in range(10)}
    out |= {f"say:{i}": w for i, w in enumerate(WORDS)}
    out |= {f"color:{i}": f"i see {c}" for i, c in enumerate(COLORS)}
    out |= {f"now:{i}": f"now it is {c}" for i, c in enumerate(COLORS)}
    out |= {f"shape:{i}": f"it is a {s}" for i, s in enumerate(SHAPES)}
    out |= {f"there:{i}": f"there is a {s}" for i, s in enumerate(SHAPES)}
    out |= {f"elapsed:{n}": f"{DIGITS[n]} seconds" for n in ELAPSED_SECONDS}
    return out


def answer_parts(key: str) -> list[str]:
    """The stretches of an answer that are synthesised apart and joined.

    In one breath, "i see red" and "i see blue" differ from the first frame, and a model that is fed its own speech learns
    to read the colour from there instead of looking. What must be found out therefore starts a stretch of its own.
    """
    intent, _, argument = key.partition(":")
    if intent == "color":
        return ["i see", COLORS[int(argument)]]
    if intent == "now":
        return ["now it is", COLORS[int(argument)]]
    if intent == "shape" and argument:
        return ["it is a", SHAPES[int(argument)]]
    if intent == "there":
        return ["there is a", SHAPES[int(argument)]]
    if intent == "elapsed":
        return [DIGITS[int(argument)], "seconds"]
    if intent == "sum":
        a, b = (int(x) for x in argument.split(","))
        return [f"{DIGITS[a]} plus", f"{DIGITS[b]} is", NUMBERS[a + b]]
    return [answers()[key]]


def words(text: str) -> list[str]:
    return text.replace(",", "").split()


def vocabulary() -> list[str]:
    """Token list, index = id. `+a` is the character a, written without a space before it; the rest are whole words."""
    known = {w for t in answers().values() for w in words(t)} | set(request_words())
    known |= {w for t in OPENERS + CLOSERS for w in words(t)}
    known |= {w for k in ("ood", "fix:0", "line") for t in texts(k, False) for w in words(t)}
    return ["<pad>", "<end>", "<unk>"] + ["+" + c for c in "abcdefghijklmnopqrstuvwxyz'"] + sorted(known)


VOCABULARY = vocabulary()
TOKEN = {w: i for i, w in enumerate(VOCABULARY)}
PAD, END, UNK = 0, 1, 2


def untrained_words() -> set[str]:
    """Words that occur in held-out phrasings only; must be empty, else a held-out phrasing could not be transcribed."""
    train = {w for k in keys() for t in texts(k, False) for w in words(t)}
    return {w for k in keys() if k != "ood" for t in texts(k, True) for w in words(t)} - train
