CREATE TABLE users (
    user_name TEXT NOT NULL PRIMARY KEY,
    password_hash TEXT NOT NULL,
    roles TEXT NOT NULL,
    accounts TEXT NOT NULL,
    is_admin BIGINT NOT NULL,
    disabled BIGINT NOT NULL,
    must_change_password BIGINT NOT NULL,
    created_us BIGINT NOT NULL
);
CREATE TABLE service_accounts (
    client_id TEXT NOT NULL PRIMARY KEY,
    secret_sha256 TEXT NOT NULL,
    description TEXT NOT NULL,
    roles TEXT NOT NULL,
    accounts TEXT NOT NULL,
    created_us BIGINT NOT NULL
);
CREATE TABLE sessions (
    session_id TEXT NOT NULL PRIMARY KEY,
    user_name TEXT NOT NULL,
    refresh_sha256 TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    ended BIGINT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_name, created_us);
CREATE INDEX sessions_by_expiry ON sessions (expires_us);
CREATE TABLE access_tokens (
    token_id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    session_id TEXT NOT NULL,
    expires_us BIGINT NOT NULL,
    revoked BIGINT NOT NULL
);
CREATE INDEX access_tokens_of_subject ON access_tokens (subject);
CREATE INDEX access_tokens_of_session ON access_tokens (session_id);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_us);
CREATE TABLE signing_keys (
    x TEXT NOT NULL PRIMARY KEY,
    used_us BIGINT NOT NULL
);
