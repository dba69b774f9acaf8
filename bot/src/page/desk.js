// The moderators' desk.

import { element, features, since, stopped, why } from './house.js';
import { outside, waiting } from './readings.js';

const byId = (id) => document.getElementById(id);
const EVERY = 2000;
const SURE = 4000;
const SOURCES = { none: 'silent so far', current: 'heard', older: 'older than what holds', broken: 'cannot be read', missing: 'has none' };
const LONG = 60000; // for a reboot
let timer = null;
let doubt = null;
let rebooting = null; // since when, by the bot's own clock and by ours

async function post(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, at: Date.parse(response.headers.get('date')), ...(text ? JSON.parse(text) : {}) };
}

function show(desk) {
  const inside = Boolean(desk.status);
  const wasLogin = !byId('login').hidden;
  byId('closed').hidden = desk.open;
  byId('login').hidden = inside || !desk.open;
  byId('inside').hidden = !inside;
  byId('logout').hidden = !inside;
  if (!inside) {
    if (desk.open && !wasLogin) byId('secret').focus();
    return;
  }
  const { status, readings, begun } = desk;
  if (rebooting && Date.parse(begun) >= rebooting.at) {
    rebooting = null;
    put(byId('answer'), `The reboot is done. I have been back since ${clock(begun)}.`);
  }
  if (rebooting) {
    wait();
    return;
  }
  for (const button of document.querySelectorAll('[data-order]')) button.disabled = false;
  const mood = status.stopped ? 'stopped' : status.degraded ? 'careful' : 'well';
  document.body.dataset.mood = mood;
  const words = { stopped: 'Stopped by a moderator', careful: `At work, in careful mode: ${status.levelName}`, well: 'At work' };
  put(byId('state'), words[mood]);
  const well = status.stopped ? [] : ['Everything is on.'];
  const because = status.degraded ? [since(status), why(status)] : well;
  const stop = status.stopped ? `${stopped(status)} ` : '';
  const line = stop + [`Level ${status.level}.`, ...because.filter(Boolean).map((text) => text[0].toUpperCase() + text.slice(1))].join(' ');
  put(byId('state-why'), `${line.replace(/(since [^.]*?) The reason/i, '$1. The reason')} Running since ${clock(begun)}.`);
  replace(byId('features'), features(status.features));
  list('queues', waiting(readings), 'No queues.');
  list('others', outside(readings), 'Nothing outside is used.');
  list('sources', status.sources.map((s) => [s.source, SOURCES[s.state] ?? s.state]), 'None: the defaults of the bot hold.');
}

function put(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

// what has not changed stays, with the focus and the scroll position that may be in it
function replace(target, children) {
  const same = children.length === target.children.length
    && children.every((child, n) => child.isEqualNode(target.children[n]));
  if (!same) target.replaceChildren(...children);
}

function list(id, rows, none) {
  const children = rows.flatMap(([name, value]) => [element('dt', name), element('dd', value)]);
  replace(byId(id), children.length ? children : [element('dt', none, { class: 'none' })]);
}

function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit', second: '2-digit' });
}

// Until another process answers.
function wait() {
  document.body.dataset.mood = 'away';
  put(byId('state'), 'Rebooting …');
  const long = Date.now() - rebooting.since > LONG;
  put(byId('state-why'), long
    ? 'It has not come back yet. Whoever runs the bot should look whether something starts it again when it ends with code 75.'
    : 'It finishes what is under way, ends, and is started again. This page waits for it.');
}

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch('desk/state', { cache: 'no-store', signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
  } catch {
    if (rebooting) {
      wait();
    } else {
      document.body.dataset.mood = 'away';
      put(byId('state'), 'Cannot be reached');
      put(byId('state-why'), 'This page tries again every two seconds. What stands below is what was last known.');
    }
  }
  const pause = !byId('inside').hidden && !document.hidden;
  if (pause) timer = setTimeout(look, EVERY);
}

byId('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  const [field, error] = [byId('secret'), byId('login-error')];
  error.textContent = '';
  try {
    const answer = await post('desk/login', { secret: field.value });
    if (answer.status < 300) {
      field.value = '';
      await look();
      return;
    }
    error.textContent = answer.error;
  } catch {
    error.textContent = 'The bot cannot be reached just now.';
  }
  field.select();
});
byId('logout').addEventListener('click', async () => {
  await post('desk/logout', {}).catch(() => {});
  await look();
});

function sure(button, asking) {
  const label = button.dataset.order;
  button.classList.toggle('sure', asking);
  button.textContent = asking ? 'Sure?' : label[0].toUpperCase() + label.slice(1);
  if (asking) button.setAttribute('aria-label', `Really ${label}?`);
  else button.removeAttribute('aria-label');
}

// What hurts is asked twice, by the same button.
async function order(button) {
  if (button.classList.contains('danger') && !button.classList.contains('sure')) {
    sure(button, true);
    clearTimeout(doubt);
    doubt = setTimeout(sure, SURE, button, false);
    return;
  }
  sure(button, false);
  button.disabled = true;
  try {
    const answer = await post('desk/order', { order: button.dataset.order });
    byId('answer').textContent = answer.answer ?? answer.error;
    if (button.dataset.order === 'reboot' && answer.outcome === 'ok') rebooting = { at: answer.at, since: Date.now() };
  } catch {
    byId('answer').textContent = 'The bot cannot be reached just now.';
  }
  button.disabled = false;
  button.focus();
  if (rebooting) {
    for (const other of document.querySelectorAll('[data-order]')) other.disabled = true;
    wait();
  }
  await look();
}
document.querySelector('.orders').addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button) order(button);
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) look();
});
look();
