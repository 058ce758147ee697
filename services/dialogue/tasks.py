"""The reply to a message, declared as work."""

from services.dialogue import reply
from services.work import performs
from shared.models import Turn
from shared.tasks import REPLY

answer = performs(
    REPLY, Turn, load=reply.load, work=reply.work, save=reply.save, announce=reply.announce, max_runtime=600.0
)
