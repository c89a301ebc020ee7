'use strict';
// Shows where the link of this page is now, as soon as its address is about to go.
(() => {
  const box = document.getElementById('moved'), lost = document.getElementById('lost');
  if (!box) return;
  let failed = 0, asking = false;
  const ask = async () => {
    if (document.hidden || asking) return;
    asking = true;
    try {
      const answer = await fetch(box.dataset.ask, { cache: 'no-store', signal: AbortSignal.timeout(10000) });
      failed = 0;
      lost.hidden = true;
      const at = answer.ok ? (await answer.json()).at : '';
      if (at) {
        const link = box.querySelector('a');
        link.href = at + location.pathname + location.search;
        link.textContent = at + box.dataset.ask.replace(/\/where$/, '');
      }
      box.hidden = !at;
    } catch {
      // One failure is no news: the visitor's own network may have been away.
      lost.hidden = ++failed < 3 || !box.hidden;
    }
    asking = false;
  };
  setInterval(ask, 15000);
  document.addEventListener('visibilitychange', ask);
})();
