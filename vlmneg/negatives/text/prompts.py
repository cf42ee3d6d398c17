"""What a chat model is told to write, and the form in which it answers."""

import json

# kind: what it asks for; a caption; a negative of it
KINDS = {
    "object": ("one thing becomes a different thing that is as likely in that place",
               "a dog sleeps on a blue sofa", "a cat sleeps on a blue sofa"),
    "attribute": ("one colour, size, material, shape or state becomes a different one",
                  "a dog sleeps on a blue sofa", "a dog sleeps on a red sofa"),
    "relation": ("where two things are to each other, or what joins them, becomes different",
                 "two cups stand to the left of a plate", "two cups stand to the right of a plate"),
    "action": ("what somebody or something does becomes a different action",
               "a dog sleeps on a blue sofa", "a dog jumps on a blue sofa"),
    "number": ("how many there are becomes a different number",
               "two cups stand to the left of a plate", "three cups stand to the left of a plate"),
    "negation": ("something that is there is said to be absent, with no, not or without",
                 "a man with a hat rides a brown horse near a white fence",
                 "a man without a hat rides a brown horse near a white fence"),
    "swap": ("two words or phrases of the caption exchange places: the same words, another meaning",
             "a man with a hat rides a brown horse near a white fence",
             "a man with a hat rides a white horse near a brown fence"),
}  # fmt: skip
STYLES = ("rules", "examples")

_RULES = """You write test captions for models of pictures and language. You are given a caption that is true of a \
picture which you can't see. Write captions that are false of the picture and differ from the true one by one small \
edit.

Rules:
- Edit one place; leave all other words, their order, and the style as they are.
- The new caption must be false of any picture of which the old one is true: no synonym, no more general word, no \
detail that might be true as well.
- It must be correct English, and describe something that could be photographed.
- No two captions are equal.

Kinds of edit:
{kinds}

Answer with JSON only: {{"negatives": [{{"kind": "...", "caption": "..."}}, ...]}}, where kind is one of {names}."""
_ASK = "Write {n} captions, of as many kinds as fit.\nCaption: {caption}"


def schema(kinds):
    """JSON schema of an answer.

    Examples
    --------
    >>> schema(["swap"])["properties"]["negatives"]["items"]["properties"]["kind"]
    {'type': 'string', 'enum': ['swap']}
    """
    item = {"type": "object", "additionalProperties": False, "required": ["kind", "caption"],
            "properties": {"kind": {"type": "string", "enum": list(kinds)}, "caption": {"type": "string"}}}
    return {"type": "object", "additionalProperties": False, "required": ["negatives"],
            "properties": {"negatives": {"type": "array", "items": item}}}


def messages(prompt, kinds, n, caption):
    """The conversation that asks for n negatives of a caption.

    Parameters
    ----------
    prompt : "rules", "examples" or str with "{caption}"
        What is asked; "examples" shows answers first, as in-context learning has it. In a text of one's own,
        "{caption}", "{kinds}" and "{n}" are filled in.
    kinds : sequence of str
        Of `KINDS`.
    n : int
    caption : str

    Returns
    -------
    list of dict

    Examples
    --------
    >>> messages("{n} lies about: {caption}", ["object"], 3, "a dog")
    [{'role': 'user', 'content': '3 lies about: a dog'}]
    """
    listed = "\n".join(f"- {kind}: {KINDS[kind][0]}" for kind in kinds)
    if prompt not in STYLES:
        filled = {"{n}": str(n), "{kinds}": listed}
        for name, value in filled.items():
            prompt = prompt.replace(name, value)
        return [{"role": "user", "content": prompt.replace("{caption}", caption)}]
    said = [{"role": "system", "content": _RULES.format(kinds=listed, names=", ".join(kinds))}]
    if prompt == "examples":
        shown = {}
        for kind in kinds:
            _, source, negative = KINDS[kind]
            shown.setdefault(source, []).append({"kind": kind, "caption": negative})
        for source, answer in shown.items():
            said.append({"role": "user", "content": _ASK.format(n=len(answer), caption=source)})
            said.append({"role": "assistant", "content": json.dumps({"negatives": answer})})
    said.append({"role": "user", "content": _ASK.format(n=n, caption=caption)})
    return said
