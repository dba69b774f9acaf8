// The chat page.

import { element, features, howMuch, since, stopped, why } from './house.js';
import { follow } from './live.js';
import { confetti, known, note, recall, say, toEnd, waiting } from './talk.js';

const byId = (id) => document.getElementById(id);
const [form, field, level, banner, house, opener] = ['form', 'message', 'level', 'banner', 'house', 'open-house'].map(byId);
const stage = byId('stage');
const NEAR = 1800;
let animated = false;
let shown = '';

async function ask(id, message) {
  const response = await fetch('say', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message, id }),
  });
  if (response.status === 204) return null; // nothing is said where that was asked for
  const reply = await response.json();
  return { ...reply, again: response.status === 429 || response.status >= 500, wait: Number(response.headers.get('retry-after')) || 0 };
}

async function answer(id, message) {
  const promise = waiting(animated);
  let reply;
  try {
    reply = await ask(id, message);
  } catch {
    reply = { answer: 'I cannot be reached just now. Please try again in a moment.', outcome: 'error', again: true, wait: 0 };
  }
  promise.remove();
  if (!reply) return;
  const kinds = reply.outcome === 'ok' ? [] : ['later'];
  const item = say({ who: 'bot', text: reply.answer ?? reply.error ?? 'That went wrong.', kinds, note: reply.notice });
  if (reply.again) offerAgain(item, id, message, reply.wait);
  if (reply.animation && animated) confetti(item, reply.animation.pieces);
}

// Not before the bot would like to be asked; with the same id, so that nothing is done twice.
function offerAgain(item, id, message, wait) {
  const button = element('button', '', { type: 'button' });
  const { meta, line } = note(item, '');
  line.remove();
  meta.append(button);
  const tick = (left) => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Try again in ${left} s` : 'Try again';
    if (left > 0) setTimeout(tick, 1000, left - 1);
  };
  tick(Math.min(wait, 600));
  toEnd();
  button.addEventListener('click', () => {
    button.remove();
    answer(id, message);
    field.focus();
  });
}

function send(message) {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  say({ who: 'me', text: message });
  answer(id, message);
}

function show(status) {
  animated = status.features.some((f) => f.name === 'animations' && f.state !== 'Disabled');
  const key = JSON.stringify(status);
  if (key === shown) return; // screen readers announce a change, not every word of it again
  shown = key;
  const mood = status.stopped ? 'stopped' : status.degraded ? 'careful' : 'well';
  document.body.dataset.mood = mood;
  if (byId('lost').contains(document.activeElement)) field.focus(); // what is hidden cannot keep it
  byId('lost').hidden = true;
  const words = { stopped: 'The evening off', careful: `Careful mode: ${status.levelName}`, well: 'At your service' };
  if (level.textContent !== words[mood]) level.textContent = words[mood];

  const less = status.stopped ? [] : status.features.filter((feature) => feature.state !== 'Enabled');
  byId('less').replaceChildren(...less.map((f) => element('li', f.text, { 'data-state': f.state })));
  byId('banner-title').textContent = status.stopped ? 'I have the evening off' : 'Saving my strength';
  byId('how-much').textContent = less.length ? howMuch(status) : '';
  byId('why').textContent = (status.stopped
    ? [stopped(status)]
    : ['It all comes back by itself.', since(status) && `This is so ${since(status)}.`, why(status)]
  ).filter(Boolean).join(' ');
  banner.hidden = !status.degraded && !status.stopped;

  const now = status.degraded ? `Careful mode: ${status.levelName}` : 'Everything is on';
  byId('house-level').textContent = status.stopped ? words.stopped : [now, since(status)].filter(Boolean).join(', ');
  const well = 'When it gets busy, what matters least rests first, and comes back by itself.';
  const because = status.degraded ? why(status) : well;
  byId('house-why').textContent = status.stopped ? `${stopped(status)} After that it is so:` : because;
  byId('features').replaceChildren(...features(status.features));

  const resting = (feature) => feature.state === 'Disabled' || (status.stopped && feature.tier !== 'Critical');
  const off = new Set(status.features.filter(resting).map((f) => f.name));
  for (const hint of document.querySelectorAll('#hints [data-feature]')) hint.hidden = off.has(hint.dataset.feature);
}

function away(left) {
  byId('countdown').textContent = left > 0 ? `Trying again in ${left} s.` : 'Trying now …';
  if (shown === 'away') return;
  shown = 'away';
  document.body.dataset.mood = 'away';
  level.textContent = 'Out for a moment';
  banner.hidden = true; // who knows whether it is still so
  byId('lost').hidden = false;
  byId('house-level').textContent = 'Out for a moment';
  byId('house-why').textContent = 'I cannot be reached just now. This is what was on when I was last seen:';
}

function measure() {
  field.style.height = 'auto';
  field.style.height = `${field.scrollHeight}px`;
  const [length, most] = [field.value.length, field.maxLength];
  const count = byId('length');
  count.textContent = length >= NEAR ? `${length} of ${most} characters` : '';
  count.classList.toggle('full', length >= most);
}

function openHouse(open) {
  house.classList.toggle('open', open);
  stage.inert = open;
  opener.setAttribute('aria-expanded', String(open));
  (open ? byId('close-house') : opener).focus();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const message = field.value.trim();
  if (!message) return;
  field.value = '';
  measure();
  send(message);
});
field.addEventListener('input', measure);
field.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
byId('hints').addEventListener('click', (event) => {
  const hint = event.target.closest('button');
  if (hint) send(hint.dataset.say ?? hint.textContent);
});
opener.addEventListener('click', () => openHouse(true));
byId('close-house').addEventListener('click', () => openHouse(false));
house.addEventListener('click', (event) => {
  if (event.target === house && house.classList.contains('open')) openHouse(false);
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && house.classList.contains('open')) openHouse(false);
});
// a window that grows has a column instead of a sheet
matchMedia('(min-width: 64rem)').addEventListener('change', (wide) => {
  if (wide.matches && house.classList.contains('open')) openHouse(false);
});

recall();
if (matchMedia('(pointer: fine)').matches) field.focus(); // a finger would get a keyboard it did not ask for
const tryNow = follow({
  status: show,
  away,
  said: ({ id, text }) => {
    if (!known(id)) say({ who: 'bot', text, id, kinds: ['unasked'], note: id.endsWith('/answer') ? 'Your answer' : 'A reminder' });
  },
});
byId('try-now').addEventListener('click', tryNow);
