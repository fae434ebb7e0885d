// A log that follows: its page is asked for again while somebody looks at it, and for some minutes after they did
// something last, so that no session is kept alive for nobody.
{
  const everyMs = 5_000;
  const attentionMs = 300_000;
  let lastSeen = Date.now();
  for (const kind of ['pointermove', 'keydown', 'focus']) {
    addEventListener(kind, () => {
      lastSeen = Date.now();
    });
  }

  for (const box of document.querySelectorAll('[data-follow]')) {
    const button = box.querySelector('button');
    const log = box.querySelector('[data-log]');
    let isPaused = false;
    button.hidden = false;
    button.addEventListener('click', () => {
      isPaused = !isPaused;
      button.textContent = isPaused ? 'Follow' : 'Pause';
      box.classList.toggle('paused', isPaused);
    });
    box.querySelector('a').hidden = true;
    box.classList.add('live');

    const ask = async () => {
      const isLookedAt = !document.hidden && Date.now() - lastSeen < attentionMs;
      // What has the focus, or is selected, is not taken away.
      const isHeld = log.contains(document.activeElement) || !getSelection().isCollapsed;
      if (!isPaused && isLookedAt && !isHeld) await renew();
      setTimeout(ask, everyMs);
    };
    setTimeout(ask, everyMs);

    async function renew() {
      try {
        const answer = await fetch(box.dataset.follow, { headers: { accept: 'text/html' } });
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const found = answer.ok && page.querySelector('[data-log]');
        if (!found) return;
        const rows = Number(box.dataset.rows ?? Number.POSITIVE_INFINITY);
        for (const row of [...found.querySelectorAll('tbody tr')].slice(rows)) row.remove();
        log.replaceChildren(...found.childNodes);
        log.dispatchEvent(new Event('filled', { bubbles: true }));
      } catch {
        // The next time may go better.
      }
    }
  }
}
