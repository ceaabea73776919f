import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.demo.choices import LAST_SEED, MOST_SINGERS, Choices, from_link
from toy_duration_predictor.inference.predictor import Predictor

PREDICTOR = Predictor.load("demo")
SONGS = ["Ode to Joy", "Hänschen klein"]
START = Choices("Ode to Joy", [1], 1.0, 1.0, 0)


def read(**link):
    return from_link(link, PREDICTOR, SONGS, START)


def test_a_link_carries_all_choices():
    wanted = Choices("Hänschen klein", [7, 2], 0.5, 0.25, 12)
    link = {"song": "Hänschen klein", "singers": "7,2", "strength": "0.5", "temperature": "0.25", "seed": "12"}
    assert read(**link, __theme="dark") == (wanted, [])
    assert read() == (START, [])


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("song", "Yesterday", "the songs are Ode to Joy, Hänschen klein"),
        ("singers", "99", "singer 99 is not known"),
        ("singers", "one", "it is no number"),
        ("singers", "1,2,3,4,5", f"at most {MOST_SINGERS} singers"),
        ("strength", "9", "give a number from 0 to 1.5"),
        ("strength", "nan", "give a number from 0 to 1.5"),
        ("temperature", "-1", "give a number from 0 to 1.5"),
        ("seed", "1e99", f"give a number from 0 to {LAST_SEED}"),
        ("seed", "", "it is no number"),
    ],
)
def test_what_cannot_be_used_is_named_and_passed_over(name, text, reason):
    good = {"seed": "5"} if name != "seed" else {"strength": "0.5"}
    chosen, [said] = read(**good, **{name: text})
    assert said == f"{name}={text} in the link is passed over: {reason}." or reason in said
    assert chosen == START._replace(**{key: float(value) for key, value in good.items()})


@given(st.dictionaries(st.sampled_from(Choices._fields), st.text(max_size=20)))
def test_no_link_breaks_the_page(link):
    chosen, said = from_link(link, PREDICTOR, SONGS, START)
    assert chosen.song in SONGS
    assert set(chosen.singers) <= set(PREDICTOR.singers)
    assert 1 <= len(chosen.singers) <= MOST_SINGERS
    assert 0 <= chosen.strength <= 1.5
    assert 0 <= chosen.temperature <= 1.5
    assert 0 <= chosen.seed <= LAST_SEED
    assert len(said) <= len(link)
