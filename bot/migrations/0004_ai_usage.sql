-- What each API key has asked for, per hour and month (period; starts is its beginning). requests counts on arrival,
-- completed on completion; tokens holds what is reserved until the true number is known. Keys by name, never by text.
CREATE TABLE ai_usage (
    key_name TEXT NOT NULL,
    period TEXT NOT NULL,
    starts BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    PRIMARY KEY (key_name, period, starts)
);
