-- What moderators have set, per server; '' is the bot as a whole.
CREATE TABLE settings (
    guild TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (guild, name)
);
