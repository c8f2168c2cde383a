CREATE TABLE fill (
    account TEXT NOT NULL,
    venue TEXT NOT NULL,
    symbol TEXT NOT NULL,
    trade_id BIGINT NOT NULL,
    order_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    is_buy BIGINT NOT NULL,
    price TEXT NOT NULL,
    quantity TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_asset TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    PRIMARY KEY (account, venue, symbol, trade_id, order_id)
);
CREATE INDEX fill_by_sequence ON fill (account, sequence);
CREATE TABLE posting (
    movement_id BIGINT NOT NULL,
    line BIGINT NOT NULL,
    account TEXT NOT NULL,
    ledger_account TEXT NOT NULL,
    asset TEXT NOT NULL,
    amount TEXT NOT NULL,
    cause TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    PRIMARY KEY (movement_id, line)
);
CREATE INDEX posting_by_account ON posting (account, movement_id, line);
CREATE TABLE position (
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (account, symbol)
);
CREATE TABLE balance (
    account TEXT NOT NULL,
    asset TEXT NOT NULL,
    amount TEXT NOT NULL,
    PRIMARY KEY (account, asset)
);
CREATE TABLE account (
    account TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL
);
CREATE TABLE journal (
    shard BIGINT NOT NULL PRIMARY KEY,
    journal_id TEXT NOT NULL
);
