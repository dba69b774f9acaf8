// The moderators' desk.

import { element, features, since, stopped, why } from './house.js';

const byId = (id) => document.getElementById(id);
const EVERY = 2000;
const SURE = 4000;
let timer = null;

async function post(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, ...(text ? JSON.parse(text) : {}) };
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
  const { status, readings } = desk;
  const mood = status.stopped ? 'stopped' : status.degraded ? 'careful' : 'well';
  document.body.dataset.mood = mood;
  const words = { stopped: 'Stopped by a moderator', careful: `At work, in careful mode: ${status.levelName}`, well: 'At work' };
  put(byId('state'), words[mood]);
  const well = status.stopped ? [] : ['Everything is on.'];
  const because = status.degraded ? [since(status), why(status)] : well;
  const stop = status.stopped ? `${stopped(status)} ` : '';
  const line = stop + [`Level ${status.level}.`, ...because.filter(Boolean).map((text) => text[0].toUpperCase() + text.slice(1))].join(' ');
  put(byId('state-why'), line.replace(/(since [^.]*?) The reason/i, '$1. The reason'));
  replace(byId('features'), features(status.features));
  const queues = readings.filter((r) => r.name === 'bot_queue_depth');
  list('queues', queues.map((r) => [r.labels.queue, r.value]), 'No queues.');
  const others = readings.filter((r) => r.name !== 'bot_queue_depth');
  list('others', others.map((r) => [title(r), r.value]), 'Nothing outside is used.');
  list('sources', status.sources.map((s) => [s.source, s.state]), 'None: the defaults of the bot hold.');
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

function title(reading) {
  const name = reading.name.replace(/^bot_/, '').replaceAll('_', ' ');
  const labels = Object.values(reading.labels).join(', ');
  return labels ? `${name}: ${labels}` : name;
}

function list(id, rows, none) {
  const children = rows.flatMap(([name, value]) => [
    element('dt', name),
    element('dd', typeof value === 'number' ? value.toLocaleString() : value),
  ]);
  replace(byId(id), children.length ? children : [element('dt', none, { class: 'none' })]);
}

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch('desk/state', { cache: 'no-store' });
    show(await answer.json());
  } catch {
    document.body.dataset.mood = 'away';
    put(byId('state'), 'Cannot be reached');
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
    setTimeout(sure, SURE, button, false);
    return;
  }
  sure(button, false);
  button.disabled = true;
  try {
    const answer = await post('desk/order', { order: button.dataset.order });
    byId('answer').textContent = answer.answer ?? answer.error;
  } catch {
    byId('answer').textContent = 'The bot cannot be reached just now.';
  }
  button.disabled = false;
  button.focus();
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
