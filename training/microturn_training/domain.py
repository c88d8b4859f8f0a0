"""What may be said in the closed world of `mini`: requests with their phrasings, answers, and the vocabulary.

A request is named by a key such as `greet`, `count:5` or `sum:3,4`. Every intent has phrasings used in training and
some that are only used in evaluation (`held=True`); the latter are made of words that training knows.
"""
from __future__ import annotations

DIGITS = "zero one two three four five six seven eight nine".split()
NUMBERS = DIGITS + "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen".split()
COLORS = "red green blue yellow white black".split()
RGB = {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (40, 60, 220),
       "yellow": (235, 220, 40), "white": (240, 240, 240), "black": (15, 15, 15)}
WORDS = "apple banana robot window music paper".split()
STORY = ("once upon a time there was a little robot",
         "every day it learned to listen while it was talking",
         "one day it met a friend and they talked all night")
COUNT_TO = range(3, 10)
WAIT_SECONDS = range(2, 6)

# intent -> (phrasings for training, phrasings for evaluation only)
PHRASINGS: dict[str, tuple[list[str], list[str]]] = {
    "greet": (["hello", "hi", "hi there", "hey mini", "good morning", "hello mini", "hello there", "good evening"],
              ["hey there", "hi mini", "good morning mini"]),
    "name": (["what is your name", "who are you", "tell me your name", "what are you called", "do you have a name",
              "may i know your name"],
             ["can you tell me your name", "please tell me your name"]),
    "how": (["how are you", "how are you today", "how are you doing", "are you fine", "how do you do",
             "how is it going"],
            ["how are you doing today", "are you doing fine"]),
    "thanks": (["thank you", "thanks", "thanks a lot", "thank you very much", "many thanks", "thank you mini"],
               ["thanks mini", "thank you a lot"]),
    "bye": (["goodbye", "bye", "bye bye", "see you later", "good night", "goodbye mini"],
            ["bye mini", "good night mini"]),
    "color": (["what color is it", "what color do you see", "which color is it", "tell me the color",
               "what do you see", "do you see a color", "which color do you see"],
              ["tell me what color it is", "tell me what you see"]),
    "story": (["tell me a story", "can you tell me a story", "please tell me a story", "i want a story",
               "i want to hear a story", "tell a story please"],
              ["can you please tell me a story", "tell me a story please"]),
    "count": (["count to {n}", "please count to {n}", "can you count to {n}", "count up to {n}",
               "count from one to {n}", "i want you to count to {n}"],
              ["please count from one to {n}", "can you count up to {n}"]),
    "sum": (["what is {a} plus {b}", "{a} plus {b}", "how much is {a} plus {b}", "tell me {a} plus {b}",
             "please add {a} and {b}", "what do you get for {a} plus {b}"],
            ["can you add {a} and {b}", "can you tell me what is {a} plus {b}"]),
    "say": (["say {w}", "please say {w}", "can you say {w}", "repeat {w}", "say the word {w}"],
            ["please repeat {w}", "can you say the word {w}"]),
    "digit": (["{d}", "say {d}", "please say {d}", "repeat {d}", "say the number {d}"],
              ["please repeat {d}", "repeat the number {d}"]),
    "watch": (["tell me when it turns {c}", "tell me when it is {c}", "say when it turns {c}",
               "let me know when it turns {c}", "watch for {c}", "tell me when you see {c}"],
              ["let me know when you see {c}", "say when it is {c}"]),
    "wait": (["wait {n} seconds", "wait for {n} seconds", "please wait {n} seconds",
              "tell me when {n} seconds are over", "can you wait {n} seconds", "set a timer for {n} seconds"],
             ["please wait for {n} seconds", "let me know when {n} seconds are over"]),
    "stop": (["stop", "stop it", "be quiet", "please stop", "stop talking", "quiet please", "that is enough"],
             ["please be quiet", "stop it please"]),
    "back": (["uh huh", "mm hmm", "yeah", "right", "okay"], []),
}

