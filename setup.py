"""Builds the extension vlmneg._core and copies OpenBLAS into the package. Metadata is in pyproject.toml.

Environment: VLMNEG_BLAS=openblas|builtin chooses the GEMM (else OpenBLAS where its wheel exists); VLMNEG_OPENMP=0
builds for one thread; VLMNEG_DEV=1 makes warnings errors; VLMNEG_DEBUG=1 builds -O0 -g;
VLMNEG_SANITIZE=address,undefined adds sanitizers; MAX_JOBS bounds parallel compiles.
"""

import importlib.metadata
import os
import platform
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Command, Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
CSRC = ROOT / "csrc"
BLAS_FILE, BLAS_LICENCE = "libvlmneg_blas.so", "LICENSE.openblas"

# Compiled once per instruction level; everything else once.
LEVELLED = ("gemm", "ops", "tiles", "losses", "backend.c")
LEVEL_FLAGS = {
    "x86_64": {
        "baseline": [],
        "avx2": ["-mavx2", "-mfma"],
        "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma",
                   "-mprefer-vector-width=512"],
    },
}
WARNINGS = ["-Wall", "-Wextra", "-Wshadow"]
STRICT = ["-Wpedantic", "-Wmissing-prototypes", "-Wstrict-prototypes"]


def sources(folder):
    """C files of the core in a fixed order, relative to the root as setuptools wants them."""
    return sorted(str(p.relative_to(ROOT)) for p in (CSRC / folder).rglob("*.c"))


