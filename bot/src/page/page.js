'use strict';

const byId = (id) => document.getElementById(id);
const [log, form, field, banner, less, level] = ['log', 'form', 'message', 'banner', 'less', 'level'].map(byId);
const main = document.querySelector('main');
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const colours = ['#e5484d', '#f5a524', '#30a46c', '#0091ff', '#8e4ec6', '#e93d82'];
let animated = false;
let following = true;
let shown = '';

function say(who, text) {
  const item = document.createElement('li');
  const bubble = document.createElement('p');
  item.className = who;
  bubble.textContent = text; // text, never markup: whatever was typed stays harmless
  item.append(bubble);
  log.append(item);
  main.scrollTop = main.scrollHeight;
  return item;
}

function dots(item) {
  const bubble = item.firstChild;
  bubble.classList.add('dots');
  bubble.setAttribute('aria-label', 'ChatBotler is thinking');
  bubble.append(...Array.from({ length: 3 }, () => document.createElement('i')));
}

function confetti(item, pieces) {
  if (calm.matches) return;
  const from = item.firstChild.getBoundingClientRect();
  for (let i = 0; i < pieces; i++) {
    const piece = document.createElement('span');
    piece.className = 'confetti';
    piece.style.left = `${from.left + from.width * Math.random()}px`;
    piece.style.top = `${from.top}px`;
    piece.style.background = colours[i % colours.length];
    document.body.append(piece);
    const [x, up, turn] = [(Math.random() - 0.5) * 160, 40 + Math.random() * 110, Math.random() * 720];
    piece.animate([
      { transform: 'none', opacity: 1 },
      { transform: `translate(${x * 0.7}px, ${-up}px) rotate(${turn / 2}deg)`, opacity: 1, offset: 0.4 },
      { transform: `translate(${x}px, ${up}px) rotate(${turn}deg)`, opacity: 0 },
    ], { duration: 1100 + Math.random() * 700, easing: 'ease-out' }).onfinish = () => piece.remove();
  }
}

async function send(message) {
  say('me', message);
  const waiting = say('bot', animated ? '' : 'One moment …');
  if (animated) dots(waiting);
  let reply;
  try {
    const response = await fetch('chat', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message }),
    });
    reply = await response.json();
  } catch {
    reply = { answer: 'I cannot be reached just now. Please try again in a moment.', outcome: 'error' };
  }
  waiting.remove();
  const item = say('bot', reply.answer ?? reply.error);
  if (reply.outcome !== 'ok') item.classList.add('later');
  if (reply.notice) {
    const note = document.createElement('small');
    note.textContent = reply.notice;
    item.append(note);
    main.scrollTop = main.scrollHeight;
  }
  if (reply.animation && animated) confetti(item, reply.animation.pieces);
}

function show(status) {
  const off = status.features.filter((feature) => feature.state !== 'Enabled');
  animated = status.features.some((f) => f.name === 'animations' && f.state !== 'Disabled');
  const key = JSON.stringify([status.levelName, off]);
  if (key === shown) return; // screen readers announce a change, not every poll
  shown = key;
  level.textContent = status.degraded ? `Careful mode: ${status.levelName}` : 'At your service';
  less.replaceChildren(...off.map((feature) => {
    const item = document.createElement('li');
    item.textContent = feature.text;
    return item;
  }));
  banner.hidden = !status.degraded;
}

async function poll() {
  try {
    show(await (await fetch('status')).json());
  } catch {
    level.textContent = 'Out for a moment';
    shown = '';
  }
  setTimeout(poll, 1000);
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const message = field.value.trim();
  field.value = '';
  if (message) send(message);
});
byId('hints').addEventListener('click', (event) => {
  if (event.target.matches('button')) send(event.target.textContent);
});
main.addEventListener('scroll', () => {
  following = main.scrollHeight - main.scrollTop - main.clientHeight < 8;
});
// the banner and a phone's keyboard take room: the last words stay in sight, unless one reads further up
new ResizeObserver(() => {
  if (following) main.scrollTop = main.scrollHeight;
}).observe(main);
poll();
