-- What was said unasked to sessions of the page and of POST /chat, until they fetch it.
CREATE TABLE inbox (
    id TEXT NOT NULL PRIMARY KEY,
    session TEXT NOT NULL,
    text TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX inbox_of_session ON inbox (session, at);
