"""The bundled server's queue of texts to embed: bounded, in turn, and nothing for clients that left."""

import threading

import pytest

from deploy.model.chat import Reading
from deploy.model.turns import Busy, Left, Presence, Turns


def test_a_full_queue_says_so_at_once():
    turns, begun, go = Turns("t", places=1), threading.Event(), threading.Event()

    def slow(part):
        begun.set()
        go.wait(10)
        return part

    first = threading.Thread(target=turns.take, args=(["a"], slow))
    first.start()
    assert begun.wait(10)
    with pytest.raises(Busy):
        turns.take(["b"], slow)
    go.set()
    first.join(10)
    assert turns.take(["c"], list) == [["c"]]


def test_a_client_that_leaves_gets_no_further_slice():
    made = []
    with pytest.raises(Left):
        Turns("t", places=1).take(["x"] * 40, made.append, is_gone=lambda: len(made) == 2)
    assert len(made) == 2


def test_a_short_request_ends_before_a_long_one_that_came_first():
    turns, ended, begun, go = Turns("t", places=2), [], threading.Event(), threading.Event()

    def gated(part):
        begun.set()
        go.wait(10)

    def run(name, texts):
        turns.take(texts, gated)
        ended.append(name)

    long = threading.Thread(target=run, args=("long", ["x"] * 400))
    short = threading.Thread(target=run, args=("short", ["x"]))
    long.start()
    assert begun.wait(10)
    short.start()
    while turns.present.count < 2:
        pass
    go.set()
    short.join(10)
    long.join(10)
    assert ended == ["short", "long"]


def test_questions_go_before_passages():
    queries = Turns("q", places=2)
    passages, order = Turns("p", places=2, waits_for=queries.present), []
    begun, go = threading.Event(), threading.Event()

    def ask(part):
        begun.set()
        go.wait(10)
        order.append("question")

    asking = threading.Thread(target=queries.take, args=(["why?"], ask))
    asking.start()
    assert begun.wait(10)
    reading = threading.Thread(target=passages.take, args=(["text"], lambda part: order.append("passage")))
    reading.start()
    go.set()
    asking.join(10)
    reading.join(10)
    assert order == ["question", "passage"]


def test_a_prompt_that_is_read_goes_before_passages_until_the_first_word():
    people, order = Presence(), []
    passages, reading = Turns("p", places=2, waits_for=people), Reading(people)
    reading.begin()
    embedding = threading.Thread(target=passages.take, args=(["text"], lambda part: order.append("passage")))
    embedding.start()
    embedding.join(0.1)
    order.append("first word")
    for _ in range(2):  # at the first word, and at the reply's end
        reading.end()
    embedding.join(10)
    assert order == ["first word", "passage"]
    assert people.count == 0
