// The conversation: what it looks like, and what of it outlives a reload.

import { element } from './house.js';

const KEY = 'talk';
const MOST = 100;
const colours = ['#e5484d', '#f5a524', '#30a46c', '#0091ff', '#8e4ec6', '#e93d82'];
const log = document.getElementById('log');
const main = document.querySelector('main');
const calm = matchMedia('(prefers-reduced-motion: reduce)');
let following = true;
let kept = [];

export function toEnd() {
  main.scrollTop = main.scrollHeight;
}

// Fences and backticks become code; everything is text.
function render(text) {
  return text.split(/^```[^\n`]*\n([\s\S]*?)\n?^```[^\S\n]*$/m).flatMap((part, index) => {
    if (index % 2) {
      const block = element('pre', '', { tabindex: '0', 'aria-label': 'Code' });
      block.append(element('code', part));
      return [block];
    }
    const trimmed = part.replace(/^\n+|\n+$/g, '');
    if (!trimmed) return [];
    const paragraph = element('p', '', { dir: 'auto' });
    paragraph.append(...trimmed.split(/`([^`\n]+)`/).map((piece, n) => (n % 2 ? element('code', piece) : piece)));
    return [paragraph];
  });
}

export function say(entry, { keep = true } = {}) {
  const item = element('li', '', { class: [entry.who, ...(entry.kinds ?? [])].join(' ') });
  const bubble = element('div', '', { class: 'bubble' });
  item.append(element('span', entry.who === 'me' ? 'You: ' : 'ChatBotler: ', { class: 'unseen' }));
  bubble.append(...render(entry.text));
  item.append(bubble);
  if (entry.note) note(item, entry.note);
  log.append(item);
  toEnd();
  if (keep) remember(entry);
  return item;
}

export function note(item, text) {
  let meta = item.querySelector('.meta');
  if (!meta) {
    meta = element('div', '', { class: 'meta' });
    item.append(meta);
  }
  const line = element('span', text);
  meta.append(line);
  return { meta, line };
}

export function waiting(animated) {
  const item = element('li', '', { class: 'bot waiting' });
  const bubble = element('div', '', { class: 'bubble' });
  if (animated) {
    const dots = element('p', '', { class: 'dots', role: 'img', 'aria-label': 'ChatBotler is thinking' });
    dots.append(...Array.from({ length: 3 }, () => element('i')));
    bubble.append(dots);
  } else {
    bubble.append(element('p', 'One moment …'));
  }
  item.append(bubble);
  log.append(item);
  toEnd();
  return item;
}

export function confetti(item, pieces) {
  if (calm.matches) return;
  const from = item.querySelector('.bubble').getBoundingClientRect();
  for (let i = 0; i < Math.min(pieces, 60); i++) {
    const piece = element('span', '', { class: 'confetti' });
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

function remember(entry) {
  kept = [...kept, entry].slice(-MOST);
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch { /* private windows may refuse; the talk is then as long as the page */ }
}

export function recall() {
  try {
    kept = JSON.parse(sessionStorage.getItem(KEY)) ?? [];
  } catch {
    kept = [];
  }
  if (!Array.isArray(kept)) kept = [];
  log.setAttribute('aria-live', 'off'); // it was read out once
  for (const entry of kept) say(entry, { keep: false });
  log.setAttribute('aria-live', 'polite');
}

export function known(id) {
  return kept.some((entry) => entry.id === id);
}

main.addEventListener('scroll', () => {
  following = main.scrollHeight - main.scrollTop - main.clientHeight < 8;
}, { passive: true });
// the banner and a phone's keyboard take room: the last words stay in sight, unless one reads further up
new ResizeObserver(() => {
  if (following) toEnd();
}).observe(main);
