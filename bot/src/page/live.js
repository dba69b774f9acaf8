// Follows the bot: by a stream of events, or by asking from time to time where there is none.

const ASK_EVERY = 5000;
const TRY_AGAIN = 30000;
const PATIENCE = 1200; // a stream that is back within this was never away, as far as anyone can see

export function follow({ status, said, away }) {
  let source = null;
  let asking = null;
  let missed = null;

  const here = () => {
    clearTimeout(missed);
    missed = null;
  };
  const gone = () => {
    missed ??= setTimeout(away, PATIENCE);
  };

  async function ask() {
    try {
      const answer = await fetch('status', { cache: 'no-store' });
      const now = await answer.json();
      here();
      status(now);
    } catch {
      gone();
    }
    if (asking !== null) asking = setTimeout(ask, ASK_EVERY);
  }

  function askInstead() {
    if (asking === null) {
      asking = 0;
      ask();
    }
    setTimeout(connect, TRY_AGAIN);
  }

  function connect() {
    source = new EventSource('events');
    source.addEventListener('open', () => {
      clearTimeout(asking);
      asking = null;
    });
    source.addEventListener('status', (event) => {
      here();
      status(JSON.parse(event.data));
    });
    source.addEventListener('said', (event) => {
      const what = JSON.parse(event.data);
      said(what);
      fetch('heard', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: what.id }),
      }).catch(() => {}); // it will be said again, and shown once
    });
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) askInstead(); // refused: no place
      else gone(); // the browser connects again by itself
    });
  }

  connect();
}
