"""From SQL to Fig. 2b: the work function of RuO2/TiO2 (110) against thickness, asked of the lake read-only.

    RUTILE_HOME=.demo marimo edit notebooks/figure_2b.py      in a browser, cell by cell
    RUTILE_HOME=.demo python notebooks/figure_2b.py           draws figure_2b.png in the present folder

marimo comes with `pip install -e ".[notebooks]"`.
"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo  # noqa: PLC0415
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    from rutile_assets.lake.tables import fetch  # noqa: PLC0415
    from rutile_assets.ops.house import open_house  # noqa: PLC0415
    from rutile_assets.results.figures.style import MM_PER_INCH, STYLE, head  # noqa: PLC0415
    from rutile_assets.results.figures.work_function import draw_work_function, shared_ev  # noqa: PLC0415

    return Figure, MM_PER_INCH, STYLE, draw_work_function, fetch, head, mo, mpl, open_house, shared_ev


@app.cell
def _(mo):
    mo.md("""
    # From SQL to Fig. 2b

    The lake holds each sample's work function on one scale (contact potentials against a reference whose
    photoelectrons are known), the curve through them, and the descriptions that were averaged. Everything below is
    asked with `SELECT`; nothing is computed anew and nothing is written to the lake.
    """)


@app.cell
def _(fetch, open_house):
    house = open_house()  # RUTILE_HOME, or ./.rutile
    connection = house.lake.reader()

    def ask(sql):
        """Return the answer of the lake as a DataFrame."""
        return fetch(connection, sql).to_pandas()

    return (ask,)


@app.cell
def _(ask, mo):
    series_of_lake = ask("SELECT DISTINCT series FROM work_function_curve ORDER BY series").series.tolist()
    series = "RuO2/TiO2" if "RuO2/TiO2" in series_of_lake else next(iter(series_of_lake), None)
    mo.stop(series is None, mo.md("No series of this lake has been followed over thickness: `rutile run`."))
    return (series,)


@app.cell
def _(ask, series):
    samples = ask(f"""
        SELECT * FROM work_function
        WHERE (series = '{series}' OR film_thickness_nm = 0) AND work_function_kpfm_ev IS NOT NULL
        ORDER BY film_thickness_nm
    """)
    curve = ask(f"SELECT * FROM work_function_curve WHERE series = '{series}' ORDER BY point_index")
    fit = ask(f"SELECT * FROM work_function_fit WHERE series = '{series}' AND curve_model = 'average'").iloc[0]
    spectra = ask("""
        SELECT results.growth_id, results.value, results.sigma, work_function.film_thickness_nm
        FROM results INNER JOIN work_function ON results.growth_id = work_function.growth_id
        WHERE results.technique = 'ups' AND results.quantity = 'work_function_ev' AND results.is_current
        ORDER BY results.growth_id
    """)
    is_simulated = bool(
        ask("SELECT count(*) AS n FROM growth INNER JOIN work_function USING (growth_id) WHERE origin = 'simulated'").n[
            0
        ]
    )
    return curve, fit, is_simulated, samples, spectra


@app.cell
def _(mo, samples):
    mo.ui.table(samples[["growth_id", "film_thickness_nm", "work_function_kpfm_ev", "work_function_own_ev"]])


@app.cell
def _(
    Figure,
    MM_PER_INCH,
    STYLE,
    curve,
    draw_work_function,
    fit,
    head,
    is_simulated,
    mpl,
    samples,
    series,
    shared_ev,
    spectra,
):
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(100 / MM_PER_INCH, 110 / MM_PER_INCH), dpi=150, layout="constrained")
        head(figure, "b", is_simulated=is_simulated)
        draw_work_function(figure, series, samples, curve, spectra, fit, shared_ev(samples))
        figure.savefig("figure_2b.png")
    figure  # noqa: B018
    return (figure,)


@app.cell
def _(fit, mo):
    mo.md(
        f"Maximum at {fit.peak_thickness_nm:.2f} ± {fit.peak_thickness_nm_std:.2f} nm, modulation"
        f" {fit.modulation_ev:.2f} ± {fit.modulation_ev_std:.2f} eV; {fit.over_linear_ev:.2f} ±"
        f" {fit.over_linear_ev_std:.2f} eV over a straight band."
        if fit.has_peak
        else "No maximum between the films is claimed."
    )


if __name__ == "__main__":
    app.run()
