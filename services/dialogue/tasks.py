"""The reply to a message, declared as work."""

from services.dialogue import reply
from services.work import register_handler
from shared.models import Turn
from shared.tasks import DIALOGUE

answer = register_handler(
    DIALOGUE, Turn, load=reply.load, work=reply.work, save=reply.save, announce=reply.announce, max_runtime=600.0
)
