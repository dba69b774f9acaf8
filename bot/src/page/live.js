// Follows the bot: by a stream of events, or by asking from time to time where there is no place for one.

const ASK_EVERY = 5000;
const LOOK_FOR_PLACE = 30000;
const PATIENCE = 3000; // a bot that is back within this was never away, as far as anyone can see
const LONGEST = 30000; // between two tries
const ANSWER_WITHIN = 15000;
const STALE = 60000; // a page that was out of sight for so long asks anew

// `away` is told how many seconds are left to the next try; 0 is now.
export function follow({ status, said, away }) {
  let source = null;
  let timer = null; // what comes next, one thing at a time
  let lost = null; // since when
  let tries = 0;

  function here(now) {
    lost = null;
    tries = 0;
    status(now);
  }

  // Each pause is twice as long, and not the same for all pages, so that a bot that comes back is not run over.
  function later() {
    lost ??= Date.now();
    const pause = Math.min(1000 * 2 ** tries, LONGEST) * (0.8 + Math.random() * 0.4);
    tries += 1;
    wait(Date.now() + pause);
  }

  function wait(until) {
    clearTimeout(timer);
    const left = until - Date.now();
    if (left <= 0) {
      connect();
      return;
    }
    if (Date.now() - lost >= PATIENCE) away(Math.ceil(left / 1000));
    timer = setTimeout(wait, Math.min(left, 250), until);
  }

  async function get(path) {
    const answer = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_WITHIN) });
    if (!answer.ok) throw new Error(path);
    return answer.json();
  }

  async function ask(until) {
    clearTimeout(timer);
    try {
      const [now, unheard] = await Promise.all([get('status'), get('said').catch(() => [])]);
      here(now);
      unheard.forEach(hear);
    } catch {
      later();
      return;
    }
    timer = setTimeout(() => (Date.now() < until ? ask(until) : connect()), ASK_EVERY);
  }

  function hear(what) {
    said(what);
    fetch('heard', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: what.id }),
    }).catch(() => {}); // it will be said again, and shown once
  }

  function connect() {
    clearTimeout(timer);
    source?.close();
    const mine = new EventSource('events');
    source = mine;
    if (lost && Date.now() - lost >= PATIENCE) away(0);
    const broken = () => {
      const refused = mine.readyState === EventSource.CLOSED; // there is no place, or a proxy and no bot behind it
      mine.close();
      if (mine !== source) return;
      if (refused) ask(Date.now() + LOOK_FOR_PLACE);
      else later();
    };
    timer = setTimeout(broken, ANSWER_WITHIN);
    mine.addEventListener('open', () => clearTimeout(timer));
    mine.addEventListener('status', (event) => here(JSON.parse(event.data)));
    mine.addEventListener('said', (event) => hear(JSON.parse(event.data)));
    mine.addEventListener('error', broken);
  }

  let hidden = null;
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) hidden = Date.now();
    else if (lost || Date.now() - hidden > STALE) connect(); // a phone that slept may not know that its stream is dead
  });
  addEventListener('online', connect);
  connect();
  return connect;
}
