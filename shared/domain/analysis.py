"""What a module's script calls, read from its syntax tree: comments, strings and like names count for nothing. Pure."""

import ast
from collections.abc import Iterator

from typing_extensions import TypedDict

CONTEXT = "ctx"
# A module that another runs may ask the model: whoever runs modules does so where that is allowed.
AI_FUNCTIONS = frozenset({"generate", "reflect", "run_module"})
_HIGH, _MEDIUM = 6, 3
_ARGUMENT = "an argument of some call"  # stands among the names of variables, and can be none


class ScriptGap(TypedDict):
    """Something that a script uses and the sandbox's Python lacks."""

    line: int
    message: str


class ScriptAnalysis(TypedDict, total=False):
    """What the syntax of a script tells (seed 001's keys, and `language_gaps`)."""

    requires_ai_inference: bool
    uses_generate: bool
    uses_reflect: bool
    uses_other_plugins: bool
    detected_functions: list[str]
    ai_function_calls: list[str]
    plugin_function_calls: list[str]
    estimated_complexity: str  # low, medium, high; unknown where the script cannot be read
    line_count: int
    function_count: int
    has_loops: bool
    has_conditionals: bool
    analysis_success: bool
    error_message: str | None
    language_gaps: list[ScriptGap]
    analyzed_at: str  # ISO 8601


def analyze(script: str | None) -> ScriptAnalysis:
    """Return seed 001's analysis of a script; one that cannot be read needs no AI and says why."""
    try:
        tree = ast.parse(script or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return _report([], script or "") | {
            "estimated_complexity": "unknown",
            "analysis_success": False,
            "error_message": str(error),
        }
    nodes = list(ast.walk(tree))
    return _report(nodes, script or "")


def faults_of_script(analysis: ScriptAnalysis) -> list[str]:
    """Say in a sentence each why an analysed script cannot run: it is no Python, or the sandbox lacks what it uses."""
    if (error := analysis.get("error_message")) is not None:
        return [f"the script cannot be read: {error}"]
    return [f"the script will fail: line {gap['line']}: {gap['message']}" for gap in analysis.get("language_gaps", ())]


def _report(nodes: list[ast.AST], script: str) -> ScriptAnalysis:
    used = sorted(set(_context_functions(nodes)))
    ai = [name for name in used if name in AI_FUNCTIONS]
    plugins = [name for name in used if name not in AI_FUNCTIONS]
    lines = sum(1 for line in script.splitlines() if line.strip())
    has_loops = _any(nodes, ast.For, ast.While)
    has_conditionals = _any(nodes, ast.If)
    return {
        "requires_ai_inference": bool(ai),
        "uses_generate": "generate" in ai,
        "uses_reflect": "reflect" in ai,
        "uses_other_plugins": bool(plugins),
        "detected_functions": used,
        "ai_function_calls": ai,
        "plugin_function_calls": plugins,
        "estimated_complexity": _complexity(lines, len(used), has_loops=has_loops, has_conditionals=has_conditionals),
        "line_count": lines,
        "function_count": len(used),
        "has_loops": has_loops,
        "has_conditionals": has_conditionals,
        "analysis_success": True,
        "error_message": None,
    }


def _any(nodes: list[ast.AST], *kinds: type[ast.AST]) -> bool:
    return any(isinstance(node, kinds) for node in nodes)


def _context_functions(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield every name taken from the context, called or only passed on: an alias is used later."""
    contexts = _names_of_the_context(nodes)
    for node in nodes:
        if isinstance(node, ast.Attribute) and _name(node.value) in contexts:
            yield node.attr
        elif isinstance(node, ast.Call) and (name := _got_by_name(node, contexts)) is not None:
            yield name


def _names_of_the_context(nodes: list[ast.AST]) -> set[str]:
    """Return `ctx` and every variable that may hold it, through any number of steps."""
    targets: dict[str, list[str]] = {}
    for target, source in (pair for node in nodes for pair in _flows(node)):
        targets.setdefault(source, []).append(target)
    names, unseen = {CONTEXT}, [CONTEXT]
    while unseen:  # each flow is followed once: a chain of aliases as long as the script costs no more than reading it
        new = [target for target in targets.pop(unseen.pop(), ()) if target not in names]
        names.update(new)
        unseen.extend(new)
    return names


def _flows(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield (target, source) of each assignment of a plain name; what is handed to a call may reach any parameter."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and (source := _name(node.value)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from ((target, source) for target in map(_name, targets) if target)
    elif isinstance(node, ast.Call):
        handed = [*node.args, *(keyword.value for keyword in node.keywords)]
        yield from ((_ARGUMENT, name) for name in map(_name, handed) if name)
    elif isinstance(node, ast.arg):
        yield node.arg, _ARGUMENT


def _name(node: ast.expr | None) -> str | None:
    """Return the variable that an expression is, seeing through `(name := …)`."""
    if isinstance(node, ast.NamedExpr):
        node = node.target
    return node.id if isinstance(node, ast.Name) else None


def _got_by_name(call: ast.Call, contexts: set[str]) -> str | None:
    """Return the name in `getattr(ctx, "name")`, or None for any other call."""
    if not (isinstance(call.func, ast.Name) and call.func.id == "getattr" and len(call.args) >= 2):
        return None
    holder, name = call.args[:2]
    if _name(holder) in contexts and isinstance(name, ast.Constant) and isinstance(name.value, str):
        return name.value
    return None


def _complexity(lines: int, calls: int, *, has_loops: bool, has_conditionals: bool) -> str:
    score = _points(lines, (50, 20, 5)) + _points(calls, (10, 5, 2)) + 2 * has_loops + has_conditionals
    if score >= _HIGH:
        return "high"
    return "medium" if score >= _MEDIUM else "low"


def _points(value: int, limits: tuple[int, int, int]) -> int:
    """Return 3, 2 or 1 for a value above the first, second or third limit, else 0."""
    return next((points for points, limit in zip((3, 2, 1), limits, strict=True) if value > limit), 0)
