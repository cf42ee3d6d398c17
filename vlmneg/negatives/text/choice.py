"""Choice among names, as the C core wants it."""


def bits(chosen, names, what):
    """The names that are chosen, None meaning all, as bits in the order of names."""
    if chosen is None:
        return (1 << len(names)) - 1
    chosen = (chosen,) if isinstance(chosen, str) else chosen
    if not isinstance(chosen, (tuple, list)) or not chosen:
        raise TypeError(f"{what} must be None, a name or several of {', '.join(names)}, got {chosen!r}")
    for name in chosen:
        if name not in names:
            raise ValueError(f"{what} must be among {', '.join(names)}, got {name!r}")
    return sum(1 << i for i, name in enumerate(names) if name in chosen)