def levels():
    machine = {"AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    return LEVEL_FLAGS.get(machine, {"baseline": []})


def is_levelled(source):
    return Path(source).relative_to("csrc").parts[0] in LEVELLED


def exact(source):
    """Files whose arithmetic must be the same bits everywhere: another program's, or one that decides ties."""
    return Path(source).relative_to("csrc").parts[0] in ("image", "scores")


def stale(target, depfile, flags_file, flags):
    """Whether an object must be compiled again: older than a file it was made from, or made with other flags."""
    if not (target.exists() and depfile.exists() and flags_file.exists() and flags_file.read_text() == flags):
        return True
    made = target.stat().st_mtime
    names = depfile.read_text().replace("\\\n", " ").split(":", 1)[1].split()
    return any(not os.path.exists(n) or os.path.getmtime(n) > made for n in names)


class BuildCore(build_ext):
    """Compiles backend files once per instruction level, with dependency files, and links all into _core."""

    def build_extension(self, ext):
        common = ["-std=c11", "-O3", "-fno-math-errno", "-fvisibility=hidden", "-pthread", *WARNINGS]
        if os.environ.get("VLMNEG_DEBUG") == "1":
            common += ["-O0", "-g"]
        if os.environ.get("VLMNEG_DEV") == "1":
            common += ["-Werror"]
        sanitize = os.environ.get("VLMNEG_SANITIZE")
        if sanitize:
            common += [f"-fsanitize={sanitize}", "-fno-omit-frame-pointer", "-g"]
        openmp = [] if os.environ.get("VLMNEG_OPENMP") == "0" else self.probe(["-fopenmp"])
        jobs = []
        macros = [(f"VN_HAS_{name.upper()}", "1") for name in levels()]
        for source in ext.sources:
            strict = [] if source.startswith(os.path.join("csrc", "py")) else STRICT
            contract = ["-ffp-contract=off"] if exact(source) else ["-ffp-contract=fast"]
            # nobody reads the floating-point flags, and loops with a choice in them become vector code
            contract += ["-fno-trapping-math"] if is_levelled(source) else []
            for level, flags in (levels().items() if is_levelled(source) else [(None, [])]):
                defines = macros + ([("VN_LEVEL", level)] if level else [])
                jobs.append((source, level or "common", defines, common + strict + contract + openmp + flags))
        workers = int(os.environ.get("MAX_JOBS") or os.cpu_count() or 1)
        with ThreadPoolExecutor(workers) as pool:
            objects = list(pool.map(lambda job: self.compile(ext, *job), jobs))
        link = ["-pthread", *openmp] + ([f"-fsanitize={sanitize}"] if sanitize else [])
        self.compiler.link_shared_object(objects, self.get_ext_fullpath(ext.name), libraries=["m", "dl"],
                                         extra_postargs=link, target_lang="c")
        print(f"vlmneg: built _core with levels {', '.join(levels())}; "
              f"{'OpenMP' if openmp else 'no OpenMP: one thread'}")

    def compile(self, ext, source, folder, macros, flags):
        out = Path(self.build_temp) / folder
        target = out / Path(source).with_suffix(".o")
        depfile, flags_file = target.with_suffix(".d"), target.with_suffix(".flags")
        text = repr((macros, flags, self.compiler.compiler_so, ext.include_dirs))
        if stale(target, depfile, flags_file, text):
            self.compiler.compile([source], output_dir=str(out), macros=macros, include_dirs=ext.include_dirs,
                                  extra_postargs=[*flags, "-MMD", "-MF", str(depfile)])
            flags_file.write_text(text)
        return str(target)

    def probe(self, flags):
        """The flags if the compiler takes and links them, else none."""
        folder = Path(self.build_temp)
        folder.mkdir(parents=True, exist_ok=True)
        test = folder / "probe.c"
        test.write_text("int main(void) { return 0; }\n")
        try:
            objects = self.compiler.compile([str(test)], output_dir=str(folder / "probe"), extra_postargs=flags)
            self.compiler.link_executable(objects, str(folder / "probe" / "probe"), extra_postargs=flags)
            return flags
        except Exception:
            return []


class BuildBlas(Command):
    """Copies the library of the scipy-openblas32 wheel, and its licence, into vlmneg/lib.

    The copy has a name and symbols of its own, so no other setting of threads reaches it.
    """

    description = "copy OpenBLAS into the package"
    user_options = []
    editable_mode = False

    def initialize_options(self):
        self.build_lib = None

    def finalize_options(self):
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def folder(self):
        inplace = self.editable_mode or self.get_finalized_command("build_ext").inplace
        return ROOT / "vlmneg" / "lib" if inplace else Path(self.build_lib) / "vlmneg" / "lib"

    def wheel(self):
        """The library and the licence texts in the installed wheel; None where the built-in GEMM is to serve."""
        choice = os.environ.get("VLMNEG_BLAS", "")
        if choice not in ("", "openblas", "builtin"):
            raise SystemExit(f"VLMNEG_BLAS must be openblas or builtin, got {choice!r}")
        if choice == "builtin":
            return None
        try:
            files = importlib.metadata.files("scipy-openblas32") or []
        except importlib.metadata.PackageNotFoundError:
            files = []
        found = [f for f in files if f.name.startswith("libscipy_openblas") and ".so" in f.name]
        if found:
            return found[0], [f for f in files if "LICENSE" in f.name.upper()]
        if choice == "openblas":
            raise SystemExit("VLMNEG_BLAS=openblas needs the package scipy-openblas32, which is not installed")
        return None

    def run(self):
        folder, wheel = self.folder(), self.wheel()
        shutil.rmtree(folder, ignore_errors=True)  # an earlier build may have chosen otherwise
        if wheel is None:
            print("vlmneg: no OpenBLAS: the built-in GEMM is used")
            return
        library, licences = wheel
        folder.mkdir(parents=True)
        shutil.copyfile(library.locate(), folder / BLAS_FILE)
        text = "\n\n".join(Path(f.locate()).read_text(encoding="utf-8") for f in licences)
        (folder / BLAS_LICENCE).write_text(text, encoding="utf-8")
        print(f"vlmneg: OpenBLAS {importlib.metadata.version('scipy-openblas32')} copied to {folder}")

    def get_source_files(self):
        return []

    def get_outputs(self):
        """The files as a wheel would hold them."""
        if self.wheel() is None:
            return []
        return [str(Path(self.build_lib) / "vlmneg" / "lib" / name) for name in (BLAS_FILE, BLAS_LICENCE)]

    def get_output_mapping(self):
        """Where each of them is, when that is the source tree."""
        if not self.editable_mode:
            return {}
        return {path: str(self.folder() / Path(path).name) for path in self.get_outputs()}


class Build(build):
    sub_commands = [*build.sub_commands, ("build_blas", None)]

    def run(self):
        # setuptools adds to what an earlier build left here, modules that are gone among it
        shutil.rmtree(Path(self.build_lib) / "vlmneg", ignore_errors=True)
        super().run()


def numpy_headers():
    import numpy

    return numpy.get_include()


core = Extension("vlmneg._core", sources=[s for f in sorted(p.name for p in CSRC.iterdir() if p.is_dir())
                                          for s in sources(f)] +
                 sorted(str(p.relative_to(ROOT)) for p in CSRC.glob("*.c")),
                 include_dirs=[numpy_headers()],
                 depends=sorted(str(p.relative_to(ROOT)) for p in CSRC.rglob("*") if p.suffix in (".h", ".def")))

setup(ext_modules=[core], cmdclass={"build": Build, "build_ext": BuildCore, "build_blas": BuildBlas})
