"""What objectives refuse: places for gradients that are not free, names of slots, states of others, odd arguments."""

import numpy as np
import pytest
from loss_data import every_set

import vlmneg as vn
from vlmneg.experiment import make_objective
from vlmneg.settings import SettingsError, read_table


@pytest.fixture
def batch():
    data = every_set(4, 3, plain=True)
    return {"image": data["image"], "text": data["text"], "neg_text": data["neg_text"], "scale": 10.0}


def test_gradients_into_inputs_or_each_other(batch):
    before = {key: np.copy(x) for key, x in batch.items()}
    shared = np.empty_like(batch["image"])
    for out in ({"dimage": batch["image"]}, {"dtext": batch["image"]}, {"dimage": shared, "dtext": shared}):
        with pytest.raises(ValueError, match="shares memory with"):
            vn.losses.negclip().on(**batch, out=out)
    with pytest.raises(ValueError, match=r"out\['dimage'\] must be a float32 array of shape \(4, 16\), got float64"):
        vn.losses.negclip().on(**batch, out={"dimage": np.zeros((4, 16))})
    assert all(np.array_equal(before[key], x) for key, x in batch.items())
    r = vn.losses.negclip().on(**batch, out={"dimage": shared})
    assert r.dimage is shared


@pytest.mark.parametrize("types", ["abc", [1, 2, 3], ["a", None, "b"]])
def test_types_that_are_no_names(batch, types):
    with pytest.raises(TypeError, match="types must be a list of strings"):
        vn.losses.ahnpl().on(**batch, types=types)


def test_more_types_than_slots(batch):
    with pytest.raises(ValueError, match="types names 4 slots, but there are 3"):
        vn.losses.ahnpl().on(**batch, types=list("abcd"))


def test_states_that_do_not_fit(batch):
    objective = vn.losses.ahnpl(pos_margin="batch_mean")
    objective.advance(objective.on(**batch))
    good = objective.state_dict()
    wrong = [{"rank": x} for x in (None, {}, {**good["rank"], "theta": [1.0]}, {**good["rank"], "upper": 5.0},
                                   {**good["rank"], "theta": [float("nan")] * 3}, {**good["rank"], "step": "x"})]
    wrong += [{"pos": x} for x in (None, {}, {"alpha": float("nan"), "step": 1}, {"alpha": "x", "step": 1})]
    for state in wrong:
        with pytest.raises(ValueError, match="does not fit it"):
            objective.load_state_dict({**good, **state})
        assert objective.state_dict() == good
    with pytest.raises(ValueError, match="when an epoch begins"):
        objective.reset("epok")


def test_a_result_of_another_objective(batch):
    objective = vn.losses.ahnpl()
    for result in (vn.losses.ahnpl(bound=5).on(**batch), vn.losses.clip().on(**batch)):
        with pytest.raises(ValueError, match="takes a result of itc"):
            objective.advance(result)
    assert objective.margins() == {}
    objective.advance(vn.losses.ahnpl().on(**batch))                # of an equal one
    assert len(objective.margins()) == 3


def test_parameters_of_the_wrong_type():
    for name, params in (("ahnpl", {"w_img": "a"}), ("ahnpl", {"w_img": None}), ("tsvlc", {"in_contrastive": "no"})):
        with pytest.raises(TypeError, match="must be"):
            vn.losses.get(name, **params)
    with pytest.raises(ValueError, match="negatives of itc must be one of"):
        vn.losses.get("itc", negatives=np.array(["own"]))
    with pytest.raises(TypeError, match="an objective is a name"):
        vn.losses.Objective.from_dict({"terms": "ahnpl"})


def test_objectives_of_settings():
    want = vn.losses.negclip() + 0.2 * vn.losses.get("own")
    assert make_objective(want.to_dict()) == want
    with pytest.raises(SettingsError, match="objective: an objective has 1 to 16 terms, got 17"):
        make_objective(["itc"] * 17)
    with pytest.raises(SettingsError, match="did you mean ahnpl"):
        read_table("ahnlp")
