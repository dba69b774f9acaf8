-- Where moderators have stopped the bot; the guild '' is the bot as a whole.
CREATE TABLE stops (
    guild TEXT NOT NULL PRIMARY KEY,
    -- hashed
    person TEXT NOT NULL,
    at BIGINT NOT NULL,
    reason TEXT NOT NULL
);
