// Uses the page of a local server as a person does, for tests/browser.rs: `node page.js PORT FOLDER SCREENSHOTS AXE`, where the
// server listens on that port of 127.0.0.1, Chromium's profile goes into the folder, and AXE is the file of axe-core. Prints a
// JSON object with what the test looks at.
'use strict';
const assert = require('assert');
const fs = require('fs');
const http = require('http');
const { browser, Tab, listeners } = require('./devtools.js');

const [port, profile, screenshots, axe] = process.argv.slice(2);
const server = `http://localhost:${port}`;
const found = { problems: [], requests: [], axe: {}, snippets: {} };

/// A text that tries to become markup.
const HOSTILE = `</textarea></pre><script>window.pwned = 1</script><img src=x onerror="window.pwned = 2">`;

/// Records what the page logs, requests and opens.
function watch(tab) {
  listeners.add(({ method, params, sessionId }) => {
    if (sessionId !== tab.session) return;
    if (method === 'Runtime.exceptionThrown') found.problems.push(params.exceptionDetails.exception?.description);
    // The page itself shows a request that failed.
    if (method === 'Log.entryAdded' && params.entry.source !== 'network') found.problems.push(params.entry.text);
    if (method === 'Page.javascriptDialogOpening') found.problems.push(`dialog: ${params.message}`);
    if (method === 'Network.requestWillBeSent') found.requests.push(params.request.url);
  });
}

/// What opens the headers of the response.
const HEADERS = '#details > details:nth-of-type(1) > summary';

const CTRL = 2;
const SHIFT = 8;

/// Moves the focus to an element with the tab key alone. Returns how often it was pressed.
async function tabTo(tab, selector, modifiers = 0) {
  browser.doing = `going to ${selector}`;
  for (let presses = 0; presses < 80; presses += 1) {
    if (await tab.run('(selector) => Boolean(document.activeElement?.matches(selector))', selector)) return presses;
    await tab.press('Tab', modifiers);
  }
  throw new Error(`the tab key does not reach ${selector}`);
}

/// Replaces the content of a field.
async function fill(tab, selector, text, modifiers = 0) {
  await tabTo(tab, selector, modifiers);
  await tab.press('a', CTRL);
  await tab.send('Input.insertText', { text });
}

/// Replaces the event and invokes the function, with the keyboard.
async function invoke(tab, event) {
  await fill(tab, '#event', event, SHIFT);
  await tab.until(`() => document.getElementById('mistake').textContent === 'Valid JSON'`);
  const before = await last(tab);
  await tab.press('Enter', CTRL);
  return before + 1;
}

const last = (tab) => tab.run(`() => Number(document.querySelector('#invocations tr')?.dataset.n ?? 0)`);

/// Waits until the page shows that an invocation has ended with this outcome, and that none of its work continues.
async function shows(tab, n, outcome) {
  browser.doing = `waiting for "${outcome}" of invocation ${n}`;
  await tab.until(`(n, outcome) => {
    const shown = document.getElementById('outcome').textContent;
    return document.getElementById('save').href.endsWith('/' + n + '/event') && shown.startsWith(outcome)
      && !shown.includes('continues');
  }`, n, outcome);
}

const text = (tab, id) => tab.run('(id) => document.getElementById(id).innerText', id);

