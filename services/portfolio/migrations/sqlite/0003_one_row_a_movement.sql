-- The lines of a movement are read together and written together: one row, not one a line with two indexes.
CREATE TABLE movement (
    account TEXT NOT NULL,
    movement_id BIGINT NOT NULL,
    cause TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (account, movement_id)
) WITHOUT ROWID;
INSERT INTO movement (account, movement_id, cause, time_us, lines)
SELECT account, movement_id, MIN(cause), MIN(time_us),
    json_group_array(json_array(ledger_account, asset, amount) ORDER BY line)
FROM posting GROUP BY account, movement_id;
DROP TABLE posting;
-- A balance is its key and an amount: the table is its own index.
CREATE TABLE holding (
    account TEXT NOT NULL,
    asset TEXT NOT NULL,
    amount TEXT NOT NULL,
    PRIMARY KEY (account, asset)
) WITHOUT ROWID;
INSERT INTO holding (account, asset, amount) SELECT account, asset, amount FROM balance;
DROP TABLE balance;
ALTER TABLE holding RENAME TO balance;
