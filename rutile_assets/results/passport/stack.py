"""A film's stack as a drawing to scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_COLOURS = {"RuO2": "#4a5d85", "TiO2": "#d3c08e"}  # greyed blue and sand: told apart without colour vision
_OTHER = "#9a9a9a"
_TALL, _SUBSTRATE, _TEXT_NEEDS = 200.0, 44.0, 17.0


def drawn_stack(
    growth: Mapping[str, Any] | None, layers: Sequence[Mapping[str, Any]], measured: Mapping[str, str]
) -> dict[str, Any]:
    """Return the boxes and labels of a stack from the top down.

    Heights are in proportion to the nominal thicknesses, without exception; the label of a thin layer stands beside it
    on a line of its own, and a bar gives the scale.

    Parameters
    ----------
    growth : mapping or None
        The film's row of ``growth``.
    layers : sequence of mapping
        Its rows of ``growth_layer``, bottom to top.
    measured : mapping of str to str
        Subject (``"1 RuO2"``) to the measured thickness as text.

    Returns
    -------
    dict
        height; boxes: y, height, colour, middle, label_y, text, detail; bar: nm and pixels.
    """
    total = sum(layer["nominal_thickness_nm"] for layer in layers)
    scale = _TALL / total if total else 0.0
    boxes: list[dict[str, Any]] = []
    y = 12.0
    for layer in reversed(layers):
        height = layer["nominal_thickness_nm"] * scale
        found = measured.get(f"{layer['layer_index']} {layer['material']}")
        role = f", {layer['layer_role']}" if layer["layer_role"] else ""
        text = f"{layer['material']} {layer['nominal_thickness_nm']:g} nm nominal{role}"
        boxes.append(_box(y, height, layer["material"], text, f"measured {found} nm" if found else ""))
        y += height
    if growth is not None:
        facing = f" ({growth['substrate_orientation']})" if growth["substrate_orientation"] else ""
        boxes.append(_box(y, _SUBSTRATE, growth["substrate_material"], f"{growth['substrate_material']}{facing}", ""))
        boxes[-1]["detail"] = "substrate, not to scale"
        y += _SUBSTRATE
    lowest = _spread(boxes)
    return {"height": max(y, lowest) + 12.0, "boxes": boxes, "bar": _bar(total, scale)}


def _box(y: float, height: float, material: str, text: str, detail: str) -> dict[str, Any]:
    return {
        "y": round(y, 2),
        "height": round(height, 2),
        "middle": round(y + height / 2, 2),
        "colour": _COLOURS.get(material, _OTHER),
        "text": text,
        "detail": detail,
    }


def _spread(boxes: list[dict[str, Any]]) -> float:
    """Give each label a line that no other label stands on, and return where the last one ends."""
    bottom = 0.0
    for box in boxes:
        lines = 2 if box["detail"] else 1
        box["label_y"] = max(box["middle"] - (lines - 1) * _TEXT_NEEDS / 2, bottom + _TEXT_NEEDS)
        bottom = box["label_y"] + (lines - 1) * _TEXT_NEEDS
    return bottom + _TEXT_NEEDS / 2


def _bar(total: float, scale: float) -> dict[str, float] | None:
    if not scale:
        return None
    nice = [length for power in range(-2, 4) for length in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)]
    length = max([n for n in nice if n <= total / 2] or nice[:1])
    return {"nm": length, "pixels": round(length * scale, 2)}
