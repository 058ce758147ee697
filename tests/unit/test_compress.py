"""Who compresses a window, in which words, and how long it may be."""

import pytest

from services.memory.compress import MemoryTools, summarise
from shared.domain.prompt import Said
from shared.domain.tokens import count_roughly
from shared.errors import Transient
from shared.providers.chat.chat import FakeChat
from shared.queries.dialogue.memory import WindowContext
from shared.settings import Settings

TALK = (Said("user", "My daughter Maria plays the violin."), Said("assistant", "Then she has a good ear."))


def context(lines=TALK, **values):
    given = {"persona_name": "Tesla", "provider_type": None, "message_ids": ("a", "b"), "message_count": 35}
    return WindowContext(lines=lines, changed_at=None, **given | values)


def with_(chat, **values):
    return MemoryTools(Settings(_env_file=None, **{"chat_model": "real-model"} | values), chat)


@pytest.mark.capability("C78")
def test_a_real_model_writes_in_the_first_person_and_is_named():
    chat = FakeChat("I learned that Maria plays the violin.", model="real-model")
    summary = summarise(context(), with_(chat))
    assert (summary.text, summary.model) == ("I learned that Maria plays the violin.", "real-model")
    ((messages, controls),) = chat.asked
    assert messages[0].content.startswith("I am Tesla. I am summarising")
    assert messages[1].content == "User: My daughter Maria plays the violin.\nI: Then she has a good ear."
    assert controls.max_tokens == 250


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        pytest.param({"chat_model": "smollm2-135m-instruct"}, {}, id="the demo model"),
        pytest.param({}, {"provider_type": "extractive"}, id="a persona that asks for it"),
    ],
)
def test_what_must_not_be_written_is_extracted_and_says_so(settings, values):
    chat = FakeChat("I invent things.")
    summary = summarise(context(**values), with_(chat, **settings))
    assert (summary.model, chat.asked) == ("extractive", [])
    assert "User: My daughter Maria plays the violin." in summary.text


def test_a_summary_is_never_longer_than_it_may_be():
    summary = summarise(context(), with_(FakeChat("Many words. " * 500)))
    assert count_roughly(summary.text) <= 250


def test_a_model_that_says_nothing_is_asked_again_later():
    with pytest.raises(Transient, match="empty summary"):
        summarise(context(), with_(FakeChat(" ")))


def test_long_messages_are_told_by_their_beginnings():
    chat = FakeChat("Yes.")
    summarise(context(tuple(Said("user", f"{n} " + "word " * 2000) for n in range(11))), with_(chat))
    ((messages, _),) = chat.asked
    assert sum(count_roughly(message.content) for message in messages) < 1200 - 250
    assert all(f"User: {n} word" in messages[1].content for n in range(11))


def test_words_of_no_language_are_kept_as_they_are():
    assert summarise(context((Said("user", "…?!"),), provider_type="extractive"), with_(FakeChat())).text == "User: …?!"
