"""Names that must not be used: the linter finds each of them, and what it cannot see is looked for here."""

import ast

import pytest

from tests.architecture.tree import ROOT, calls, copy_tree, python_files

BANNED = [
    ("import asyncio\n\n\nasync def go() -> None:\n    asyncio.create_task(go())", "TID251"),
    ("import asyncio\n\n\nasync def go() -> None:\n    asyncio.ensure_future(go())", "TID251"),
    ("import asyncio\n\n\nasync def go() -> None:\n    await asyncio.gather(go())", "TID251"),
    ("from qasync import asyncSlot", "TID251"),
    ("from qasync import asyncClose", "TID251"),
    ("from datetime import datetime\n\nnow = datetime.now()", "TID251"),
    ("from datetime import datetime\n\nnow = datetime.utcnow()", "TID251"),
    ("import time\n\nnow = time.time()", "TID251"),
    ("import time\n\nnow = time.time_ns()", "TID251"),
    ("import time\n\ntime.sleep(1)", "TID251"),
    ("print('hello')", "T201"),
    ("def unexplained() -> None:\n    return None", "D103"),
]
NAMES = [text.splitlines()[-1].strip() for text, _ in BANNED]


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the linter says of a copy of the tree with every banned name planted, each in a file of its own."""
    copy = copy_tree(tmp_path_factory.mktemp("planted"))
    for number, (text, _) in enumerate(BANNED):
        copy.plant(f"core/planted_{number}.py", text)
    done = copy.run("-m", "ruff", "check", "--no-cache", "--output-format", "concise", "core")
    assert done.returncode == 1
    return done.stdout.replace("\\", "/").splitlines()


@pytest.mark.parametrize(("number", "code"), [(number, code) for number, (_, code) in enumerate(BANNED)], ids=NAMES)
def test_the_linter_finds_it(findings: list[str], number: int, code: str) -> None:
    assert any(line.startswith(f"core/planted_{number}.py:") and f" {code} " in line for line in findings), findings


def test_only_the_clock_may_say_otherwise() -> None:
    """An excuse from the ban on time and unowned tasks stands nowhere but in the clock."""
    excused = {
        path.relative_to(ROOT).as_posix()
        for path in python_files("app", "core", "ui")
        if any("noqa" in line and "TID251" in line for line in path.read_text(encoding="utf-8").splitlines())
    }
    assert excused <= {"core/clock/realtime.py"}


def test_nothing_nests_the_loop() -> None:
    """No `exec()` of a dialog or menu and no `processEvents`: both run a loop inside the loop."""
    nested = [
        where
        for where, call in calls("app", "ui")
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"exec", "exec_", "processEvents"}
    ]
    assert nested == []


def test_only_the_scope_makes_tasks_of_the_loop() -> None:
    """`loop.create_task` stands in the two classes that own tasks; elsewhere a TaskGroup's method is meant."""
    made = {
        where.partition(":")[0]
        for where, call in calls("app", "core", "ui")
        if isinstance(call.func, ast.Attribute) and call.func.attr == "create_task" and "loop" in ast.unparse(call.func.value)
    }
    assert made <= {"ui/tasks.py", "core/runs/supervisor.py"}
