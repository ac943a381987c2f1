// Makes Chromium send requests to a local server, for tests/browser.rs: `node browser.js PORT FOLDER`. The server listens on
// PORT of 127.0.0.1, and FOLDER is for Chromium's profile. Each request has a separate path, which names the kind of page that
// caused it (`/own/..`, `/same-site/..`, `/cross-site/..`, `/rebound/..`) and the means. Prints a JSON object with what the
// page saw for each path.
//
// It uses the DevTools protocol over a pipe, so that it needs only node and Chromium.
'use strict';
const { spawn } = require('child_process');
const http = require('http');

const port = Number(process.argv[2]);
const server = `http://localhost:${port}`;
const profile = process.argv[3];

const chromium = spawn('chromium', [
  '--headless',
  // Chromium does not run as root with its sandbox.
  ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
  '--remote-debugging-pipe',
  `--user-data-dir=${profile}`,
  '--no-first-run',
  '--no-proxy-server',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  // Makes host names that an attacker could own resolve to this machine.
  '--host-resolver-rules=MAP *.test 127.0.0.1',
  // The local server has to reject such requests itself, even if the browser does not have these protections.
  '--disable-features=LocalNetworkAccessChecks,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable',
  'about:blank',
], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });

function fail(error) {
  console.error(error.stack || error);
  chromium.kill('SIGKILL');
  process.exit(1);
}

let doing = 'starting Chromium';
setTimeout(() => fail(`timed out while ${doing}`), 60000).unref();
chromium.on('error', (error) => { throw error; });
process.on('unhandledRejection', fail);

// The DevTools protocol: messages end with a zero byte.
const waiting = new Map();
const listeners = new Set();
let lastId = 0;
let received = '';
chromium.stdio[4].setEncoding('utf8').on('data', (data) => {
  const messages = (received + data).split('\0');
  received = messages.pop();
  for (const message of messages.map((text) => JSON.parse(text))) {
    if (message.id === undefined) {
      listeners.forEach((listener) => listener(message));
      continue;
    }
    const { resolve, reject } = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) reject(new Error(`${doing}: ${message.error.message}`));
    else resolve(message.result);
  }
});

function send(method, params = {}, sessionId) {
  const id = ++lastId;
  chromium.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0');
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

/// Resolves with the parameters of the first event that matches.
function event(fits) {
  return new Promise((resolve) => {
    const listener = (message) => {
      if (!fits(message)) return;
      listeners.delete(listener);
      resolve(message.params);
    };
    listeners.add(listener);
  });
}

/// Resolves when a tab shows this URL.
const shown = (url) => event(({ method, params }) =>
  (method === 'Target.targetInfoChanged' || method === 'Target.targetCreated')
  && params.targetInfo.type === 'page' && params.targetInfo.url === url);

class Tab {
  static async open() {
    const tab = new Tab();
    tab.target = (await send('Target.createTarget', { url: 'about:blank' })).targetId;
    const attached = await send('Target.attachToTarget', { targetId: tab.target, flatten: true });
    tab.session = attached.sessionId;
    await tab.send('Page.enable');
    await tab.send('Page.setLifecycleEventsEnabled', { enabled: true });
    return tab;
  }

  send(method, params) {
    return send(method, params, this.session);
  }

  /// Navigates to a URL as if the user had typed it, and waits until that page is loaded. A load event of the previous page
  /// may still arrive, so the loader id has to match.
  async type(url) {
    const loaded = new Set();
    let wake = () => {};
    const listener = ({ method, params, sessionId }) => {
      if (method !== 'Page.lifecycleEvent' || sessionId !== this.session) return;
      if (params.name === 'load') loaded.add(params.loaderId);
      wake();
    };
    listeners.add(listener);
    const { loaderId } = await this.send('Page.navigate', { url, transitionType: 'typed' });
    await new Promise((resolve) => {
      wake = () => { if (loaded.has(loaderId)) resolve(); };
      wake();
    });
    listeners.delete(listener);
  }

  /// Runs an async function in the page, as if the user had just clicked there.
  async run(code, ...values) {
    const expression = `(${code})(...${JSON.stringify(values)})`;
    const options = { awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, ...options });
    if (exceptionDetails) throw new Error(`${doing}: ${exceptionDetails.exception.description}`);
    return result.value;
  }

  async click() {
    const button = { x: 50, y: 50, button: 'left', clickCount: 1 };
    await this.send('Input.dispatchMouseEvent', { type: 'mousePressed', ...button });
    await this.send('Input.dispatchMouseEvent', { type: 'mouseReleased', ...button });
  }

  close() {
    return send('Target.closeTarget', { targetId: this.target });
  }
}

/// The ways to send a request without leaving the page. Each resolves to what the page saw.
const within = {
  image: element('img', 'src'),
  'image-without-referrer': element('img', 'src', { referrerPolicy: 'no-referrer' }),
  script: element('script', 'src'),
  style: element('link', 'href', { rel: 'stylesheet' }),
  frame: element('iframe', 'src'),
  'sandboxed-frame': element('iframe', 'src', { sandbox: '' }),
  fetch: fetched({}),
  'fetch-without-cors': fetched({ mode: 'no-cors' }),
  'fetch-without-cors-or-referrer': fetched({ mode: 'no-cors', referrerPolicy: 'no-referrer' }),
  'post-simple': fetched({ method: 'POST', body: '{}' }),
  'post-without-cors': fetched({ method: 'POST', mode: 'no-cors', body: '{}' }),
  'post-kept-alive': fetched({ method: 'POST', mode: 'no-cors', body: '{}', keepalive: true }),
  'post-json-with-preflight':
    fetched({ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }),
  'delete-with-preflight': fetched({ method: 'DELETE' }),
  'fetch-with-cookies': fetched({ mode: 'no-cors', credentials: 'include' }),
  'form-get': form('get'),
  'form-post': form('post'),
  'web-socket': `(url) => new Promise((resolve) => {
    const socket = new WebSocket(url.replace('http:', 'ws:'));
    socket.onopen = socket.onclose = (event) => resolve(event.type);
  })`,
  'event-source': `(url) => new Promise((resolve) => {
    const source = new EventSource(url);
    source.onopen = source.onerror = (event) => { source.close(); resolve(event.type); };
  })`,
};

