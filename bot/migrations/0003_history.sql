-- The last turns of each conversation: what the model is told of the past, and what a summary is made of.
-- part: 0 is what the person said, 1 what the bot answered. A message that is handled again leaves one turn.
CREATE TABLE history (
    conversation TEXT NOT NULL,
    message TEXT NOT NULL,
    part BIGINT NOT NULL,
    at BIGINT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (conversation, message, part)
);
CREATE INDEX history_at ON history (at);
