"""What the camera shows, and what is said about it."""
import numpy as np
import pytest

from microturn_training import domain, sights
from microturn_training.dialogue import SPEAK, Dialogue, Generator, Mix
from microturn_training.domain import TOKEN, VOCABULARY
from microturn_training.recipe import RECIPE
from microturn_training.senses import IMAGE, inside
from microturn_training.timeline import OUTPUTS


@pytest.fixture
def generator(bank):
    return Generator(bank, 5, turns=150, mix=Mix(augment=False, snr_db=None, echo=0, late=False))


def seen(generator, key, tries=30):
    return [generator.dialogue([(key, "none")], camera=True) for _ in range(tries)]


def said(d, first=0):
    return [VOCABULARY[t] for t in d.text[first:] if t > 2]


def test_every_jump_is_counted_in_the_micro_turn_that_shows_it(generator):
    counts = set()
    for d in seen(generator, "jumps"):
        moved = generator.jumped(d)
        replies = [e for e in d.events if e["type"] == "reply" and "jump" in e]
        asked = next(e for e in d.events if e["type"] == "user")["end"] // 3200
        stop = next((e["onset"] // 3200 for e in d.events if e["type"] == "user" and e["key"] == "stop"), d.turns)
        counted = [int(t) for t in np.flatnonzero(moved) if asked < t < stop]
        assert [e["jump"] for e in replies] == counted
        for i, (e, turn) in enumerate(zip(replies, counted)):
            assert e["start"] == OUTPUTS * turn and d.text[OUTPUTS * turn:OUTPUTS * turn + 4].max() == TOKEN[domain.DIGITS[i + 1]]
            assert d.control[OUTPUTS * turn] == SPEAK and d.weight[OUTPUTS * turn] > 1
        assert all((np.abs(d.place[t, 1] - d.place[t - 1, 1]).max() >= sights.FAR) for t in counted)
        counts.add(len(counted))
    assert len(counts) > 3


def test_a_shape_is_named_and_an_awaited_one_is_told_in_the_micro_turn_that_shows_it(generator):
    names = set()
    for d in seen(generator, "shape"):
        reply = next(e for e in d.events if e["type"] == "reply")
        shape = d.shape[reply["start"] // OUTPUTS]
        assert said(d) == (["it", "is", "a", domain.SHAPES[shape - 1]] if shape else ["i", "see", "no", "shape"])
        names.add(int(shape))
    assert names == {0, 1, 2, 3}
    for d in seen(generator, "spot:1"):
        change = next((e["turn"] for e in d.events if e["type"] == "change"), None)
        if change is None:
            assert said(d) == ["okay"]   # it would have come after the end
            continue
        assert d.shape[change] == 2 and not (d.shape[change - 12:change] == 2).any()
        assert said(d, OUTPUTS * change) == ["there", "is", "a", "square"]


def test_something_else_may_come_several_times_before_what_is_awaited_and_is_not_told(generator):
    others = set()
    for d in seen(generator, "watch:3"):
        change = next((e["turn"] for e in d.events if e["type"] == "change"), None)
        asked = next(e for e in d.events if e["type"] == "user")["end"] // 3200
        if change is not None and d.color[asked] != 3:
            others.add(int((np.diff(d.color[asked:change]) != 0).sum()))
            assert not (d.color[asked:change] == 3).any() and said(d) == ["okay", "now", "it", "is", "yellow"]
            assert said(d, OUTPUTS * change) == said(d)[1:]
    assert {0, 1, 2} <= others


def test_how_far_a_shape_has_moved_is_known_where_it_jumped(generator):
    d = generator.dialogue([("jumps", "none")], camera=True)
    moved, jumped = generator.moved(d), generator.jumped(d)
    assert ((np.abs(moved).max(1) >= sights.FAR) == (jumped > 0)).all() and jumped.any()
    turn = int(np.flatnonzero(jumped)[0])
    assert (moved[turn] == d.place[turn, 1] - d.place[turn - 1, 1]).all()


def test_a_world_that_changes_all_the_time_has_everything_in_it(generator):
    worlds = [Dialogue(150, True) for _ in range(6)]
    for d in worlds:
        sights.lively(generator, d)
        changes = (np.diff(d.color) != 0) | (np.diff(d.shape) != 0) | (generator.jumped(d)[1:] > 0)
        assert 8 < changes.sum() < 50
        assert (d.place[generator.jumped(d) == 0][1:, 1] == d.place[:-1][generator.jumped(d)[1:] == 0, 1])[d.shape[1:][generator.jumped(d)[1:] == 0] > 0].all()
    assert {int(s) for d in worlds for s in d.shape} == {0, 1, 2, 3} and len({int(c) for d in worlds for c in d.color}) == len(domain.COLORS)


def test_without_a_camera_nothing_is_seen(generator):
    for key in ("shape", "jumps"):
        d = generator.dialogue([(key, "none")], camera=False)
        assert said(d) == ["i", "see", "nothing"]
        assert (generator.example(d)["shape"] == len(domain.SHAPES) + 1).all() and not generator.example(d)["jumped"].any()


@pytest.mark.parametrize("shape", [1, 2, 3])
def test_shapes_are_as_large_as_a_circle(shape):
    at = np.linspace(-2, 2, 801)
    assert inside(shape, at[:, None], at[None]).mean() * 16 == pytest.approx(np.pi, rel=0.05)


def test_the_images_show_the_shape_where_it_is(generator):
    d = generator.dialogue([("jumps", "none")], camera=True)
    images = generator.camera.images(d).astype(float)
    assert images.shape == (150, 2, *IMAGE)
    turn = next(e["jump"] for e in d.events if "jump" in e)
    before, after = d.place[turn - 1, 1], d.place[turn, 1]
    # the shape stands out where it is, before the jump and after it; where it neither was nor is, nothing has changed
    for when, (down, right) in ((turn - 1, before), (turn, after)):
        background = np.median(images[when, 1].reshape(-1, 3), 0)
        assert np.abs(images[when, 1, 20 + down, 19 + right] - background).max() > 60
    assert (np.abs(images[turn, 1] - images[turn - 1, 1]).max(-1) > 60).sum() > 50
    far = [(r, c) for r in (1, 38) for c in (1, 37) if all(max(abs(r - 20 - p[0]), abs(c - 19 - p[1])) > 15 for p in (before, after))]
    assert far and all(np.abs(images[turn, 1, r, c] - images[turn - 1, 1, r, c]).max() < 60 for r, c in far)


def test_glances_show_what_their_labels_say(generator):
    g = sights.glances(generator, 90)
    assert g["glances"].shape == (90, 2, *IMAGE) and g["glances"].dtype == np.uint8
    assert set(g["glance_shape"]) == {0, 1, 2, 3} and set(g["glance_color"]) == set(range(len(domain.COLORS)))
    jumped = 0
    for images, color, shape, places in zip(g["glances"].astype(float), g["glance_color"], g["glance_shape"], g["glance_place"]):
        background = np.median(images[0].reshape(-1, 3), 0)
        assert np.argmin([np.abs(background - domain.RGB[name]).sum() for name in domain.COLORS]) == color
        jumped += (places[0] != places[1]).any()
        for image, (down, right) in zip(images, places):
            off = np.abs(image - background).max(-1) > 60
            assert off.any() == (shape > 0)
            if shape in (1, 2):   # symmetric, so that its middle is that of its pixels
                rows, columns = np.nonzero(off)
                assert abs(rows.mean() - 19.5 - down) < 2 and abs(columns.mean() - 19 - right) < 2
    assert 10 < jumped < 45


def test_a_batch_has_so_many_glances_for_each_dialogue(generator):
    batch = generator.batch(2)
    assert len(batch["glances"]) == len(batch["glance_shape"]) == 2 * RECIPE.dialogue.glances
