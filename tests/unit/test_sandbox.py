"""Scripts run, cannot get out, and come to an end."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.domain import language
from shared.scripting import catalogue
from shared.scripting.runner import Host, Run, run
from shared.scripting.sandbox import processes_at
from shared.scripting.spending import DEEPEST
from shared.scripting.values import ScriptError
from tests.processes import allowed

SECRET = "a-secret-of-ours"
ROOT_OF_PROJECT = str(Path(__file__).parents[2])


def recall(value: Any = None) -> Any:
    return value


def host(**values: Any) -> Host:
    methods = {"recall": recall, "object": object, "break_": breaks}
    return Host(methods=methods, **values)


def breaks() -> None:
    raise LookupError(SECRET)


def ran(script: str, **values: Any) -> Run:
    return run(script, host(**values))


@pytest.fixture(autouse=True)
def secret_in_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONAE_SECRET_KEY", SECRET)


@pytest.mark.capability("C72")
@pytest.mark.parametrize(
    ("script", "result"),
    [
        pytest.param("result = 1\nresult += 1", 2, id="+="),
        pytest.param("one, two = 1, 2\nresult = one + two", 3, id="unpacking"),
        pytest.param("result = 0\nfor k, v in {'a': 1, 'b': 2, 'c': 3}.items(): result += v", 6, id="dict.items"),
        pytest.param("base = 40\ndef add(n): return base + n\nresult = add(2)", 42, id="top-level names in functions"),
        pytest.param("def outer():\n  seen = [1]\n  return lambda: seen\nresult = outer()()", [1], id="closures"),
        pytest.param("try:\n  1 / 0\nexcept ZeroDivisionError as e:\n  result = str(e)", "division by zero", id="try"),
        pytest.param("try:\n  result = 1\nfinally:\n  result = 2", 2, id="finally"),
        pytest.param("who = 'Ada'\nresult = f'{who:>5}!'", "  Ada!", id="f-strings"),
        pytest.param("result = {k: v for k, v in [('a', 1)] if v}", {"a": 1}, id="comprehensions"),
        pytest.param("match [1, 2]:\n  case [_, last]: result = last", 2, id="match"),
        pytest.param("import json\nresult = json.loads('[1]')", [1], id="json"),
        pytest.param("import re\nresult = re.findall(r'\\d', 'a1b2')", ["1", "2"], id="re"),
        pytest.param("import math\nresult = math.floor(2.5)", 2, id="math"),
        pytest.param("import datetime\nresult = datetime.date(2026, 1, 2)", "2026-01-02", id="dates, as text"),
        pytest.param(
            "from dataclasses import dataclass\n@dataclass\nclass P:\n  x: int\nresult = P(3).x", 3, id="dataclass"
        ),
        pytest.param("result = ctx.recall({'a': (1, {2})})", {"a": [1, [2]]}, id="ctx takes and returns plain values"),
        pytest.param("result = sorted([3, 1], key=lambda n: -n)", [3, 1], id="lambdas"),
    ],
)
def test_the_language(script: str, result: Any) -> None:
    done = ran(script)
    assert (done.status, done.variables.get("result")) == ("ok", result), done.message


@pytest.mark.capability("C72")
def test_what_is_printed_is_kept() -> None:
    assert ran("print('Hello', 1)").printed == "Hello 1\n"


ESCAPES = [
    "import uuid\nresult = uuid.os.environ",
    "import json\nresult = json.codecs.open('/etc/passwd').read()",
    "import re\nresult = re.enum.sys.modules['os']",
    "import random\nresult = random._os.environ",
    "import datetime\nresult = datetime.sys",
    "import os\nresult = dict(os.environ)",
    "import os\nresult = os.popen('id').read()",
    "import os\nresult = os.system('id')",
    "import os\nresult = os.listdir('/')",
    "import os\nresult = os.getenv('PERSONAE_SECRET_KEY')",
    "import sys\nresult = list(sys.modules)",
    "import subprocess\nresult = subprocess.run(['id'])",
    "import socket\nresult = socket.create_connection(('127.0.0.1', 80))",
    "import ctypes\nresult = ctypes.CDLL(None)",
    "import importlib\nresult = importlib.import_module('os')",
    "import builtins\nresult = builtins.open('/etc/passwd')",
    "import shared.settings\nresult = shared.settings.get_settings()",
    "from pathlib import Path\nresult = Path('/etc/passwd').read_text()",
    "from pathlib import Path\nresult = [str(p) for p in Path('/').iterdir()]",
    "from pathlib import Path\nPath('/tmp/written').write_text('x')\nresult = 1",
    "result = open('/etc/passwd').read()",
    "with open('/proc/self/environ') as file:\n    result = file.read()",
    "result = __import__('os').environ",
    "result = eval('__import__(\"os\").environ')",
    "exec('import os\\nresult = os.environ')\nresult = result['PATH']",
    "result = compile('1', 'x', 'eval').co_code",
    "result = ().__class__.__base__.__subclasses__()",
    "result = getattr(getattr((), '__class__'), '__base__').__subclasses__()",
    "result = (lambda: 0).__globals__",
    "result = (lambda: 0).__code__.co_consts",
    "result = [].append.__self__.__class__.__mro__",
    "result = ''.__class__.__mro__[1].__subclasses__()",
    "result = '{0.__class__.__mro__}'.format(ctx)",
    "result = f'{ctx.__class__.__init__.__globals__}'",
    "result = ctx.__class__.__init__.__globals__",
    "result = ctx.__dict__['x']",
    "result = ctx.db_session.execute('SELECT 1')",
    "result = ctx.current_provider_settings['api_key']",
    "result = ctx.recall.__globals__",
    "result = ctx.recall.__self__",
    "result = getattr(ctx, 're' + 'call').__func__.__globals__",
    "ctx.recall = open\nresult = ctx.recall('/etc/passwd')",
    "result = ctx.object().__class__",
    "result = ctx.recall(ctx)",
    "result = ctx.recall([ctx])",
    "result = ctx.recall(print)",
    "try:\n    1 / 0\nexcept Exception as e:\n    result = e.__traceback__.tb_frame.f_globals",
    "result = globals()['__builtins__']",
    "result = vars()['__builtins__']",
    "result = type('X', (object,), {'__init__': lambda self: 1}).__subclasses__()",
    "result = [c for c in type.__subclasses__(type)]",
    "import typing\nresult = typing.sys.modules",
    "import functools\nresult = functools.sys",
    "import collections\nresult = collections._sys.modules",
]


@pytest.mark.capability("C70")
@pytest.mark.parametrize("script", ESCAPES)
def test_there_is_no_way_out(script: str) -> None:
    done = ran(script)
    everything = f"{done.variables} {done.message} {done.printed}"
    assert "result" not in done.variables, done.variables
    assert not {SECRET, "root:x:", "uid=", ROOT_OF_PROJECT} & {mark for mark in FOUND if mark in everything}
    assert not Path("/tmp/written").exists()


FOUND = (SECRET, "root:x:", "uid=", ROOT_OF_PROJECT)


@pytest.mark.capability("C70")
def test_our_own_errors_reach_us_and_never_the_script() -> None:
    with pytest.raises(LookupError):
        ran("try:\n    ctx.break_()\nexcept BaseException as e:\n    result = str(e)")


@pytest.mark.capability("C71")
@pytest.mark.parametrize(
    ("script", "status"),
    [
        pytest.param("while True: pass", "timeout", id="a loop"),
        pytest.param(
            "while True:\n  try:\n    while True: pass\n  except BaseException: pass", "timeout", id="that catches"
        ),
        pytest.param("big = ['x'] * 10**9", "memory", id="a list of gigabytes"),
        pytest.param("big = 'a' * 10**10", "memory", id="a text of gigabytes"),
        pytest.param("big = []\nwhile True: big.append('x' * 10000)", "memory", id="one that grows"),
        pytest.param("big = 10 ** 10 ** 8", "memory", id="a number"),
        pytest.param("def f(): return f()\nf()", "error", id="a recursion"),
        pytest.param("import re\nre.match(r'(a|aa)+$', 'a' * 50 + '!')", None, id="a regular expression"),
        pytest.param("for n in range(10**6): ctx.recall(n)", "limit", id="endless calls"),
        pytest.param("import time\ntime.sleep(3600)", "ok", id="a sleep"),
        pytest.param("print('x' * 10**6)", None, id="an endless print"),
        pytest.param("x" * 70_000, "rejected", id="a source without end"),
    ],
)
def test_everything_comes_to_an_end(script: str, status: str | None) -> None:
    started = time.monotonic()
    done = ran(script)
    assert time.monotonic() - started < allowed(3)
    assert status in (None, done.status), done.message
    assert ran("result = 1").variables == {"result": 1}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("'x' * 300_000", "value too large", id="long"),
        pytest.param("[['x' * 1000] * 300]", "value too large", id="shared, charged each time"),
        pytest.param("[" * 20 + "]" * 20, "nested too deeply", id="deep"),
        pytest.param("2 ** 300", "integer too large", id="wide"),
        pytest.param("float('nan')", "not a finite number", id="no number"),
        pytest.param("lambda: 1", "", id="a function"),
    ],
)
def test_values_that_may_not_cross_are_refused_in_words(value: str, message: str) -> None:
    done = ran(f"try:\n    result = ctx.recall({value})\nexcept RuntimeError as e:\n    result = 'refused ' + str(e)")
    assert message in str(done.variables["result"])


def test_text_that_a_database_cannot_store_is_mended() -> None:
    assert ran("result = ctx.recall('a\\x00b')").variables == {"result": "ab"}


def test_a_quota_ends_the_calls_of_one_function() -> None:
    done = ran("for n in range(3): ctx.recall(n)", quotas={"recall": 2})
    assert "ctx.recall may be called 2 times" in done.message


def test_clock_and_chance_are_the_runs_own() -> None:
    given = {"now": datetime(2026, 1, 2, tzinfo=UTC), "seed": 7}
    script = "import random, datetime\nresult = [str(datetime.datetime.now()), random.random()]"
    first, second = ran(script, **given), ran(script, **given)
    assert first.variables == second.variables
    assert first.variables["result"][0].startswith("2026-01-02 00:00:00")


def test_names_and_attributes_that_are_given_can_be_read() -> None:
    def attribute(name: str) -> Any:
        if name != "who":
            raise ScriptError(name)
        return "Ada"

    done = ran("result = [ctx.who, where, hasattr(ctx, 'nothing')]", attribute=attribute, inputs={"where": "London"})
    assert done.variables == {"result": ["Ada", "London", False]}


def test_the_functions_that_the_language_knows_are_those_of_the_catalogue() -> None:
    assert set(catalogue.FUNCTIONS) == language.CONTEXT_FUNCTIONS
    assert all(function.doc and function.signature.startswith("ctx.") for function in catalogue.FUNCTIONS.values())


@pytest.mark.parametrize("name", sorted(language.MODULES))
def test_a_module_that_we_say_exists_does(name: str) -> None:
    assert ran(f"import {name}").status == "ok"


@pytest.mark.parametrize("name", sorted(language.MISSING_FUNCTIONS))
def test_a_function_that_we_say_is_missing_is(name: str) -> None:
    assert "NameError" in ran(f"{name}()").message


@pytest.mark.capability("C72")
@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("a = 1\ndel a.b", 2),
        ("a = [1]\ndel a[::2]", 2),
        ("import uuid, socket", 1),
        ("def f():\n    yield 1", 2),
        ("\nclass A(dict): pass", 2),
        ("class A:\n    @property\n    def a(self): return 1", 1),
        ("from uuid import uuid1", 1),
        ("from math import *", 1),
        ("f = ctx.get_variable", 1),
        ("print(callable(1))", 1),
    ],
)
def test_what_the_sandbox_lacks_is_known_before_it_runs(script: str, line: int) -> None:
    assert [gap.line for gap in language.gaps(script)] == [line]


def test_a_script_within_the_language_has_no_gaps() -> None:
    assert language.gaps("import json\nx = ctx.get_variable('a')\nctx.set_variable('b', json.dumps(x))") == []


FORKS = """
import os, sys
from shared.scripting import catalogue
from shared.scripting.runner import Host, run
run("1", Host({}))
child = os.fork()
if child == 0:
    try:
        run("1", Host({}))
    except RuntimeError:
        os._exit(7)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_pool_opened_before_a_fork_is_refused_by_the_child() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKS], cwd=ROOT_OF_PROJECT, timeout=30)
    assert done.returncode == 7


HOARDS = """
from contextlib import suppress
from pydantic_monty import OSPolicy
from shared.scripting import sandbox
sandbox.CHECKOUT_SECONDS = 0.5
held = {depth: [] for depth in range(4)}
for depth in held:
    with suppress(TimeoutError):
        for _ in range(10):
            held[depth].append(session := sandbox.checkout(OSPolicy(), depth).__enter__())
            session.feed_start("1")
print(sum(len(sessions) - 1 for sessions in held.values()))  # the last of each waited in vain
"""


def test_all_depths_together_have_no_more_processes_than_the_operator_allows() -> None:
    environment = {**os.environ, "PERSONAE_SCRIPT_PROCESSES": "8"}
    command = [sys.executable, "-W", "ignore", "-c", HOARDS]
    done = subprocess.run(command, cwd=ROOT_OF_PROJECT, env=environment, stdout=subprocess.PIPE, text=True, timeout=30)
    assert 0 < int(done.stdout) <= 8


@pytest.mark.parametrize("total", [4, 8, 16, 64])
def test_every_depth_has_a_process(total: int) -> None:
    shares = [processes_at(depth, total) for depth in range(DEEPEST + 1)]
    assert min(shares) > 0
    assert sum(shares) == total
