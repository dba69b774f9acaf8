// What the bot's gauges mean, in words for a moderator: rows of a name and a value.

const NO_LIMIT = 1e12;
const NOT_IN_SIGHT = 31 * 24 * 3600;
const CALLEES = { model: 'The model', discord: 'Discord', 'discord-interactions': 'Discord’s slash commands' };
const BREAKERS = ['well', 'being tried again', 'left alone for a while'];
const WINDOWS = { hour: 'this hour', month: 'this month' };

export function waiting(readings) {
  return all(readings, 'bot_queue_depth').map(({ labels, value }) => [labels.queue, value.toLocaleString()]);
}

export function outside(readings) {
  const callees = all(readings, 'bot_dependency_breaker_state').map(({ labels: { dependency }, value }) => {
    const busy = sum(all(readings, 'bot_dependency_in_flight').filter((r) => r.labels.dependency === dependency));
    const state = BREAKERS[value] ?? String(value);
    return [CALLEES[dependency] ?? dependency, busy ? `${state}, ${busy.toLocaleString()} under way` : state];
  });
  const keys = all(readings, 'bot_key_state')
    .filter((r) => r.value === 1)
    .map(({ labels }) => [labels.key === 'none' ? 'The model’s quota' : `Key ${labels.key}`, labels.state]);
  const own = [
    ...all(readings, 'bot_store_up').map((r) => ['Database', r.value ? 'answers' : 'does not answer']),
    ...all(readings, 'bot_reminders_pending').map((r) => ['Reminders that are set', r.value.toLocaleString()]),
  ];
  return [...callees, ...keys, ...quotas(readings), ...own];
}

// Only what has a limit.
function quotas(readings) {
  return Object.entries(WINDOWS).flatMap(([window, when]) => {
    const of = (name) => all(readings, name).filter((r) => r.labels.window === window);
    const left = [['bot_quota', 'Requests'], ['bot_token_quota', 'Tokens']].flatMap(([name, what]) => {
      const limit = sum(of(`${name}_limit`));
      if (!limit || limit >= NO_LIMIT) return [];
      return [[`${what} left ${when}`, `${sum(of(`${name}_remaining`)).toLocaleString()} of ${limit.toLocaleString()}`]];
    });
    const ends = of('bot_quota_exhausted_in_seconds').filter((r) => r.value < NOT_IN_SIGHT);
    return [...left, ...ends.map((r) => [`Gone ${when}, at this rate`, inWords(r.value)])];
  });
}

function inWords(seconds) {
  if (seconds <= 0) return 'now';
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `in ${minutes} min` : `in ${Math.round(minutes / 60)} h`;
}

function all(readings, name) {
  return readings.filter((reading) => reading.name === name);
}

function sum(readings) {
  return readings.reduce((total, reading) => total + reading.value, 0);
}
