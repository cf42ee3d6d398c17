"""Generators by name: the package's, registered ones, and those of installed packages, broken ones too."""

import subprocess
import sys
import textwrap

import pytest

import vlmneg as vn
from vlmneg import negatives
from vlmneg.negatives import registry


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with three entry points, one of which can't be imported."""
    (tmp_path / "borrowed.py").write_text(textwrap.dedent('''
        import numpy as np
        from vlmneg.negatives import Negatives

        class louder(Negatives):
            name = "louder"

            def __init__(self, *, k=1, mark="!"):
                super().__init__(k=k, mark=mark)

            def draw(self, request, taken, first):
                made = [["not " + c + self.parameters["mark"]] * self.k for c in request.captions]
                return made, [["louder"] * self.k for _ in made], np.zeros((len(made), self.k), np.uint8)
    '''))
    (tmp_path / "torn.py").write_text("import a_package_that_is_not_there\n")
    info = tmp_path / "borrowed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: borrowed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[vlmneg.negatives]\ntext.louder = borrowed:louder\n"
                                           "text.torn = torn:anything\nimage.gone = borrowed:missing\n"
                                           "odd = borrowed:louder\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("borrowed", None)


def test_entry_points(installed):
    before = set(sys.modules)
    assert {"text.louder", "text.torn", "image.gone", "text.swap"} <= set(negatives.names())
    assert "louder" in negatives.names("text") and "odd" not in negatives.names()
    assert "borrowed" not in set(sys.modules) - before       # listing imports nothing
    made = negatives.get("text.louder", mark="?")(["a dog"])
    assert made.text == [["not a dog?"]] and made.edits[0][0]
    both = negatives.recipe(["louder", {"name": "swap", "k": 1}])
    assert both(["a red dog on a blue sofa"]).valid.tolist() == [[1, 1]]
    assert negatives.mix(negatives.get("louder"), negatives.text.swap(), k=2)(["a red dog on a blue sofa"]).valid.all()


def test_a_broken_plug_in_breaks_only_itself(installed):
    with pytest.raises(ValueError, match="text.torn of torn:anything can't be imported: ModuleNotFoundError"):
        negatives.get("text.torn")
    with pytest.raises(ValueError, match="image.gone of borrowed:missing can't be imported: AttributeError"):
        negatives.get("image.gone")
    assert negatives.get("text.swap", k=1).k == 1


def test_a_plug_in_through_the_command_line(installed):
    (installed / "c.txt").write_text("a red dog on a blue sofa\n")
    (installed / "r.toml").write_text('negatives = [{ name = "text.louder", k = 1 }]')
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from vlmneg.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, "negatives", str(installed / "c.txt"), "--recipe",
                           str(installed / "r.toml")], capture_output=True, text=True)
    assert done.returncode == 0 and "louder: not a red dog on a blue sofa!" in done.stdout, done.stderr


def test_register(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})

    class mine(negatives.Negatives):
        name = "mine"

        def __init__(self, *, k=1):
            super().__init__(k=k)

    assert negatives.register("text")(mine) is mine and negatives.find("mine") is mine
    assert "text.mine" in negatives.names()
    mine.name = "swap"
    with pytest.raises(ValueError, match="generator of the package"):
        negatives.register("text")(mine)
    mine.name = "two words"
    with pytest.raises(ValueError, match="identifier"):
        negatives.register("text")(mine)
    with pytest.raises(ValueError, match="modality must be"):
        vn.negatives.names("sound")
    with pytest.raises(ValueError, match="there are no negatives 3"):
        vn.negatives.find(3)


def test_text_comes_first_where_two_have_a_name():
    assert vn.negatives.find("swap") is vn.negatives.text.swap
    assert vn.negatives.find("image.swap") is vn.negatives.image.swap
    assert vn.negatives.find("recolour") is vn.negatives.image.recolour
    with pytest.raises(vn.settings.SettingsError, match="take two recipes"):
        vn.negatives.recipe(["text.swap", "image.recolour"])
