"""Documentation is part of the interface: docstrings complete, their examples run, links lead somewhere."""

import ast
import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import re
import types
from pathlib import Path

import pytest

import vlmneg

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    m.name for m in pkgutil.walk_packages(vlmneg.__path__, "vlmneg.")
    if not m.name.startswith("vlmneg.reference") and m.name.rsplit(".", 1)[1] not in ("_core", "__main__")
)  # fmt: skip
DESCRIBED = classmethod | staticmethod | property
SECTIONS = ("Parameters", "Returns", "Yields", "Raises", "Attributes", "See Also", "Notes", "References", "Examples")


def public(module):
    """Functions and classes that a module defines for others, by name."""
    for name, thing in vars(module).items():
        here = getattr(thing, "__module__", None) == module.__name__
        if name[0] != "_" and here and (inspect.isfunction(thing) or inspect.isclass(thing)):
            yield name, thing


def exports(module):
    """Names that a module hands on: its ``__all__``, or what it defines and what it imports ``as`` itself."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    tree = ast.parse(inspect.getsource(module))
    imported = [alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)
                for alias in node.names if alias.asname == alias.name]  # fmt: skip
    return imported + [name for name, _ in public(module)]


def interface(module=vlmneg):
    """What a user of ``import vlmneg`` is meant to reach, by dotted name."""
    found = {}
    for name in exports(module):
        thing = getattr(module, name)
        if isinstance(thing, types.ModuleType):
            found |= interface(thing)
        elif inspect.isfunction(thing) or inspect.isclass(thing):
            found[f"{module.__name__}.{name}"] = thing
    return found


INTERFACE = interface()


def sections(doc):
    """Section heads of a numpydoc docstring, in order, with their text."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.cleandoc(doc or ""), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def parameters(function):
    """Names of the parameters that a caller gives."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return []
    return [p.name for p in signature.parameters.values() if p.name not in ("self", "cls") and p.name[0] != "_"]


def returns(function):
    """Whether a function gives something back, by its annotation."""
    note = inspect.signature(function).return_annotation
    return note not in (None, "None", inspect.Signature.empty)


def documented(text):
    """Names described in a Parameters or Attributes section."""
    heads = re.findall(r"^(\*{0,2}\w[^\n:]*?)\s*(?::|$)", text, re.M)
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    """Every public thing says in one sentence what it is; sections are spelt as numpydoc spells them."""
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not say what it is"
    for label, thing in public(module):
        members = [(label, thing)]
        if inspect.isclass(thing):
            members += [(f"{label}.{k}", getattr(v, "__func__", v)) for k, v in vars(thing).items()
                        if k[0] != "_" and (inspect.isfunction(v) or isinstance(v, DESCRIBED))]  # fmt: skip
        for where, member in members:
            doc = inspect.getdoc(member)
            assert doc, f"{name}.{where} has no docstring"
            assert doc.strip().splitlines()[0].endswith((".", ":", "?")), f"{name}.{where}: no sentence first"
            unknown = set(sections(doc)) - set(SECTIONS)
            assert not unknown, f"{name}.{where}: sections {unknown}"


@pytest.mark.parametrize("where", INTERFACE)
def test_interface_is_described(where):
    """Each parameter of a function, method or class of the interface is in its docstring, and what it returns."""
    thing = INTERFACE[where]
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return
    doc = sections(inspect.getdoc(thing))
    if inspect.isfunction(thing):
        check(where, thing, doc)
        return
    made = thing.__init__ if "__init__" in vars(thing) else None
    if made is not None and inspect.isfunction(made):
        missing = set(parameters(made)) - documented(doc.get("Parameters", "") + "\n" + doc.get("Attributes", ""))
        assert not missing, f"{where}: {sorted(missing)} are not described"
    for name, member in vars(thing).items():
        function = getattr(member, "__func__", member)
        if name[0] != "_" and inspect.isfunction(function) and parameters(function):
            check(f"{where}.{name}", function, sections(inspect.getdoc(function)))


def check(where, function, doc):
    names = set(parameters(function))
    if names:
        assert "Parameters" in doc, f"{where}: its docstring has no section Parameters for {sorted(names)}"
        described = documented(doc["Parameters"])
        assert names <= described, f"{where}: {sorted(names - described)} are not described"
    if returns(function) and len(doc):
        assert "Returns" in doc or "Yields" in doc, f"{where}: its docstring does not say what it returns"


@pytest.mark.parametrize("name", ["vlmneg", *MODULES])
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    threads = vlmneg.num_threads()
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(importlib.import_module(name), optionflags=flags)
    vlmneg.set_num_threads(threads)
    assert result.failed == 0


def pages():
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.md")])


@pytest.mark.parametrize("page", pages(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links(page):
    """Relative links lead to files, and to headings where they name one; files named in tables and text exist."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, heading = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{page.name} links to {target}, which is not there"
        if heading:
            heads = re.findall(r"^#+\s+(.*)$", path.read_text(encoding="utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}
            assert heading in slugs, f"{page.name} links to {target}: no such heading"


@pytest.mark.parametrize("page", pages(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_python_blocks(page, tmp_path, monkeypatch):
    """Python on a page compiles; a block below the comment ``<!-- runs -->`` runs as it stands."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    for marked, block in re.findall(r"^(<!-- runs -->\n)?```python\n(.*?)^```", text, re.M | re.S):
        program = compile(block, str(page), "exec")
        if marked:
            exec(program, {"__name__": "__page__"})


def test_readme_commands():
    """The two commands that the README promises."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python -m pip install . && vlmneg demo" in text
    assert "python -m pip install -e '.[test]' && pytest" in text


def losses_page():
    return (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", vlmneg.losses.TERMS)
def test_page_of_losses_has_every_term(name):
    """A row of its own, and one for each parameter with default, range and meaning as the core has them."""
    lines = losses_page().splitlines()
    assert any(line.startswith(f"| `{name}` |") and "arXiv" in line for line in lines)
    for p in vlmneg.losses.TERMS[name].params:
        start = f'"{p.start}"' if p.choices else f"{p.start:g}"
        values = ", ".join(p.choices) if p.choices else p.range
        if p.name in ("duplicates", "validity"):
            assert f"`{p.name}={start}` ({values})" in losses_page()
        else:
            assert f"| `{name}` | `{p.name}={start}` | {values} | {p.doc} |" in lines


@pytest.mark.parametrize("name", vlmneg.losses.NAMED)
def test_page_of_losses_has_every_objective(name):
    """What it is made of, and its parameters with their defaults."""
    given = inspect.signature(vlmneg.losses.NAMED[name]).parameters.values()
    given = [f"`{p.name}={p.default!r}`".replace("'", '"') for p in given if p.name not in ("compat", "params")]
    assert f"| `{name}` | {', '.join(given)} | `{vlmneg.losses.get(name)!r}` |" in losses_page().splitlines()


def test_page_of_losses_shows_what_is_printed():
    program, want = re.search(r"<!-- prints -->\n```python\n(.*?)```\n\n```\n(.*?)```", losses_page(), re.S).groups()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(program, "losses.md", "exec"), {"__name__": "__page__"})
    assert out.getvalue() == want
