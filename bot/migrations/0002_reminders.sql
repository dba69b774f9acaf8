-- A word at a time of one's choice. The id is that of the message that asked for it.
CREATE TABLE reminders (
    id TEXT NOT NULL PRIMARY KEY,
    door TEXT NOT NULL,
    guild TEXT NOT NULL,
    channel TEXT NOT NULL,
    thread TEXT NOT NULL,
    person TEXT NOT NULL,
    text TEXT NOT NULL,
    due BIGINT NOT NULL,
    -- when to try (again); whoever claims it moves this past the end of the claim
    next_try BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    -- 0 while it is still to be delivered, else when it was delivered or given up
    ended BIGINT NOT NULL
);
CREATE INDEX reminders_to_do ON reminders (ended, next_try);
CREATE INDEX reminders_of_person ON reminders (door, person, ended);