OUT_OF_DOMAIN = [
    "the weather report said it might rain", "i left my keys on the kitchen table", "can you order a pizza",
    "we should paint the fence next summer", "play some jazz", "the train leaves from platform nine",
    "where did he put the big ladder", "my brother lives near the river", "open the garage door",
    "she bought a new pair of shoes", "how far is the moon", "turn on the kitchen light",
    "this soup needs more salt", "nobody knew the answer", "please call the office", "i want to book a flight",
    "what time does the shop close", "they moved to another city last year", "remind me to water the plants",
    "the old bridge was closed in winter", "how tall is the tower", "send a message to my sister",
    "we had dinner by the lake", "the doctor will be back on monday", "find a cheap hotel for two nights",
    "is there any milk in the fridge", "her bicycle has a flat tire", "show me the way to the museum",
    "the children built a snowman", "who won the game yesterday", "it was a long and boring meeting",
    "can you translate this letter", "he forgot his umbrella on the bus", "set the oven to medium heat",
    "the cat is sleeping under the sofa", "how many people live in france", "please lock the front door",
    "i need a bigger box for these books", "the market opens early on saturday", "what is the capital of spain",
    "my phone battery is almost empty", "they are planning a trip to the mountains", "turn the volume down a bit",
    "the soup smells wonderful", "why is the sky so dark tonight", "buy two tickets for the concert",
]
OUT_OF_DOMAIN_HELD = [
    "the farmer sold his horses in spring", "can you check my email", "how deep is the ocean",
    "we missed the last ferry home", "please bring me a glass of lemonade", "her garden is full of roses",
    "what does this button do", "the teacher wrote a poem on the board", "book a taxi for tomorrow",
    "somebody parked in front of our gate", "where can i buy fresh bread", "the engine makes a strange noise",
    "is the library open on sunday", "my uncle collects old coins", "switch off the heating in the hall",
    "the river rose after the storm",
]


def keys() -> list[str]:
    """Every request key of the domain, out-of-domain speech (`ood`) last."""
    out = [k for k in PHRASINGS if k not in ("count", "sum", "say", "digit", "watch", "wait")]
    out += [f"count:{n}" for n in COUNT_TO]
    out += [f"sum:{a},{b}" for a in range(10) for b in range(10)]
    out += [f"say:{i}" for i in range(len(WORDS))]
    out += [f"digit:{i}" for i in range(10)]
    out += [f"watch:{i}" for i in range(len(COLORS))]
    out += [f"wait:{n}" for n in WAIT_SECONDS]
    return out + ["ood"]


def texts(key: str, held: bool) -> list[str]:
    """The sentences that express `key`: those of training, or those kept for evaluation."""
    if key == "ood":
        return OUT_OF_DOMAIN_HELD if held else OUT_OF_DOMAIN
    intent, _, argument = key.partition(":")
    fill: dict[str, str] = {}
    if intent in ("count", "wait"):
        fill["n"] = DIGITS[int(argument)]
    elif intent == "sum":
        a, b = argument.split(",")
        fill = {"a": DIGITS[int(a)], "b": DIGITS[int(b)]}
    elif intent == "say":
        fill["w"] = WORDS[int(argument)]
    elif intent == "digit":
        fill["d"] = DIGITS[int(argument)]
    elif intent == "watch":
        fill["c"] = COLORS[int(argument)]
    return [t.format(**fill) for t in PHRASINGS[intent][1 if held else 0]]


def answers() -> dict[str, str]:
    """Answer key -> what the assistant says; one clip is synthesised for each."""
    out = {"greet": "hello, how can i help", "name": "my name is mini", "how": "i am fine, thank you",
           "thanks": "you are welcome", "bye": "goodbye", "okay": "okay", "ood": "sorry, i did not understand",
           "time": "time is up", "blind": "i see nothing"}
    out |= {f"story:{i}": s for i, s in enumerate(STORY)}
    out |= {f"number:{i}": n for i, n in enumerate(DIGITS)}
    out |= {f"sum:{a},{b}": f"{DIGITS[a]} plus {DIGITS[b]} is {NUMBERS[a + b]}" for a in range(10) for b in range(10)}
    out |= {f"say:{i}": w for i, w in enumerate(WORDS)}
    out |= {f"color:{i}": f"i see {c}" for i, c in enumerate(COLORS)}
    out |= {f"now:{i}": f"now it is {c}" for i, c in enumerate(COLORS)}
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
    if intent == "sum":
        a, b = (int(x) for x in argument.split(","))
        return [f"{DIGITS[a]} plus", f"{DIGITS[b]} is", NUMBERS[a + b]]
    return [answers()[key]]


def words(text: str) -> list[str]:
    return text.replace(",", "").split()


def vocabulary() -> list[str]:
    """Token list, index = id. `+a` is the character a, written without a space before it; the rest are whole words."""
    known = {w for t in answers().values() for w in words(t)}
    known |= {w for k in keys() if k != "ood" for t in texts(k, False) + texts(k, True) for w in words(t)}
    return ["<pad>", "<end>", "<unk>"] + ["+" + c for c in "abcdefghijklmnopqrstuvwxyz'"] + sorted(known)


def untrained_words() -> set[str]:
    """Words that occur in held-out phrasings only; must be empty, else a held-out phrasing could not be transcribed."""
    train = {w for k in keys() if k != "ood" for t in texts(k, False) for w in words(t)}
    return {w for k in keys() if k != "ood" for t in texts(k, True) for w in words(t)} - train