async function check(tab, name) {
  browser.doing = `checking the accessibility: ${name}`;
  await tab.send('Runtime.evaluate', { expression: fs.readFileSync(axe, 'utf8') });
  const violations = await tab.run('async () => (await axe.run()).violations');
  found.axe[name] = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`);
}

/// Writes an image of the whole width of the page, or of an element, which may be longer than the window. The image has no
/// scrollbar.
async function screenshot(tab, name, id) {
  browser.doing = `taking the screenshot ${name}`;
  const clip = await tab.run(`(id) => {
    const { x, y, right, bottom } = document.getElementById(id ?? 'timeline').getBoundingClientRect();
    const [left, top] = id ? [x - 8, y + scrollY - 8] : [0, 0];
    return { x: left, y: top, width: Math.min(right + 8, document.documentElement.clientWidth) - left, height: bottom + scrollY + 8 - top, scale: 1 };
  }`, id ?? null);
  const { data } = await tab.send('Page.captureScreenshot', { format: 'webp', quality: 45, clip, captureBeyondViewport: true });
  fs.writeFileSync(`${screenshots}/${name}.webp`, Buffer.from(data, 'base64'));
}

async function open(width, height, scheme) {
  const tab = await Tab.open();
  watch(tab);
  for (const domain of ['Runtime', 'Log', 'Network']) await tab.send(`${domain}.enable`);
  await tab.send('Page.bringToFront');
  await tab.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  await tab.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  // Shifts that the user did not cause.
  await tab.send('Page.addScriptToEvaluateOnNewDocument', {
    source: `window.shifts = [];
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput, sources } of list.getEntries()) {
        if (!hadRecentInput) window.shifts.push([value, ...sources.map(({ node }) => node?.id || node?.nodeName)]);
      }
    }).observe({ type: 'layout-shift', buffered: true });`,
  });
  browser.doing = 'opening the page';
  await tab.type(`${server}/_nodeback/`);
  await tab.until(`() => document.getElementById('connection').textContent === 'Connected'
    && document.getElementById('event').value`);
  return tab;
}

/// A page that is still loading is short and has no scrollbar. Its elements must already be where they are later.
async function scrollbar(tab) {
  browser.doing = 'shortening the page';
  const [isLong, long, short] = await tab.run(`() => {
    const isLong = document.documentElement.scrollHeight > innerHeight;
    const left = () => document.getElementById('connection').getBoundingClientRect().left;
    const main = document.querySelector('main');
    const long = left();
    main.hidden = true;
    const short = left();
    main.hidden = false;
    return [isLong, long, short];
  }`);
  assert(isLong, 'the page has a scrollbar');
  assert.equal(short, long);
}

async function firstUse(tab) {
  // Opening the page and pressing the button is enough.
  found.pressesToInvoke = await tabTo(tab, '#submit');
  await tab.press('Enter');
  await shows(tab, 1, 'Succeeded');
  assert.equal(await text(tab, 'body'), '{}');
  assert.equal(await text(tab, 'body-note'), '2 B. Save all of it');
  assert.match(await text(tab, 'report'), /^Duration \d+\.\d\d ms · Billed \d+ ms · Memory size 128 MB · Max memory used \d+ MB$/);
  assert.equal(await text(tab, 'sent-status'), '200 OK');
  // Chooses another event with the keyboard.
  await tabTo(tab, '#source', SHIFT);
  browser.doing = 'choosing a sample';
  // Skips the files of the folder and the empty sample.
  for (let presses = 0; presses < 3; presses += 1) await tab.press('ArrowDown');
  await tab.until(`() => document.getElementById('event').value.includes('"httpMethod"')`);
}

async function mistakes(tab) {
  await fill(tab, '#event', '{\n  "a": 1,\n  "b": x\n}');
  browser.doing = 'waiting for the mistake in the JSON';
  await tab.until(`() => document.getElementById('mistake').textContent === 'Line 3, column 8: expected value'`);
  assert.equal(await tab.run(`() => document.querySelector('#numbers mark').textContent`), '3\n');
  assert.equal(await tab.run(`() => document.getElementById('event').getAttribute('aria-invalid')`), 'true');
  await tabTo(tab, '#go');
  await tab.press('Enter');
  assert.equal(await tab.run('() => String(getSelection())'), 'x');
  // The server rejects it too, and the page shows why.
  await tab.press('Enter', CTRL);
  await tab.until(`() => document.getElementById('form-error').textContent.includes('line 3 column 8')`);
}

/// Reads and sets the timeout and the memory size, which are empty for those of the function.
async function configuration(tab) {
  browser.doing = 'reading the configuration of the function';
  const fields = `() => ['timeout', 'memory'].map((id) => document.getElementById(id)).map(({ value, placeholder }) => [value, placeholder])`;
  assert.deepEqual(await tab.run(fields), [['', '3'], ['', '128']]);
  // An invocation with the configuration of the function leaves them empty.
  await tabTo(tab, '#copy-rust');
  await tab.press('Enter');
  const snippet = await tab.until("() => document.getElementById('snippet').value");
  assert.match(snippet, /\n {8}\.invoked_function_arn\("arn:aws:lambda:us-east-1:123456789012:function:page_function"\)\n {8}\.timeout\(/);
  await tabTo(tab, '#edit', SHIFT);
  await tab.press('Enter');
  await tab.until(`() => document.activeElement.id === 'event' && document.getElementById('event').value === '{}'`);
  assert.deepEqual(await tab.run(fields), [['', '3'], ['', '128']]);
  // An invalid value is shown, even if its field is hidden.
  const summary = '#form summary';
  await tabTo(tab, summary);
  await tab.press('Enter');
  await fill(tab, '#memory', '0');
  await tabTo(tab, summary, SHIFT);
  await tab.press('Enter');
  const before = await last(tab);
  await tabTo(tab, '#event', SHIFT);
  await tab.press('Enter', CTRL);
  browser.doing = 'waiting for the invalid memory size';
  await tab.until(`() => document.activeElement.id === 'memory' && document.querySelector('#form details').open`);
  assert.equal(await last(tab), before);
  // All forms of a number are valid.
  await fill(tab, '#memory', '1e3');
  await tab.press('Enter');
  await shows(tab, before + 1, 'Succeeded');
  assert.match(await text(tab, 'report'), /· Memory size 1000 MB ·/);
  await tab.run(`() => { document.getElementById('memory').value = ''; }`);
  await tabTo(tab, summary, SHIFT);
  await tab.press('Enter');
}

async function outcomes(tab) {
  let n = await invoke(tab, '{"do":"duplicate"}');
  await shows(tab, n, 'Succeeded');
  assert.match(await tab.run(`() => document.getElementById('timeline').textContent`), /duplicate signal/);
  await screenshot(tab, 'duplicate-signal');

  n = await invoke(tab, '{"do":"deferred"}');
  await shows(tab, n, 'Succeeded');
  await screenshot(tab, 'page');

  // A timeout is set in the form.
  await fill(tab, '#timeout', '0.1', SHIFT);
  n = await invoke(tab, '{"do":"timeout"}');
  await shows(tab, n, 'Timed out');
  assert.match(await text(tab, 'body'), /Task timed out after 0\.10 seconds/);
  assert.match(await text(tab, 'log'), /to be aborted at the deadline: the task spawned at tests\/page\/function\.rs:\d+/);
  await screenshot(tab, 'page-timeout', 'opened');

  // The keyboard reads the drawing.
  await tabTo(tab, '#timeline [tabindex="0"][aria-label]');
  const read = new Set();
  for (let marks = 0; marks < 4; marks += 1) {
    read.add(await tab.run(`() => document.querySelector('.readout').textContent`));
    await tab.press('ArrowRight');
  }
  assert.equal(read.size, 4, [...read].join());
  assert.match([...read].join(), /handler: .*ms/);
  // So does the mouse.
  const [x, y, label] = await tab.run(`() => {
    const mark = document.querySelector('#timeline .mark');
    mark.scrollIntoView({ block: 'center' });
    const { x, y, width, height } = mark.getBoundingClientRect();
    return [x + width / 2, y + height / 2, mark.getAttribute('aria-label')];
  }`);
  await tab.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y });
  await tab.until(`(label) => document.querySelector('.readout').textContent === label`, label);
  await tab.run('() => scrollTo(0, 0)');

  await fill(tab, '#timeout', '3', SHIFT);
  n = await invoke(tab, '{"do":"fail"}');
  await shows(tab, n, 'Failed');
  const failure = await text(tab, 'body');
  assert.match(failure, /^OrderNotFound no order 7\s/);
  assert.match(failure, /at tests\/page\/function\.rs:\d+/);
  await tabTo(tab, HEADERS);
  await tab.press('Enter');
  assert.match(await text(tab, 'sent-headers'), /^x-amz-function-error: Unhandled$/m);
  await check(tab, 'light and wide');
  await tab.run('() => document.activeElement.blur()');
  await screenshot(tab, 'page-error', 'opened');
}

async function large(tab) {
  await fill(tab, '#timeout', '0', SHIFT);
  const n = await invoke(tab, '{"do":"large"}');
  await shows(tab, n, 'Succeeded');
  assert.equal(await tab.run(`() => document.querySelector('#body pre').textContent.length`), 128 * 1024);
  assert.match(await text(tab, 'body-note'), /6\.0 MB, of which this is the start\. Save all of it$/);
  const saved = `async () => (await (await fetch(document.querySelector('#body-note a').href)).blob()).size`;
  assert.equal(await tab.run(saved), 6 * 1024 * 1024);
}

/// Puts a text that tries to become markup into each field. The function repeats it in its log and its error.
async function hostile(tab) {
  const text = HOSTILE;
  for (const summary of ['#form summary', '#details > details:nth-of-type(2) > summary']) {
    await tabTo(tab, summary);
    await tab.press('Enter');
  }
  // A version cannot contain such a text: the server rejects it, and the page shows why.
  await fill(tab, '#qualifier', text, SHIFT);
  await tab.press('Enter');
  await tab.until('(text) => document.getElementById("form-error").textContent.includes(text)', text);
  // On a command line, these would be options of their own if no equals sign came before them.
  await fill(tab, '#qualifier', '-live');
  await fill(tab, '#memory', '256', SHIFT);
  await tabTo(tab, '#event', SHIFT);
  const fields = {
    '#client-context': JSON.stringify({ custom: { text } }), '#identity': text, '#identity-pool': text, '#tenant': `-${text}`,
    '#trace': text,
  };
  for (const [field, value] of Object.entries(fields)) {
    await fill(tab, field, value);
  }
  // The event also contains the end of a raw string of Rust and a character that reverses text.
  const n = await invoke(tab, JSON.stringify({ do: 'hostile', text: `${text}"#\u202e` }));
  await shows(tab, n, 'Failed');
  for (const id of ['body', 'sent', 'log', 'facts', 'timeline', 'invocations']) {
    browser.doing = `waiting for the hostile text in #${id}`;
    await tab.until('(id, text) => document.getElementById(id).textContent.includes(text)', id, text.slice(0, 40));
  }
  assert.match(await tab.run('() => document.getElementById("facts").textContent'), /· alias -live ·/);
  assert.match(await tab.run('() => document.getElementById("report").textContent'), /· Memory size 256 MB ·/);
  found.headers = await headers(tab);
  assert.equal(await tab.run('() => typeof window.pwned'), 'undefined');
  assert.equal(await tab.run(`() => document.querySelectorAll('main img, main script').length`), 0);
  for (const kind of ['curl', 'aws', 'rust']) {
    await tabTo(tab, `#copy-${kind}`, kind === 'curl' ? 0 : SHIFT);
    await tab.run("() => { document.getElementById('snippet').value = ''; }");
    await tab.press('Enter');
    found.snippets[kind] = await tab.until("() => document.getElementById('snippet').value");
  }
  await tabTo(tab, '#repeat', SHIFT);
  await tab.press('Enter');
  await shows(tab, n + 1, 'Failed');
  // Editing the event also restores the context.
  const restored = { memory: '256', qualifier: '-live', identity: text, 'identity-pool': text, tenant: `-${text}`, trace: text };
  await tab.run('(ids) => { for (const id of ids) document.getElementById(id).value = ""; }', [...Object.keys(restored), 'client-context']);
  await tabTo(tab, '#edit');
  await tab.press('Enter');
  await tab.until('() => document.getElementById("tenant").value && document.activeElement.id === "event"');
  for (const [id, value] of Object.entries(restored)) {
    assert.equal(await tab.run('(id) => document.getElementById(id).value', id), value, id);
  }
  assert.match(await tab.run('() => document.getElementById("event").value'), /^\{\n  "do": "hostile",\n/);
}

