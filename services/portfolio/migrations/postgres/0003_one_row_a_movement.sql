-- The lines of a movement are read together and written together: one row, not one a line with two indexes.
CREATE TABLE movement (
    account TEXT NOT NULL,
    movement_id BIGINT NOT NULL,
    cause TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (account, movement_id)
);
INSERT INTO movement (account, movement_id, cause, time_us, lines)
SELECT account, movement_id, MIN(cause), MIN(time_us),
    json_agg(json_build_array(ledger_account, asset, amount) ORDER BY line)::TEXT
FROM posting GROUP BY account, movement_id;
DROP TABLE posting;
