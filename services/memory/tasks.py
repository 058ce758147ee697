"""The compression of older messages, declared as work."""

from functools import cache

from sqlalchemy.orm import Session

from services.memory import compress
from services.memory.compress import MemoryTools, Summary
from services.work import register_handler
from shared.models import MemoryWindow
from shared.providers.chat.http_chat import connect_chat
from shared.queries.dialogue import memory
from shared.queries.dialogue.memory import WindowContext
from shared.settings import get_settings
from shared.tasks import MEMORY


@cache
def tools() -> MemoryTools:
    """Connect to what the settings name."""
    settings = get_settings()
    return MemoryTools(settings, connect_chat(settings))


def work(context: WindowContext) -> Summary:
    """Summarise the window's messages."""
    return compress.summarise(context, tools())


def save(session: Session, window: MemoryWindow, summary: Summary) -> None:
    """Save the memory."""
    memory.save(session, window, *summary)


compress_window = register_handler(MEMORY, MemoryWindow, load=memory.load, work=work, save=save, max_runtime=300.0)
