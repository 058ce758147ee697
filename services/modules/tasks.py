"""The modules that run after a reply, declared as work."""

from services.modules import after
from services.work import performs
from shared.models import ModuleExecution
from shared.tasks import EXECUTE_MODULE

execute = performs(
    EXECUTE_MODULE, ModuleExecution, load=after.load, work=after.work, save=after.save, max_runtime=180.0
)
