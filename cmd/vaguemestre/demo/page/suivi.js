// Takes the timeline of the page again whenever the brokers have something
// new. Without this script the link « Actualiser » does the same.
(() => {
  'use strict';
  let busy = false;
  let again = false;
  const take = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch('/', { cache: 'no-store' });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('suivi');
      const shown = document.getElementById('suivi');
      if (fresh && shown && fresh.dataset.version !== shown.dataset.version) shown.replaceWith(fresh);
    } catch (e) {
      // The demonstration was stopped: the page stays as it was.
    } finally {
      busy = false;
      if (again) { again = false; take(); }
    }
  };
  const source = new EventSource('/evenements');
  source.addEventListener('suivi', take);
})();
