// Opens a page of `--timeline`, for tests/timeline/browser.rs: `node timeline.js PAGE FOLDER SCREENSHOTS AXE EVENT ..`, where PAGE
// is the file, Chromium's profile goes into the folder, and AXE is the file of axe-core. Writes a screenshot of the drawing of each
// event, and prints a JSON object with what the page shows.
'use strict';
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { browser, Tab, listeners } = require('./devtools.js');

const [page, profile, screenshots, axe, ...events] = process.argv.slice(2);
const found = { page: pathToFileURL(page).href, problems: [], requests: [], axe: {}, invocations: [] };

async function open(width, height, scheme) {
  const tab = await Tab.open();
  listeners.add(({ method, params, sessionId }) => {
    if (sessionId !== tab.session) return;
    if (method === 'Runtime.exceptionThrown') found.problems.push(params.exceptionDetails.exception?.description);
    if (method === 'Log.entryAdded') found.problems.push(params.entry.text);
    if (method === 'Network.requestWillBeSent') found.requests.push(params.request.url);
  });
  for (const domain of ['Runtime', 'Log', 'Network']) await tab.send(`${domain}.enable`);
  await tab.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  await tab.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  browser.doing = 'opening the page';
  await tab.type(found.page);
  return tab;
}

async function check(tab, name) {
  browser.doing = `checking the accessibility: ${name}`;
  await tab.send('Runtime.evaluate', { expression: fs.readFileSync(axe, 'utf8') });
  const violations = await tab.run('async () => (await axe.run()).violations');
  found.axe[name] = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`);
}

/// Returns the entries of the table of each invocation, and the lanes of its drawing from top to bottom. The marks of a lane are in
/// the order in which they are seen.
const read = `() => [...document.querySelectorAll('section')].map((section) => {
  const center = (element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
  };
  const marks = [...section.querySelectorAll('figure .mark')].map((mark) => {
    const [x, y] = center(mark.querySelector('circle'));
    return { x, y, title: mark.querySelector('title').textContent };
  });
  const labels = [...section.querySelectorAll('figure .label')];
  const below = labels.map((label) => center(label)[1]);
  return {
    entries: [...section.querySelectorAll('table[aria-label="What happened"] tbody tr')].map((row) =>
      [...row.cells].map((cell) => cell.textContent)),
    lanes: labels.map((label, n) => ({
      label: label.parentElement.textContent,
      marks: marks.filter(({ y }) => y > below[n] && !(y > below[n + 1])).sort((a, b) => a.x - b.x)
        .map(({ title }) => title),
    })),
  };
})`;

async function screenshot(tab, nth) {
  browser.doing = `taking the screenshot of ${events[nth]}`;
  const clip = await tab.run(`(nth) => {
    const section = document.querySelectorAll('section')[nth];
    const [top, figure] = [section.querySelector('h2'), section.querySelector('figure')].map((e) => e.getBoundingClientRect());
    const { x } = document.querySelector('main').getBoundingClientRect();
    return { x, y: top.y + scrollY - 8, width: innerWidth - 2 * x, height: figure.bottom - top.y + 16, scale: 1 };
  }`, nth);
  const options = { format: 'webp', quality: 60, clip, captureBeyondViewport: true };
  const { data } = await tab.send('Page.captureScreenshot', options);
  fs.writeFileSync(path.join(screenshots, `timeline-${events[nth]}.webp`), Buffer.from(data, 'base64'));
}

async function main() {
  const tab = await open(800, 900, 'light');
  found.invocations = await tab.run(read);
  for (const nth of events.keys()) await screenshot(tab, nth);
  await check(tab, 'light and wide');
  await tab.close();
  const narrow = await open(390, 800, 'dark');
  await check(narrow, 'dark and narrow');
  found.isScrolledSideways = await narrow.run('() => document.documentElement.scrollWidth > innerWidth');
  console.log(JSON.stringify(found));
  await browser.close();
}

browser.start(profile, main);
