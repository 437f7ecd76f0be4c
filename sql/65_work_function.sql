-- Work functions of films against thickness, with what each has over the straight and the saturating share of its band.
CREATE OR REPLACE VIEW memory.main.work_functions AS
WITH average AS (
    SELECT
        series,
        peak_thickness_nm,
        peak_thickness_nm_std,
        over_linear_ev,
        over_linear_ev_std,
        over_saturating_ev,
        over_saturating_ev_std
    FROM lake.work_function_fit
    WHERE curve_model = 'average' AND has_peak
),

-- the band's value at the node of the drawn curve nearest to each film
nearest AS (
    SELECT
        film.growth_id,
        arg_min(curve.linear_band_ev, abs(curve.curve_thickness_nm - film.film_thickness_nm)) AS linear_band_ev,
        arg_min(curve.saturating_band_ev, abs(curve.curve_thickness_nm - film.film_thickness_nm)) AS saturating_band_ev
    FROM lake.work_function AS film
    INNER JOIN lake.work_function_curve AS curve ON film.series = curve.series
    GROUP BY film.growth_id
)

SELECT
    film.growth_id,
    film.series,
    film.film_thickness_nm,
    film.film_thickness_nm_std,
    film.work_function_kpfm_ev,
    film.work_function_kpfm_ev_std,
    film.work_function_own_ev,
    film.work_function_kpfm_ev - nearest.linear_band_ev AS over_linear_band_ev,
    film.work_function_kpfm_ev - nearest.saturating_band_ev AS over_saturating_band_ev,
    average.peak_thickness_nm AS series_peak_thickness_nm,
    average.peak_thickness_nm_std AS series_peak_thickness_nm_std,
    film.reference_growth_id,
    film.notes
FROM lake.work_function AS film
LEFT JOIN nearest ON film.growth_id = nearest.growth_id
LEFT JOIN average ON film.series = average.series
ORDER BY film.series, film.film_thickness_nm;
