"""Models of transformers and diffusers as plug-ins."""


def default(name):
    """The plug-in that a run uses where none is given.

    Parameters
    ----------
    name : str
        One of `vlmneg.gnm.pipeline.PLUGINS`.

    Returns
    -------
    callable
    """
    raise TypeError(f"{name} is missing: give a callable as vlmneg.gnm.plugins describes it")
