-- One row a logged channel of each film: its unit, how it was sampled, and its mean over the growth where it has one.
CREATE OR REPLACE VIEW memory.main.growth_log_summary AS
SELECT
    channel.growth_id,
    channel.log_channel,
    channel.channel_role,
    channel.reading_unit,
    channel.log_readings_count,
    channel.last_log_time_s - channel.first_log_time_s AS logged_s,
    channel.sampling_s,
    channel.longest_gap_s,
    channel.gaps_count,
    channel.saturated_fraction,
    channel.lowest_reading,
    channel.highest_reading,
    results.quantity,
    results.value,
    results.sigma,
    results.unit
FROM lake.growth_log_channel AS channel
LEFT JOIN memory.main.results
    ON
        channel.growth_id = results.growth_id
        AND channel.log_channel = results.subject
        AND results.technique = 'growth_log'
        AND results.is_current;