/// Returns the status and the headers that the page shows, one a line.
async function headers(tab) {
  return [await tab.run('() => document.getElementById("sent-status").textContent'),
    ...(await tab.run('() => document.getElementById("sent-headers").textContent')).split('\n')];
}

/// Opens invocations of other clients, and compares the headers that the page shows with those that the clients received.
async function otherClients(tab) {
  const call = (path, options, body) => new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method: 'POST', ...options }, (response) => {
      response.resume().on('end', () => resolve(response));
    });
    request.on('error', reject).end(body);
  });
  for (const [path, options, body, label] of [
    ['/2015-03-31/functions/f/invocations', { headers: { 'x-amzn-trace-id': HOSTILE, 'x-amz-log-type': 'Tail' } }, '{"do":"fail"}', 'Invoke'],
    ['/2021-11-15/functions/f:live/response-streaming-invocations', {}, '{"do":"fail"}', 'Stream'],
    ['/orders', { headers: { 'content-type': 'text/plain' } }, HOSTILE, 'URL'],
  ]) {
    browser.doing = `comparing the headers of ${path}`;
    const before = await last(tab);
    const { statusCode, statusMessage, rawHeaders } = await call(path, options, body);
    const n = await tab.until('(before) => { const n = Number(document.querySelector("#invocations tr").dataset.n); return n > before && n; }',
      before);
    await tabTo(tab, '#invocations button', SHIFT);
    while (await tab.run('() => Number(document.activeElement.closest("tr").dataset.n)') < n) await tab.press('ArrowUp');
    await tab.press('Enter');
    await shows(tab, n, label === 'URL' ? 'Succeeded' : 'Failed');
    // The connection adds the others.
    const received = rawHeaders.map((name, at) => (at % 2 ? null : `${name}: ${rawHeaders[at + 1]}`))
      .filter((line) => line && !/^(date|connection|keep-alive|transfer-encoding): /.test(line));
    assert.deepEqual(await headers(tab), [`${statusCode} ${statusMessage}`, ...received]);
    assert.equal(received.some((line) => line.includes(HOSTILE)), label === 'URL', label);
    const cells = await tab.run('() => document.querySelector("#invocations [aria-current]").closest("tr").innerText');
    assert.equal(cells.split('\t')[1], label);
  }
  assert.equal(await tab.run('() => typeof window.pwned'), 'undefined');
}

