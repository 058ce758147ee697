"""`--capabilities`: print each row of the capability table, the tests that prove it, and their result."""

import re
from collections import defaultdict

import pytest

_tests: dict[str, set[str]] = defaultdict(set)
_failed: set[str] = set()
_passed: set[str] = set()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--capabilities", action="store_true", help="print each capability row, its tests, their result")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("capability"):
            for row in mark.args:
                assert re.fullmatch(r"C\d+", row), f"{item.nodeid}: {row!r} names no row"
                item.user_properties.append(("capability", row))  # reports carry it, from other processes too


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, row in report.user_properties:
        if name == "capability":
            _tests[str(row)].add(report.nodeid)
    if report.failed:
        _failed.add(report.nodeid)
    elif report.when == "call" and report.passed:
        _passed.add(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("--capabilities"):
        return
    terminalreporter.section("capabilities")
    for row in sorted(_tests, key=lambda row: int(row[1:])):
        tests = _tests[row]
        result = "failed" if tests & _failed else "passed" if tests <= _passed else "incomplete"
        terminalreporter.write_line(f"{row:<5} {result:<10} {len(tests)} test{'s' if len(tests) > 1 else ''}")
        for test in sorted(tests):
            terminalreporter.write_line(f"        {'ok  ' if test in _passed - _failed else 'NOT '} {test}")
