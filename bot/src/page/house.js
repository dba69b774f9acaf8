// What is on, in kind words: for the page and for the desk.

const NAMES = {
  commands: 'Commands', roles: 'Roles', moderation: 'Moderation',
  'ai-chat': 'Talks', search: 'Looking things up', reminders: 'Reminders',
  animations: 'Confetti', reactions: 'Nods', analytics: 'Statistics',
  summaries: 'Summaries', 'deep-answers': 'Deep answers',
};
const TIERS = { Critical: 'Always', Important: 'Every day', Luxury: 'When there is time' };
const STATES = { Enabled: 'on', Reduced: 'less', Disabled: 'resting' };

export function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text) made.textContent = text; // text, never markup: whatever it holds stays harmless
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function features(list) {
  return Object.entries(TIERS).flatMap(([tier, title]) => {
    const of = list.filter((feature) => feature.tier === tier);
    if (!of.length) return [];
    const rows = element('ul', '', { role: 'list' });
    rows.append(...of.map((feature) => {
      const row = element('li', '', { class: 'feature', 'data-state': feature.state });
      row.append(
        element('span', '', { class: 'dot', 'aria-hidden': 'true' }),
        element('b', NAMES[feature.name] ?? feature.name),
        element('em', STATES[feature.state]),
        element('small', feature.text),
      );
      return row;
    }));
    return [element('h3', title, { class: 'tier' }), rows];
  });
}

export function since(what) {
  const at = what?.since ? new Date(what.since) : null;
  if (!at || Number.isNaN(at.getTime())) return '';
  const today = at.toDateString() === new Date().toDateString();
  const day = today ? {} : { day: 'numeric', month: 'short' };
  return `since ${at.toLocaleString([], { hour: 'numeric', minute: '2-digit', ...day })}`;
}

export function why(status) {
  const because = status.reason ? `The reason: ${status.reason}.` : '';
  return because.replace(/([.!?])\.$/, '$1');
}

// Why a moderator has stopped the bot, in words.
export function stopped({ stopped: stop }) {
  const because = stop.reason ? ` They say: ${stop.reason}.` : '';
  return `The moderators have given me the evening off, ${since(stop)}. Commands still work.${because}`;
}

export function howMuch(status) {
  const count = (state) => status.features.filter((feature) => feature.state === state).length;
  const [less, off] = [count('Reduced'), count('Disabled')];
  return [less && `${less} less`, off && `${off} resting`].filter(Boolean).join(', ');
}