function element(tag, attribute, more = {}) {
  return `(url) => new Promise((resolve) => {
    const element = Object.assign(document.createElement('${tag}'), ${JSON.stringify(more)});
    element.onload = element.onerror = (event) => resolve(event.type);
    element['${attribute}'] = url;
    document.body.append(element);
  })`;
}

function fetched(options) {
  return `(url) => fetch(url, ${JSON.stringify(options)})
    .then((response) => response.status || response.type, (error) => error.message)`;
}

/// Submits the form into a frame, so that the page is not left.
function form(method) {
  return `(url) => new Promise((resolve) => {
    const frame = Object.assign(document.createElement('iframe'), { name: 'frame' + Math.random() });
    document.body.append(frame);
    frame.onload = (event) => resolve(event.type);
    const form = Object.assign(document.createElement('form'),
      { method: '${method}', action: url, target: frame.name });
    document.body.append(form);
    form.submit();
  })`;
}

/// The ways to send a request by which the tab leaves the page, or another tab opens.
const leaving = {
  link: async (tab, url) => {
    await tab.run(`(url) => {
      const link = Object.assign(document.createElement('a'), { href: url });
      link.style = 'position: fixed; inset: 0';
      document.body.append(link);
    }`, url);
    await tab.click();
  },
  'link-without-referrer': async (tab, url) => {
    await tab.run(`(url) => {
      const link = Object.assign(document.createElement('a'), { href: url, rel: 'noreferrer' });
      link.style = 'position: fixed; inset: 0';
      document.body.append(link);
    }`, url);
    await tab.click();
  },
  'navigation-by-script': (tab, url) => tab.run('(url) => { location = url; }', url),
  'new-window': (tab, url) => tab.run('(url) => { open(url); }', url),
  refresh: (tab, url) => tab.run(`(url) => {
    const content = '0; url=' + url;
    document.head.append(Object.assign(document.createElement('meta'), { httpEquiv: 'refresh', content }));
  }`, url),
  'form-post-of-the-tab': (tab, url) => tab.run(`(url) => {
    const form = Object.assign(document.createElement('form'), { method: 'post', action: url });
    document.body.append(form);
    form.submit();
  }`, url),
};

const saw = {};

/// Lets the page at `home` try everything against `target`.
async function tryAll(name, home, target) {
  const tab = await Tab.open();
  doing = `opening ${home}`;
  await tab.type(home);
  for (const [how, code] of Object.entries(within)) {
    doing = `trying /${name}/${how}`;
    saw[`/${name}/${how}`] = await tab.run(code, `${target}/${name}/${how}`);
  }
  for (const [how, leave] of Object.entries(leaving)) {
    doing = `trying /${name}/${how}`;
    await tab.type(home);
    const url = `${target}/${name}/${how}`;
    const arrived = shown(url);
    await leave(tab, url);
    await arrived;
    saw[`/${name}/${how}`] = 'shown';
  }
  await tab.close();
}

async function main() {
  // The foreign page, on another port.
  const pages = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://pages');
    if (pathname === '/redirect') {
      response.writeHead(302, { location: searchParams.get('to') }).end();
    } else {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><p>A page');
    }
  });
  await new Promise((resolve) => { pages.listen(0, '127.0.0.1', resolve); });
  const foreign = pages.address().port;
  await send('Target.setDiscoverTargets', { discover: true });

  await tryAll('own', `${server}/page`, server);
  await tryAll('same-site', `http://localhost:${foreign}/`, server);
  await tryAll('cross-site', `http://evil.test:${foreign}/`, server);
  // An image on the server's own page that another server redirects back.
  const tab = await Tab.open();
  doing = 'trying redirects';
  const redirect = (to) => `http://evil.test:${foreign}/redirect?to=${encodeURIComponent(server + to)}`;
  await tab.type(`${server}/page`);
  saw['/cross-site/redirect'] = await tab.run(within.image, redirect('/cross-site/redirect'));
  // No server can distinguish this request from one for a URL that the user typed.
  await tab.type(redirect('/typed/redirect'));
  saw['/typed/redirect'] = 'shown';

  // A page whose host name resolves to this machine when it sends its requests (DNS rebinding).
  const rebound = `http://rebound.test:${port}`;
  doing = 'opening the rebound page';
  const attacker = await Tab.open();
  await attacker.send('Fetch.enable', { patterns: [{ urlPattern: `${rebound}/page` }] });
  listeners.add(({ method, params, sessionId }) => {
    if (method !== 'Fetch.requestPaused' || sessionId !== attacker.session) return;
    const responseHeaders = [{ name: 'content-type', value: 'text/html' }];
    const body = Buffer.from('<!doctype html><p>A page').toString('base64');
    const { requestId } = params;
    attacker.send('Fetch.fulfillRequest', { requestId, responseCode: 200, responseHeaders, body });
  });
  await attacker.type(`${rebound}/page`);
  for (const [how, code] of Object.entries(within)) {
    doing = `trying /rebound/${how}`;
    saw[`/rebound/${how}`] = await attacker.run(code, `${rebound}/rebound/${how}`);
  }
  console.log(JSON.stringify(saw));
  chromium.on('exit', () => process.exit(0));
  await send('Browser.close');
}

main().catch(fail);