/// Adds invocations of a newer program to the list, from kinds of clients that the page does not know.
async function unknownClients(tab) {
  browser.doing = 'adding invocations of unknown clients';
  const kinds = await tab.run(`async () => {
    const { List } = await import('/_nodeback/list.js');
    const list = new List({ open() {} });
    const summary = (n, client) => (
      { n, at: 0, client, function: 'f', requestId: '', state: 'succeeded', over: true, durationMs: 1, error: null });
    list.update({ first: 1, invocations: [summary(1e6, 'constructor'), summary(1e6 + 1)] });
    return [...document.querySelectorAll('#invocations tr')].slice(0, 2).map((row) => row.cells[1].textContent);
  }`);
  assert.deepEqual(kinds, ['unknown', 'constructor']);
}

/// Invokes many times from another client while the page is in use.
async function many(tab) {
  browser.doing = 'invoking 1,000 times';
  const before = await last(tab);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
  const call = (n) => new Promise((resolve, reject) => {
    const path = '/2015-03-31/functions/f/invocations';
    const request = http.request({ agent, host: '127.0.0.1', port, path, method: 'POST' }, (response) => {
      response.resume().on('end', resolve);
    });
    request.on('error', reject).end(JSON.stringify({ n }));
  });
  const calls = Promise.all(Array.from({ length: 1000 }, (_, n) => call(n)));
  await tab.run('() => scrollTo(0, 0)');
  await fill(tab, '#event', '{"typed":"meanwhile"}', SHIFT);
  await calls;
  agent.destroy();
  await tab.until('(n) => document.querySelector("#invocations tr").dataset.n === String(n)', before + 1000);
  const rows = '() => document.querySelectorAll("#invocations tr").length';
  await tab.until(`() => (${rows})() === 500`);
  assert.equal(await tab.run('() => document.getElementById("event").value'), '{"typed":"meanwhile"}');
  // Opens one of them with the keyboard.
  await tabTo(tab, '#invocations button');
  await tab.press('ArrowDown');
  await tab.press('Enter');
  await shows(tab, before + 999, 'Succeeded');
}

async function main() {
  const tab = await open(1280, 900, 'light');
  await scrollbar(tab);
  await firstUse(tab);
  await mistakes(tab);
  await configuration(tab);
  await outcomes(tab);
  await large(tab);
  await hostile(tab);
  await otherClients(tab);
  await many(tab);
  found.shifts = await tab.run('() => window.shifts');
  await tab.close();
  const narrow = await open(390, 800, 'dark');
  await tabTo(narrow, '#event');
  const n = await invoke(narrow, '{"do":"deferred"}');
  await shows(narrow, n, 'Succeeded');
  found.shifts.push(...await narrow.run('() => window.shifts'));
  await check(narrow, 'dark and narrow');
  assert(await narrow.run('() => document.documentElement.scrollWidth <= innerWidth'), 'a narrow page is not scrolled sideways');
  await screenshot(narrow, 'narrow');
  await unknownClients(narrow);
  console.log(JSON.stringify(found));
  await browser.close();
}

browser.start(profile, main);
