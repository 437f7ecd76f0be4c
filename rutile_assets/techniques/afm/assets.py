"""The AFM room: height images to a table, images to roughness."""

from __future__ import annotations

import pandas as pd

from rutile_assets.errors import RutileError, WrongContent
from rutile_assets.formats.measurement import Channel, Measurement
from rutile_assets.physics.maps import LEVELLING
from rutile_assets.provenance.film import Film, Outcome, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.afm import figures
from rutile_assets.techniques.afm.model import AfmParameters, estimate, roughness
from rutile_assets.techniques.afm.tables import AFM_IMAGE, AFM_ROUGHNESS


def heights(measurement: Measurement) -> list[Channel]:
    """Return the height images of a file; of an Asylum file the height that was controlled, not the Z sensor's.

    Raises
    ------
    WrongContent
        There is none; the message names the channels found.
    """
    found = [c for c in measurement.channels if c.quantity == "height_nm"]
    if not found:
        labels = ", ".join(c.label for c in measurement.channels) or "none"
        raise WrongContent(
            f"no height channel (channels: {labels})", "a height channel in nm", "Save the height image."
        )
    return [c for c in found if "zsensor" not in c.label.lower()] or found


@film_asset(room="afm", files="afm", writes=(AFM_IMAGE,))
def afm_image(film: Film) -> Outcome:
    """Height images as measured, in the array store, with their size."""
    outcome = Outcome()
    rows = []
    for file in film.files:
        try:
            images = heights(film.measurement(file))
        except RutileError as fault:
            outcome.rejected.append((file, fault))
            continue
        for index, image in enumerate(images, start=1):
            lines, pixels = image.values.shape
            reference = film.store("height_nm", image.values, unit="nm", axes="Y, X; row 0 at the top")
            rows.append(
                {
                    "file_id": file.file_id,
                    "channel_index": index,
                    "channel_label": image.label,
                    "pixels_x_count": pixels,
                    "pixels_y_count": lines,
                    "scan_size_x_nm": pixels * image.pixel_size_x_nm,
                    "scan_size_y_nm": lines * image.pixel_size_y_nm,
                    "height_min_nm": image.values.min(),
                    "height_max_nm": image.values.max(),
                    "array": reference,
                }
            )
    if rows:
        outcome.tables["afm_image"] = pd.DataFrame(rows)
    return outcome


@film_asset(
    room="afm",
    reads=("afm_image",),
    writes=(AFM_ROUGHNESS,),
    parameters=AfmParameters,
    kinds=("python", "numpy"),
    figure=figures.heights,
)
def afm_roughness(film: Film) -> Outcome:
    """Root mean square roughness Sq of each image; the spread between ways of levelling is its systematic error."""
    outcome = Outcome()
    rows = []
    images = film.table("afm_image").to_dict("records")
    for image in images:
        try:
            found = {name: roughness(film.array(image["array"]), name, film.parameters) for name in LEVELLING}
        except RutileError as fault:
            outcome.notes.append(f"{image['channel_label']}: {fault}")
            continue
        numbers = estimate(found, film.parameters, "" if len(images) == 1 else f"image {len(outcome.results) + 1}")
        outcome.results.append(Result(numbers, int(image["file_id"])))
        outcome.notes += numbers.notes
        rows += [
            {
                "file_id": image["file_id"],
                "channel_index": image["channel_index"],
                "levelling": name,
                "is_default": name == film.parameters.levelling,
                "roughness_sq_pm": r.sq_pm,
                "roughness_sq_pm_std": r.sq_std_pm,
                "roughness_sq_pm_std_source": "covariance",
                "terrace_coherence_ratio": r.coherence,
                "terrace_sq_pm": r.terrace_sq_pm,
            }
            for name, r in found.items()
        ]
    if rows:
        outcome.tables["afm_roughness"] = pd.DataFrame(rows)
    return outcome


ROOM = Room(
    name="afm", title="Atomic force microscopy", folders=("afm",), check=heights, assets=(afm_image, afm_roughness)
)
