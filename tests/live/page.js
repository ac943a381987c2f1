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

async function screenshot(tab, name) {
  browser.doing = `taking the screenshot ${name}`;
  const { data } = await tab.send('Page.captureScreenshot', { format: 'webp', quality: 45 });
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
    source: `window.shifts = []; new PerformanceObserver((list) => {
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

async function firstUse(tab) {
  // Opening the page and pressing the button is enough.
  found.pressesToInvoke = await tabTo(tab, '#submit');
  await tab.press('Enter');
  await shows(tab, 1, 'Succeeded');
  assert.equal(await text(tab, 'body'), '{}');
  assert.equal(await text(tab, 'body-note'), '2 B. Save all of it');
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

async function outcomes(tab) {
  let n = await invoke(tab, '{"do":"fail"}');
  await shows(tab, n, 'Failed');
  const failure = await text(tab, 'body');
  assert.match(failure, /^OrderNotFound no order 7\s/);
  assert.match(failure, /at tests\/page\/function\.rs:\d+/);

  n = await invoke(tab, '{"do":"duplicate"}');
  await shows(tab, n, 'Succeeded');
  assert.match(await tab.run(`() => document.getElementById('timeline').textContent`), /duplicate signal/);
  await screenshot(tab, 'duplicate-signal');

  n = await invoke(tab, '{"do":"deferred"}');
  await shows(tab, n, 'Succeeded');
  await screenshot(tab, 'deferred');

  // A timeout is set in the form.
  await fill(tab, '#timeout', '0.1', SHIFT);
  n = await invoke(tab, '{"do":"timeout"}');
  await shows(tab, n, 'Timed out');
  assert.match(await text(tab, 'body'), /Task timed out after 0\.10 seconds/);
  await check(tab, 'light and wide');
  await screenshot(tab, 'timeout');

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
  const text = `</textarea></pre><script>window.pwned = 1</script><img src=x onerror="window.pwned = 2">`;
  for (const summary of ['#form summary', '#details > details > summary']) {
    await tabTo(tab, summary);
    await tab.press('Enter');
  }
  await tabTo(tab, '#event', SHIFT);
  const fields = { '#client-context': JSON.stringify({ custom: { text } }), '#tenant': text, '#trace': text };
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
  await tab.run('() => { for (const id of ["tenant", "trace", "client-context"]) document.getElementById(id).value = ""; }');
  await tabTo(tab, '#edit');
  await tab.press('Enter');
  await tab.until('(text) => document.getElementById("tenant").value === text && document.activeElement.id === "event"', text);
  assert.match(await tab.run('() => document.getElementById("event").value'), /^\{\n  "do": "hostile",\n/);
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
  await firstUse(tab);
  await mistakes(tab);
  await outcomes(tab);
  await large(tab);
  await hostile(tab);
  await many(tab);
  found.shifts = await tab.run('() => window.shifts');
  await tab.close();
  const narrow = await open(390, 800, 'dark');
  await tabTo(narrow, '#event');
  const n = await invoke(narrow, '{"do":"deferred"}');
  await shows(narrow, n, 'Succeeded');
  await check(narrow, 'dark and narrow');
  assert(await narrow.run('() => document.documentElement.scrollWidth <= innerWidth'), 'a narrow page is not scrolled sideways');
  await screenshot(narrow, 'narrow');
  console.log(JSON.stringify(found));
  await browser.close();
}

browser.start(profile, main);
