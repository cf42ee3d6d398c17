"""What may include, call and import what, as in docs/architecture.md, and the numbers of its style.

Whoever changes the picture changes both.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CSRC = ROOT / "csrc"
PACKAGE = ROOT / "vlmneg"

# folder of csrc: what its files may include, folders or files. "" is csrc itself, the contracts; see CONTRACTS.
MAY = {
    "core": {"core"},
    "gemm": {"core", "gemm", "vn_backend.h"},
    "ops": {"core", "ops", "vn_backend.h", "gemm/vn_gemm.h"},
    "tiles": {"core", "tiles", "vn_backend.h", "vn_term.h", "vn_embed.h", "vn_registry.def", "gemm/vn_gemm.h"},
    "losses": {"core", "losses", "vn_term.h", "vn_term_body.h"},
    "text": {"core", "text"},
    "image": {"core", "image"},
    "scenes": {"core", "scenes"},
    "scores": {"core", "scores"},
    "negatives": {"core", "negatives", "text", "image", "vn_negative.h", "vn_picture.h", "vn_embed.h",
                  "vn_registry.def"},
    "model": {"core", "model", "vn_backend.h"},
}
CONTRACTS = {
    "vn_backend.h": {"core", "tiles/vn_tiles.h"},
    "vn_term.h": {"core", "vn_backend.h"},
    "vn_term_body.h": {"tiles/vn_term_loops.h"},
    "vn_embed.h": {"core", "vn_term.h"},
    "vn_negative.h": {"core", "text/vn_text.h"},
    "vn_picture.h": {"core", "image/vn_paint.h"},
    "vn_registry.def": set(),
    "vn_levels.c": {"vn_backend.h"},
    "backend.c": {"vn_backend.h", "gemm/vn_gemm.h"},
}
# system headers and calls that stand in one place
ONLY = {
    r"#include\s*<Python\.h>": {"py/vnpy.h"},
    r"#include\s*[<\"]numpy/": {"py/vnpy.h"},
    r"#\s*pragma\s+omp|#include\s*<omp\.h>|\bomp_\w+\s*\(": {"core/parallel.c"},
    r"\bpthread_\w+\s*\(": {"core/parallel.c"},
    r"\b(dlopen|dlsym|LoadLibraryA?)\s*\(": {"core/library.c"},
    r"\bfopen\s*\(": {"core/parallel.c"},
    r"\bgetenv\s*\(": {"py/levels.c"},
    r"\b(mmap|munmap)\s*\(": {"core/arena.c"},
    r"\b(printf|fprintf|puts|perror|exit|_exit|abort|assert|signal|srand|rand|time|system)\s*\(": set(),
}
# The backend: compiled per instruction level. It works in what it is given.
BACKEND = {"gemm", "ops", "tiles", "losses"}
ALLOCATES = re.compile(r"\b(malloc|calloc|realloc|aligned_alloc|posix_memalign|strdup|free|alloca)\s*\(")

C_LINES, C_FUNCTION, C_COLUMNS, FIRST_COMMENT = 300, 60, 120, 12


def c_files(*suffixes):
    return sorted(p for p in CSRC.rglob("*") if p.suffix in (suffixes or (".c", ".h")))


def name(path):
    return path.relative_to(CSRC).as_posix()


def code(path):
    """The text with comments and the contents of strings blanked, lines kept."""
    blank = re.compile(r'/\*.*?\*/|//[^\n]*|(?<!include )"(?:\\.|[^"\\\n])*"', re.S)
    return blank.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), path.read_text(encoding="utf-8"))


def includes(path):
    """Files of ours that a file includes, relative to csrc."""
    for line in path.read_text(encoding="utf-8").splitlines():
        m = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if m:
            yield (path.parent / m[1]).resolve().relative_to(CSRC).as_posix()


@pytest.mark.parametrize("path", c_files(), ids=name)
def test_includes(path):
    where = name(path)
    folder = where.split("/")[0] if "/" in where else ""
    if folder == "py":
        return
    assert folder in MAY or where in CONTRACTS, f"csrc/{where}: add its rule here and to docs/architecture.md"
    allowed = MAY[folder] if folder else CONTRACTS[where]
    for target in includes(path):
        assert (CSRC / target).is_file(), f"{where} includes {target}, which is not there"
        assert target in allowed or target.split("/")[0] in allowed, f"{where} may not include {target}"
        assert not target.endswith(".c"), f"{where} includes a source file"


@pytest.mark.parametrize("path", c_files(), ids=name)
def test_one_place(path):
    where, text = name(path), code(path)
    for pattern, places in ONLY.items():
        found = re.search(pattern, text)
        assert found is None or where in places, f"{where} uses {found[0]!r}, which belongs to {sorted(places)}"
    if where.split("/")[0] in BACKEND:
        assert not ALLOCATES.search(text), f"{where}: operations allocate nothing"


def test_operations_meet_in_the_table():
    """An operation calls another through VN_CALL, never by its name in its own level."""
    ops = operations()
    for path in c_files(".c"):
        if name(path).split("/")[0] not in BACKEND:
            continue
        defined = set(re.findall(r"^VN_FN\((\w+)\)\(", code(path), re.M))
        used = set(re.findall(r"VN_FN\((\w+)\)", code(path)))
        strangers = (used - defined) & ops
        assert not strangers, f"{name(path)} calls {sorted(strangers)} directly"


def operations():
    text = (CSRC / "vn_backend.h").read_text()
    table = re.search(r"#define VN_OPS\(X\)(.*?)\n\n", text, re.S)[1]
    return set(re.findall(r"X\((\w+)\)", table))


def test_every_operation_has_its_file_twin_and_test():
    stems = {p.stem for p in (CSRC / "ops").glob("*.c")}
    twins = functions("ops") | functions("optim") | functions("local")
    tests = "".join(p.read_text() for p in (ROOT / "tests").glob("test_*.py"))
    defined = {stem: set(re.findall(r"^VN_FN\((\w+)\)\(", code(CSRC / "ops" / f"{stem}.c"), re.M)) for stem in stems}
    assert set().union(*defined.values()) >= operations(), "an operation of the contract has no definition in csrc/ops"
    for stem, here in defined.items():
        assert any(twin.split("_")[0] == stem for twin in twins), f"csrc/ops/{stem}.c has no twin"
        assert any(re.search(rf"_core\.{f.removesuffix('_update')}\b", tests) for f in here), f"{stem} has no test"


def functions(module):
    tree = ast.parse((PACKAGE / "reference" / f"{module}.py").read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_registry_line_has_its_file_and_twin():
    registry = (CSRC / "vn_registry.def").read_text()
    for kind, folder, module in (("VN_TERM", "losses", "losses"), ("VN_TEXT", "negatives/text", "negatives"),
                                 ("VN_IMAGE", "negatives/image", "image_negatives"),
                                 ("VN_EMBED", "negatives/embed", "embed_negatives")):
        listed = re.findall(rf"^{kind}\((\w+)", registry, re.M)
        if not listed:
            continue
        assert len(listed) == len(set(listed))
        for stem in listed:
            assert (CSRC / folder / f"{stem}.c").is_file(), f"{kind}({stem}) has no csrc/{folder}/{stem}.c"
            twin = PACKAGE / "reference" / module
            found = (twin / f"{stem}.py").is_file() if twin.is_dir() else any(
                f.startswith(stem) for f in functions(module))
            assert found, f"{kind}({stem}) has no twin"
        assert {p.stem for p in (CSRC / folder).glob("*.c")} == set(listed), f"csrc/{folder} and {kind} differ"
    streams = [int(n) for n in re.findall(r"^VN_(?:TEXT|IMAGE|EMBED)\(\w+,\s*(\d+)\)", registry, re.M)]
    assert len(streams) == len(set(streams)), "two negatives share a random stream"


@pytest.mark.parametrize("path", c_files(), ids=name)
def test_style_card(path):
    where, lines = name(path), path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= C_LINES, f"{where} has {len(lines)} lines, at most {C_LINES}"
    wide = [i + 1 for i, line in enumerate(lines) if len(line) > C_COLUMNS]
    assert not wide, f"{where}: lines {wide} are over {C_COLUMNS} columns"
    assert lines[0].startswith("/*"), f"{where} does not say what it is"
    first = next(i for i, line in enumerate(lines) if "*/" in line) + 1
    assert first <= FIRST_COMMENT, f"{where}: the first comment has {first} lines, at most {FIRST_COMMENT}"
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line == "}" and start is not None:
            assert i - start - 1 <= C_FUNCTION, f"{where}:{start + 1}: a function of {i - start - 1} lines"
            start = None


def imports(path, everywhere=True):
    """Modules that a Python file imports, absolute; only those at import time unless everywhere."""
    package = path.relative_to(ROOT).with_suffix("").parts
    tree = ast.parse(path.read_text(encoding="utf-8"))
    todo, found = list(tree.body), set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) + "." if node.level else ""
            found |= {f"{base}{node.module or ''}.{alias.name}".replace("..", ".") for alias in node.names}
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if everywhere or not (later or typing):
            todo += ast.iter_child_nodes(node)
    return found


def python_files():
    return sorted(PACKAGE.rglob("*.py"))


def module(path):
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", python_files(), ids=module)
def test_python_imports(path):
    """Twins know NumPy only; nobody knows the twins; importing vlmneg needs no optional package."""
    if "reference" in path.parts:
        for name in imports(path):
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names or top == "numpy" or name.startswith("vlmneg.reference"), name
        return
    assert not [n for n in imports(path) if n.startswith("vlmneg.reference")], "public modules never import the twins"
    needed = {"numpy", "PIL", "safetensors", "tomli", "tomllib", "vlmneg", "__future__"}
    for name in imports(path, everywhere=False):
        top = name.split(".")[0]
        assert top in sys.stdlib_module_names or top in needed, f"{module(path)} imports {top} when it is imported"


def test_import_is_light():
    """Importing vlmneg imports no optional package, prints nothing and starts no thread."""
    script = (
        "import sys, threading, vlmneg\n"
        "heavy = {'torch', 'transformers', 'open_clip', 'matplotlib', 'ftfy', 'huggingface_hub', 'tqdm', 'jax'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert threading.active_count() == 1\n"
        "assert not [m for m in sys.modules if m.startswith('vlmneg.reference')]\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""


def tracked():
    """Files of the project: what git tracks, or where there is no git, all that looks like ours."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
        files = [ROOT / f for f in listed.split("\0") if f]
    except (OSError, subprocess.CalledProcessError):
        files = [p for folder in (CSRC, PACKAGE, ROOT / "tests") for p in folder.rglob("*") if p.suffix != ".so"]
    return [f for f in files if f.is_file()]


def test_no_machine_paths():
    """Nothing that only makes sense on the machine where it was written."""
    # the slash apart, so that this file passes
    here = re.compile("/" + r"(work/|tmp/\w+/|root/\w|home/[a-z]+/|opt/pypi)")
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = here.search(text)
        assert found is None, f"{path.relative_to(ROOT)}: {found[0]}"


def test_no_build_products_are_tracked():
    made = {".so", ".o", ".d", ".pyc", ".whl", ".safetensors"}
    assert not [p for p in tracked() if p.suffix in made and "golden" not in p.parts]
