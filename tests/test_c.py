"""The C tests: plain, under AddressSanitizer and UndefinedBehaviorSanitizer, and under Valgrind."""

import platform
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = sorted(p.stem for p in (ROOT / "tests" / "c").glob("test_*.c"))
COMPILER = shutil.which("gcc") or shutil.which("cc")
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-pthread", "-fopenmp", "-g"]

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler: the C tests cannot be built")


def levels():
    """What setup.py says: folders compiled per instruction level, the flags of each, which files keep exact sums."""
    import setuptools

    run, setuptools.setup = setuptools.setup, lambda **_: None
    try:
        build = runpy.run_path(str(ROOT / "setup.py"))
    finally:
        setuptools.setup = run
    return build["LEVELLED"], build["levels"](), build["exact"]


@pytest.fixture(scope="session")
def archives(tmp_path_factory):
    """A function that gives the core as a static library, compiled once per set of flags."""
    made = {}

    def get(name, flags):
        if name not in made:
            made[name] = build_core(tmp_path_factory.mktemp(name), flags)
        return made[name]

    return get


def build_core(folder, flags):
    levelled, table, keeps_exact = levels()
    defines = [f"-DVN_HAS_{name.upper()}=1" for name in table]
    objects = []
    for source in sorted((ROOT / "csrc").rglob("*.c")):
        relative = source.relative_to(ROOT / "csrc")
        if relative.parts[0] == "py":
            continue
        exact = ["-ffp-contract=off"] if keeps_exact(str(Path("csrc") / relative)) else []
        for level, extra in (table.items() if relative.parts[0] in levelled else [("", [])]):
            target = folder / f"{'_'.join(relative.with_suffix('').parts)}_{level}.o"
            define = [f"-DVN_LEVEL={level}"] if level else []
            command = [COMPILER, "-c", source, "-o", target, *FLAGS, *flags, *defines, *define, *extra, *exact]
            subprocess.run(list(map(str, command)), check=True)
            objects.append(target)
    archive = folder / "libcore.a"
    subprocess.run(["ar", "rcs", str(archive), *map(str, objects)], check=True)
    return archive


def build(program, archive, folder, flags):
    out = folder / program
    source = ROOT / "tests" / "c" / f"{program}.c"
    subprocess.run([COMPILER, str(source), str(archive), "-o", str(out), *FLAGS, *flags, "-lm", "-ldl"], check=True)
    return out


def run(command, **environment):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=1200,
        env={"OMP_WAIT_POLICY": "passive", "PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_plain(program, archives, tmp_path):
    flags = ["-O2"]
    run([build(program, archives("plain", flags), tmp_path, flags)])


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_sanitizers(program, archives, tmp_path):
    flags = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
    binary = build(program, archives("sanitizers", flags), tmp_path, flags)
    run([binary], ASAN_OPTIONS="detect_leaks=1", UBSAN_OPTIONS="print_stacktrace=1")


@pytest.mark.slow
@pytest.mark.skipif(platform.system() != "Linux", reason="Valgrind runs on Linux")
@pytest.mark.parametrize("program", PROGRAMS)
def test_valgrind(program, archives, tmp_path):
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("valgrind is not installed")
    flags = ["-O1"]
    binary = build(program, archives("valgrind", flags), tmp_path, flags)
    suppressions = ROOT / "tests" / "c" / "valgrind.supp"
    run([valgrind, "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite", "-q",
         f"--suppressions={suppressions}", binary])  # fmt: skip
