-- One row a spectrum with a work function: both readings of the cut-off side by side, and what lies between them.
CREATE OR REPLACE VIEW memory.main.ups AS
SELECT
    fit.growth_id,
    raw.original_path AS source_file,
    fit.work_function_ev,
    fit.work_function_ev_std,
    fit.work_function_tangent_ev,
    fit.work_function_tangent_ev_std,
    fit.tangent_bias_ev,
    fit.tangent_bias_ev_std,
    fit.work_function_tangent_ev - fit.tangent_bias_ev - fit.work_function_ev AS unexplained_ev,
    fit.photon_energy_ev,
    fit.fermi_edge_binding_ev,
    fit.fermi_edge_binding_ev_std,
    fit.resolution_fwhm_ev,
    fit.fermi_region,
    fit.cutoff_region,
    fit.notes
FROM lake.ups_fit AS fit
INNER JOIN memory.main.current_raw_file AS raw ON fit.file_id = raw.file_id
WHERE fit.work_function_ev IS NOT NULL;
