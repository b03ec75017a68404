// Runs the page's script against a document of three objects.
'use strict';
const fs = require('fs');
const vm = require('vm');
let listener = null;
let fetched = 0;
let replaced = 0;
let served = '1';
const main = (version) => ({ dataset: { version }, replaceWith(other) { replaced++; shown = other; } });
let shown = main('1');
vm.runInNewContext(fs.readFileSync(process.argv[2], 'utf8'), {
  document: { getElementById: (id) => (id === 'suivi' ? shown : null) },
  DOMParser: class { parseFromString(text) { return { getElementById: () => main(text) }; } },
  EventSource: class {
    constructor(url) { this.url = url; if (url !== '/evenements') throw new Error('listens at ' + url); }
    addEventListener(name, f) { if (name === 'suivi') listener = f; }
  },
  fetch: async (url, options) => {
    fetched++;
    if (url !== '/' || options.cache !== 'no-store') throw new Error('fetches ' + url);
    return { ok: true, text: async () => served };
  },
});
(async () => {
  const check = (ok, what) => { if (!ok) { console.error(what); process.exit(1); } };
  await listener();
  check(fetched === 1 && replaced === 0, 'the same version replaces nothing');
  served = '2';
  await Promise.all([listener(), listener(), listener()]);
  await new Promise((r) => setTimeout(r, 20));
  check(replaced === 1 && shown.dataset.version === '2', 'a new version replaces the old one, once');
  check(fetched === 3, 'events that come during a fetch cause one more, not one each: ' + fetched);
})();
